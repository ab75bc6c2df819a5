// SIGTERM, SIGINT and SIGHUP as a Qt signal.
#pragma once

#include <QObject>

namespace xlab::app {

/// One for each program. The handler only writes a byte to a pipe; Qt reads it in its own time.
class UnixSignals : public QObject {
  Q_OBJECT

 public:
  explicit UnixSignals(QObject* parent = nullptr);

 signals:
  void quit_wanted();
};

}  // namespace xlab::app
