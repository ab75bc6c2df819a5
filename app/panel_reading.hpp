// What was read of the folder that the model came from: files, keys, names of tensors.
#pragma once

#include <QWidget>
#include <memory>

#include "app/stage.hpp"

class QTextBrowser;

namespace xlab::app {

/// A part of the model panel, there only for models of folders. It says in a few lines what was
/// taken, and in full what is not as usual; its button shows every key.
class ReadingGroup : public QWidget {
  Q_OBJECT

 public:
  explicit ReadingGroup(Stage& stage, QWidget* parent = nullptr);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void follow();
  /// As high as its words: a text that scrolls in a panel that scrolls is a slit.
  void fit();
  void show_all();

  Stage& stage_;
  QTextBrowser* words_;
  std::shared_ptr<const WhatWasRead> shown_;
};

/// What was read, in lines that can be copied: the short form, and the whole.
QString short_text(const WhatWasRead& reading);
QString full_text(const WhatWasRead& reading);

}  // namespace xlab::app
