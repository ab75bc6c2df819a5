// Coalesces the engine's wake-ups and reports what is new in its snapshots.
#include "app/engine_link.hpp"

#include <QMetaObject>
#include <utility>

namespace xlab::app {

EngineLink::EngineLink(int interval_ms, const std::string& device, const Keeping& keeping,
                       QObject* parent)
    : QObject(parent), interval_ms_(interval_ms) {
  later_.setSingleShot(true);
  later_.setTimerType(Qt::PreciseTimer);
  connect(&later_, &QTimer::timeout, this, &EngineLink::take_over);
  since_last_.start();
  const auto on_publish = [this] {
    if (posted_.exchange(true)) return;
    QMetaObject::invokeMethod(
        this,
        [this] {
          posted_ = false;
          const auto left = interval_ms_ - since_last_.elapsed();
          if (left <= 0 || asked_) {
            take_over();
          } else if (!later_.isActive()) {
            later_.start(static_cast<int>(left));
          }
        },
        Qt::QueuedConnection);
  };
  engine_ = std::make_unique<Engine>(on_publish, device, keeping);
  snapshot_ = engine_->snapshot();
}

EngineLink::~EngineLink() {
  engine_.reset();
}

void EngineLink::send(Command command) {
  asked_ = true;
  emit sent(command);
  engine_->send(std::move(command));
}

void EngineLink::flush() {
  engine_->flush();
  take_over();
}

void EngineLink::take_over() {
  since_last_.restart();
  asked_ = false;
  const std::shared_ptr<const Snapshot> before = std::exchange(snapshot_, engine_->snapshot());
  const Snapshot& now = *snapshot_;
  if (now.id == before->id) return;
  emit changed();
  if (now.run_id != before->run_id) emit run_changed();
  if (now.failure.id != before->failure.id && now.failure.id != 0) {
    emit failed(QString::fromStdString(now.failure.what));
  }
  if (now.notice_id != before->notice_id) emit noticed(QString::fromStdString(now.notice));
}

}  // namespace xlab::app
