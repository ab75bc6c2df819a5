// The dialog itself does not ask about existing files: it does not know the extension to come.
#include "app/save_dialog.hpp"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QMessageBox>
#include <QPushButton>

#include "app/file_dialogs.hpp"

namespace xlab::app {
namespace {

/// The words here are ours, not those of Qt's dialog.
struct SaveDialog {
  Q_DECLARE_TR_FUNCTIONS(xlab::app::SaveDialog)
};

bool may_replace(QWidget* parent, const QString& path) {
  QMessageBox box(QMessageBox::Question, SaveDialog::tr("Replace file"),
                  SaveDialog::tr("%1 exists already. Replace it?").arg(QFileInfo(path).fileName()),
                  QMessageBox::Cancel, parent);
  box.setTextFormat(Qt::PlainText);
  QPushButton* replace = box.addButton(SaveDialog::tr("Replace"), QMessageBox::DestructiveRole);
  box.setDefaultButton(QMessageBox::Cancel);
  box.exec();
  return box.clickedButton() == replace;
}

}  // namespace

QString wrong_extension(const QString& path, const FileKind& kind) {
  const QString suffix = QFileInfo(path).suffix();
  if (!kind.strict || suffix.isEmpty() ||
      suffix.compare(kind.extension, Qt::CaseInsensitive) == 0) {
    return {};
  }
  return SaveDialog::tr(
             "\"%1\" ends in .%2, but what can be written here is .%3. Choose a name "
             "that ends in .%3, or one without an ending.")
      .arg(QFileInfo(path).fileName(), suffix, kind.extension);
}

QString with_extension(const QString& path, const FileKind& kind) {
  const QString suffix = QFileInfo(path).suffix();
  if (suffix.compare(kind.extension, Qt::CaseInsensitive) == 0) return path;
  return path + (path.endsWith('.') ? "" : ".") + kind.extension;
}

QString ask_which_folder_to_write(QWidget* parent, const QString& title,
                                  const QString& suggestion) {
  for (;;) {
    QString path = ask_for_new_folder(parent, title, suggestion);
    if (path.isEmpty() || !QFileInfo(path).isDir() || QDir(path).isEmpty()) return path;
    QMessageBox box(
        QMessageBox::Question, title,
        SaveDialog::tr(
            "The folder %1 is not empty. Write the model into it? Its model, if it holds "
            "one, is replaced; other files stay.")
            .arg(QFileInfo(path).fileName()),
        QMessageBox::Cancel, parent);
    box.setTextFormat(Qt::PlainText);
    QPushButton* write = box.addButton(SaveDialog::tr("Write"), QMessageBox::DestructiveRole);
    box.setDefaultButton(QMessageBox::Cancel);
    box.exec();
    if (box.clickedButton() == write) return path;
  }
}

QString ask_where_to_write(QWidget* parent, const FileKind& kind) {
  QString suggestion = kind.suggestion;
  for (;;) {
    const QString chosen = ask_for_name(parent, kind.title, suggestion, kind.filter);
    if (chosen.isEmpty()) return {};
    suggestion = chosen;
    if (const QString wrong = wrong_extension(chosen, kind); !wrong.isEmpty()) {
      QMessageBox box(QMessageBox::Warning, kind.title, wrong, QMessageBox::Ok, parent);
      box.setTextFormat(Qt::PlainText);
      box.exec();
      continue;
    }
    QString path = with_extension(chosen, kind);
    if (!QFileInfo::exists(path) || may_replace(parent, path)) return path;
  }
}

}  // namespace xlab::app
