// Writes files on threads that nobody waits for while the window is open.
#include "app/beside_writer.hpp"

#include <QMetaObject>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace xlab::app {
namespace {

/// How long the end of the program waits for what is being written, and then for it to be given up.
constexpr std::chrono::milliseconds kLongestWait{1500}, kGivingUp{200};

}  // namespace

/// What a thread that writes may still speak to.
struct BesideWriter::Writing {
  std::mutex mutex;
  std::condition_variable done;
  int files = 0;                   // guarded by mutex
  BesideWriter* writer = nullptr;  // until it goes; guarded by mutex
  std::atomic<bool> stop = false;
};

BesideWriter::BesideWriter(QObject* parent)
    : QObject(parent), writing_(std::make_shared<Writing>()) {
  writing_->writer = this;
}

BesideWriter::~BesideWriter() {
  std::unique_lock lock(writing_->mutex);
  writing_->writer = nullptr;
  const auto over = [this] { return writing_->files == 0; };
  if (writing_->done.wait_for(lock, kLongestWait, over)) return;
  writing_->stop = true;
  writing_->done.wait_for(lock, kGivingUp, over);
}

void BesideWriter::begin(std::function<std::function<void()>()> work) {
  {
    const std::lock_guard lock(writing_->mutex);
    ++writing_->files;
  }
  std::thread([writing = writing_, work = std::move(work)]() mutable {
    std::function<void()> tell = work();
    // What it was made of goes before anybody hears of it.
    work = {};
    const std::lock_guard lock(writing->mutex);
    --writing->files;
    writing->done.notify_all();
    if (tell && writing->writer)
      QMetaObject::invokeMethod(writing->writer, std::move(tell), Qt::QueuedConnection);
  }).detach();
}

void BesideWriter::write(const QString& path, Write write) {
  emit begun(tr("Writing %1…").arg(path));
  begin([this, path, write = std::move(write), writing = writing_]() -> std::function<void()> {
    QString note, problem;
    try {
      problem = QString::fromStdString(write(note, writing->stop));
    } catch (const std::exception& e) {
      problem = QString::fromStdString(e.what());
    }
    return [this, path, note, problem] {
      if (!problem.isEmpty()) {
        emit failed(problem);
      } else {
        emit noticed(note.isEmpty() ? tr("Wrote %1").arg(path)
                                    : tr("Wrote %1. %2").arg(path, note));
      }
    };
  });
}

void BesideWriter::write_unseen(std::function<void()> work) {
  begin([work = std::move(work)]() -> std::function<void()> {
    work();
    return {};
  });
}

}  // namespace xlab::app
