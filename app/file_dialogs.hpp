// Asks for files and folders, and begins where the last one was.
#pragma once

#include <QString>

class QWidget;

namespace xlab::app {

/// Each returns an empty path when nothing is chosen. `filter`: e.g. "Runs (*.xlab);;All files
/// (*)".
QString ask_what_to_open(QWidget* parent, const QString& title, const QString& filter);
QString ask_for_folder(QWidget* parent, const QString& title);
/// A folder to write to, which need not be there yet.
QString ask_for_new_folder(QWidget* parent, const QString& title, const QString& suggestion);
/// A name to write to, which may exist already; nobody is asked about that here.
QString ask_for_name(QWidget* parent, const QString& title, const QString& suggestion,
                     const QString& filter);

/// Where the next of these dialogs begins, whatever it asks for: the folder of what was chosen
/// last. Empty at first: where the program was started.
QString last_folder();
void set_last_folder(const QString& folder);

}  // namespace xlab::app
