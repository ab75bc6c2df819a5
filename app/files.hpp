// Writes pictures and texts whole or not at all, and knows where the program keeps its own files.
#pragma once

#include <QImage>
#include <QString>
#include <string>

namespace xlab::app {

/// These return what went wrong as a sentence, or an empty string.
std::string save_picture(const QString& path, const QImage& picture);
std::string save_text(const QString& path, const std::string& text);

/// The run as it was when the window closed last: autosave.xlab under XDG_STATE_HOME.
QString autosave_path();
/// Makes the folder of a file. False when that cannot be done.
bool make_folder_of(const QString& path);

}  // namespace xlab::app
