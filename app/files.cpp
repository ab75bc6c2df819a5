// QSaveFile writes beside the target and renames at the end.
#include "app/files.hpp"

#include <QByteArray>
#include <QDir>
#include <QSaveFile>

namespace xlab::app {
namespace {

template <typename Write>
std::string save(const QString& path, Write write) {
  QSaveFile file(path);
  if (file.open(QIODevice::WriteOnly) && write(file) && file.commit()) return {};
  return "Cannot write " + path.toStdString() + ": " + file.errorString().toStdString() + ".";
}

}  // namespace

std::string save_picture(const QString& path, const QImage& picture) {
  return save(path, [&](QSaveFile& file) { return picture.save(&file, "PNG"); });
}

std::string save_text(const QString& path, const std::string& text) {
  return save(path, [&](QSaveFile& file) {
    return file.write(text.data(), static_cast<qint64>(text.size())) ==
           static_cast<qint64>(text.size());
  });
}

QString state_folder() {
  const QString state = qEnvironmentVariable("XDG_STATE_HOME");
  const bool usable = !state.isEmpty() && QDir::isAbsolutePath(state);
  return (usable ? state : QDir::homePath() + "/.local/state") + "/xlstm-lab";
}

}  // namespace xlab::app
