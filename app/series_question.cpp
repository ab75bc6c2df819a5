// The file, then the column.
#include "app/series_question.hpp"

#include <QCoreApplication>
#include <QFileInfo>
#include <QInputDialog>
#include <QLabel>
#include <QMessageBox>
#include <QStringList>
#include <exception>

#include "app/file_dialogs.hpp"
#include "core/series/csv_column.hpp"

namespace xlab::app {
namespace {

QString words(const char* text) {
  return QCoreApplication::translate("SeriesQuestion", text);
}

}  // namespace

std::optional<SeriesChoice> ask_for_series(const std::string& folder, QWidget* parent) {
  for (;;) {
    const QString name = QFileInfo(QString::fromStdString(folder)).fileName();
    const QString file =
        ask_what_to_open(parent, words("Series for '%1' to foretell").arg(name),
                         words("Columns of numbers (*.csv *.tsv *.txt);;All files (*)"));
    if (file.isEmpty()) return {};
    QStringList names;
    try {
      for (const std::string& column : csv_columns(file.toStdString()))
        names.append(QString::fromStdString(column));
    } catch (const std::exception& e) {
      QMessageBox box(QMessageBox::Warning, words("Series"), QString::fromStdString(e.what()),
                      QMessageBox::Ok, parent);
      box.setTextFormat(Qt::PlainText);
      box.exec();
      continue;
    }
    if (names.size() == 1) return SeriesChoice{file.toStdString(), "1"};
    QInputDialog list(parent);
    list.setWindowTitle(words("Series"));
    list.setLabelText(words("Which column of '%1'?").arg(QFileInfo(file).fileName()));
    list.setComboBoxItems(names);
    // Names of files are shown as they are written.
    for (QLabel* label : list.findChildren<QLabel*>()) label->setTextFormat(Qt::PlainText);
    if (list.exec() != QDialog::Accepted) return {};
    const QString column = list.textValue();
    // Two may have one name.
    return SeriesChoice{file.toStdString(), names.count(column) == 1
                                                ? column.toStdString()
                                                : std::to_string(names.indexOf(column) + 1)};
  }
}

}  // namespace xlab::app
