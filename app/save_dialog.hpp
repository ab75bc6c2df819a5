// Asks where a file or a folder is to be written, adds its extension, and never replaces one
// unasked.
#pragma once

#include <QString>

class QWidget;

namespace xlab::app {

/// What kind of file is to be written.
struct FileKind {
  QString title;       ///< of the dialog, e.g. "Export picture"
  QString suggestion;  ///< name the dialog begins with
  QString filter;      ///< e.g. "Pictures (*.png)"
  QString extension;   ///< without the dot, e.g. "png"
  /// Whether a name with another extension is refused ("x.svg" for a picture). Otherwise it gets
  /// ours behind it.
  bool strict = true;
};

/// What is wrong with the extension of `path`, as a sentence, or nothing.
QString wrong_extension(const QString& path, const FileKind& kind);
/// The path with the extension of the kind, added where it has none.
QString with_extension(const QString& path, const FileKind& kind);

/// Asks until there is a file that may be written or the person cancels, which gives an empty path.
/// A wrong extension is told and asked again; an existing file is replaced only after a question.
QString ask_where_to_write(QWidget* parent, const FileKind& kind);

/// Asks which folder is to be written, a new one or one that is there. One that holds something is
/// given back only after a question.
QString ask_which_folder_to_write(QWidget* parent, const QString& title, const QString& suggestion);

}  // namespace xlab::app
