// Writes files beside the window, which goes on meanwhile.
#pragma once

#include <QObject>
#include <QString>
#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace xlab::app {

/// A long table takes seconds, a large picture a part of one, and a disk may hang: each file is
/// written by a thread of its own, for which the end of the program waits a while.
class BesideWriter : public QObject {
  Q_OBJECT

 public:
  /// Returns what went wrong as a sentence, or an empty text. `note`: what else is to be told of
  /// the file. `stop` becomes true when the program cannot wait any longer; then there should be no
  /// new file.
  using Write = std::function<std::string(QString& note, const std::atomic<bool>& stop)>;

  explicit BesideWriter(QObject* parent);
  ~BesideWriter() override;
  void write(const QString& path, Write write);
  /// Writes what nobody has to hear of. `work` throws nothing.
  void write_unseen(std::function<void()> work);

 signals:
  void begun(const QString& text);
  /// What went wrong, as a sentence.
  void failed(const QString& text);
  /// That the file is there.
  void noticed(const QString& text);

 private:
  struct Writing;
  /// Runs `work` on a thread of its own; what it returns is run by the window, unless that is gone.
  void begin(std::function<std::function<void()>()> work);
  std::shared_ptr<Writing> writing_;
};

}  // namespace xlab::app
