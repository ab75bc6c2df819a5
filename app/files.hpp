// Writes pictures and texts whole or not at all, and knows where the program keeps its own files.
#pragma once

#include <QImage>
#include <QString>
#include <atomic>
#include <string>

namespace xlab::app {

/// These return what went wrong as a sentence, or an empty string. Once `stop` is true there is no
/// new file.
std::string save_picture(const QString& path, const QImage& picture,
                         const std::atomic<bool>& stop = false);
std::string save_text(const QString& path, const std::string& text,
                      const std::atomic<bool>& stop = false);

/// Where the program keeps its own files, work that is not saved among them: xlstm-lab under
/// XDG_STATE_HOME.
QString state_folder();

}  // namespace xlab::app
