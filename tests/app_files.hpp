// Files to open, one of each kind, in a folder that goes with them.
#pragma once

#include <gtest/gtest.h>

#include <QByteArray>
#include <QFile>
#include <QString>
#include <QTemporaryDir>

#include "core/files/hf_folder.hpp"
#include "core/run.hpp"
#include "core/tasks/task.hpp"

namespace xlab::tests {

struct Files {
  Files() {
    text = write("words.txt",
                 QByteArray("the quick brown fox jumps over the lazy dog. ").repeated(40));
    run = path("other.xlab");
    save_run(*make_run(make_task("copy")), run.toStdString());
    ModelSpec spec;
    spec.vocab_size = 12;
    spec.embedding_dim = 16;
    spec.large = LargeSpec{.num_heads = 2, .ffn_round_up_to_multiple_of = 8};
    Model made(spec);
    made.params().initialise(1);
    model = path("model");
    write_model_folder(made, model.toStdString());
  }

  QString path(const QString& name) const { return folder.filePath(name); }
  QString write(const QString& name, const QByteArray& content) const {
    QFile file(path(name));
    EXPECT_TRUE(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
    EXPECT_EQ(file.write(content), content.size());
    return path(name);
  }

  QTemporaryDir folder;
  QString text, run;  ///< a file of words, an untrained run of another task
  QString model;      ///< the folder of a large model
};

}  // namespace xlab::tests
