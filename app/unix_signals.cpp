// The self-pipe: nothing but write(2) is allowed in a handler.
#include "app/unix_signals.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <QSocketNotifier>
#include <array>
#include <cerrno>
#include <csignal>

namespace xlab::app {
namespace {

std::array<int, 2> g_pipe = {-1, -1};

void wake(int) {
  const int before = errno;
  const char byte = 1;
  // A full pipe means that the wish is known already.
  [[maybe_unused]] const auto written = write(g_pipe[1], &byte, 1);
  errno = before;
}

}  // namespace

UnixSignals::UnixSignals(QObject* parent) : QObject(parent) {
  if (pipe2(g_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
  auto* notifier = new QSocketNotifier(g_pipe[0], QSocketNotifier::Read, this);
  connect(notifier, &QSocketNotifier::activated, this, [this] {
    char bytes[16];
    while (read(g_pipe[0], bytes, sizeof bytes) > 0) {
    }
    emit quit_wanted();
  });
  struct sigaction action {};
  action.sa_handler = wake;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaction(number, &action, nullptr);
}

}  // namespace xlab::app
