// Qt's dialogs for files as we want them.
#include "app/file_dialogs.hpp"

#include <QCoreApplication>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QHeaderView>
#include <QLineEdit>
#include <QTreeView>

namespace xlab::app {
namespace {

constexpr int kNameColumn = 0;

/// The words here are ours, not those of Qt's dialog.
struct FileDialogs {
  Q_DECLARE_TR_FUNCTIONS(xlab::app::FileDialogs)
};

QString& remembered() {
  static QString folder;
  return folder;
}

/// Qt would go into a folder of that name.
QString free_name(const QFileDialog& dialog, const QString& suggestion) {
  QString name = suggestion;
  for (int i = 2; QFileInfo(dialog.directory().filePath(name)).isDir(); ++i)
    name = QString("%1-%2").arg(suggestion).arg(i);
  return name;
}

QString ask(QFileDialog& dialog) {
  // Qt's own dialog, where there is no other, cuts off the time of day.
  if (auto* list = dialog.findChild<QTreeView*>("treeView"); list && list->header()) {
    list->header()->setSectionResizeMode(QHeaderView::ResizeToContents);
    list->header()->setSectionResizeMode(kNameColumn, QHeaderView::Stretch);
  }
  if (dialog.exec() != QDialog::Accepted) return {};
  QString path = dialog.selectedFiles().value(0);
  // A folder that is not there is no place to begin at next time.
  if (const QFileInfo file(path); !path.isEmpty() && file.absoluteDir().exists())
    remembered() = file.absolutePath();
  return path;
}

/// Qt goes into a folder whose name is typed; here it is the answer.
class FolderNameDialog : public QFileDialog {
 public:
  using QFileDialog::QFileDialog;
  void accept() override {
    const QString path = selectedFiles().value(0);
    const bool another = QFileInfo(path).canonicalFilePath() != directory().canonicalPath();
    if (another && QFileInfo(path).isDir()) {
      QDialog::accept();  // NOLINT(bugprone-parent-virtual-call): that is where Qt goes into it
    } else {
      QFileDialog::accept();
    }
  }
};

}  // namespace

QString last_folder() {
  return remembered();
}

void set_last_folder(const QString& folder) {
  remembered() = folder;
}

QString ask_what_to_open(QWidget* parent, const QString& title, const QString& filter) {
  QFileDialog dialog(parent, title, last_folder(), filter);
  dialog.setFileMode(QFileDialog::ExistingFile);
  return ask(dialog);
}

QString ask_for_folder(QWidget* parent, const QString& title) {
  QFileDialog dialog(parent, title, last_folder());
  dialog.setFileMode(QFileDialog::Directory);
  dialog.setOption(QFileDialog::ShowDirsOnly);
  return ask(dialog);
}

QString ask_for_new_folder(QWidget* parent, const QString& title, const QString& suggestion) {
  FolderNameDialog dialog(parent, title, last_folder());
  // Of others the system's own would take either new folders or those that are there.
  dialog.setOption(QFileDialog::DontUseNativeDialog);
  dialog.setFileMode(QFileDialog::AnyFile);
  dialog.setOption(QFileDialog::ShowDirsOnly);
  dialog.setLabelText(QFileDialog::FileName, FileDialogs::tr("Folder:"));
  // Qt calls it "Open" as soon as the name is that of a folder.
  const auto name_button = [&dialog] {
    dialog.setLabelText(QFileDialog::Accept, FileDialogs::tr("&Export"));
  };
  name_button();
  auto* name = dialog.findChild<QLineEdit*>("fileNameEdit");
  QObject::connect(name, &QLineEdit::textChanged, &dialog, name_button);
  // A click on a folder means that one, two go into it.
  QObject::connect(
      &dialog, &QFileDialog::currentChanged, &dialog,
      [name, name_button](const QString& path) {
        if (QFileInfo(path).isDir()) name->setText(QFileInfo(path).fileName());
        name_button();
      },
      Qt::QueuedConnection);
  QObject::connect(&dialog, &QFileDialog::directoryEntered, &dialog,
                   [&] { name->setText(free_name(dialog, suggestion)); });
  dialog.selectFile(free_name(dialog, suggestion));
  return ask(dialog);
}

QString ask_for_name(QWidget* parent, const QString& title, const QString& suggestion,
                     const QString& filter) {
  QFileDialog dialog(parent, title, last_folder(), filter);
  dialog.setAcceptMode(QFileDialog::AcceptSave);
  dialog.setFileMode(QFileDialog::AnyFile);
  dialog.setOption(QFileDialog::DontConfirmOverwrite);
  dialog.selectFile(free_name(dialog, suggestion));
  return ask(dialog);
}

}  // namespace xlab::app
