// Pictures are encoded in memory first: a writer of pictures cannot say what a disk has against
// them.
#include "app/files.hpp"

#include <QBuffer>
#include <QByteArray>
#include <QCoreApplication>
#include <QDir>
#include <atomic>
#include <cstddef>
#include <string_view>

#include "core/files/disk.hpp"
#include "kernels/check.hpp"

namespace xlab::app {
namespace {

struct FileWords {
  Q_DECLARE_TR_FUNCTIONS(xlab::app::Files)
};

std::string save(const QString& path, std::string_view bytes, const std::atomic<bool>& stop) {
  if (stop) return FileWords::tr("Writing %1 was given up.").arg(path).toStdString();
  try {
    write_file_atomically(path.toStdString(), bytes);
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

}  // namespace

std::string save_picture(const QString& path, const QImage& picture,
                         const std::atomic<bool>& stop) {
  QByteArray bytes;
  QBuffer buffer(&bytes);
  if (!buffer.open(QIODevice::WriteOnly) || !picture.save(&buffer, "PNG"))
    return FileWords::tr("Cannot write %1: there is no picture to write.").arg(path).toStdString();
  return save(path, {bytes.constData(), static_cast<std::size_t>(bytes.size())}, stop);
}

std::string save_text(const QString& path, const std::string& text, const std::atomic<bool>& stop) {
  return save(path, text, stop);
}

QString state_folder() {
  const QString state = qEnvironmentVariable("XDG_STATE_HOME");
  const bool usable = !state.isEmpty() && QDir::isAbsolutePath(state);
  return (usable ? state : QDir::homePath() + "/.local/state") + "/xlstm-lab";
}

}  // namespace xlab::app
