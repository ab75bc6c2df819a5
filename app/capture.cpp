// Drives the window by the same commands as a hand does, and waits by running Qt's events.
#include "app/capture.hpp"

#include <QCoreApplication>
#include <QDir>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QLocale>
#include <QTimer>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include "app/banner.hpp"
#include "app/facts.hpp"
#include "app/files.hpp"
#include "app/first_run.hpp"
#include "app/main_window.hpp"

namespace xlab::app {
namespace {

constexpr int kOpenMs = 60000;
constexpr int kSettleMs = 3000;
constexpr int kTrainMs = 6000;
/// The code of wrong arguments.
constexpr int kWrongSize = 2;

/// Runs events until `done`; false when that takes longer than `ms`.
bool wait_until(const std::function<bool()>& done, int ms) {
  QElapsedTimer clock;
  clock.start();
  while (!done()) {
    if (clock.elapsed() > ms) return false;
    QEventLoop loop;
    QTimer::singleShot(5, &loop, &QEventLoop::quit);
    loop.exec();
  }
  return true;
}

void wait(int ms) {
  wait_until([] { return false; }, ms);
}

/// Everything sent has taken effect and is drawn.
void settle(MainWindow& window) {
  window.stage().engine().flush();
  wait(60);
  wait_until([&] { return window.at_rest(); }, kSettleMs);
}

int refuse(const QString& sentence) {
  std::fprintf(stderr, "xlstm-lab: %s\n", qPrintable(sentence));
  return 1;
}

struct NamedChoice {
  int token = -1;
  QString label = "–";
  double probability = 0.0;
};

QString label_of(const Snapshot& snapshot, int token) {
  const auto index = static_cast<std::size_t>(token);
  if (!snapshot.model || token < 0 || index >= snapshot.model->vocabulary.size()) return "–";
  return QString::fromStdString(snapshot.model->vocabulary[index]);
}

NamedChoice top_choice(const Snapshot& snapshot) {
  NamedChoice choice;
  if (!snapshot.next || snapshot.next->probabilities.empty()) return choice;
  const auto& p = snapshot.next->probabilities;
  const auto best = std::max_element(p.begin(), p.end());
  choice.token = static_cast<int>(best - p.begin());
  choice.probability = static_cast<double>(*best);
  choice.label = label_of(snapshot, choice.token);
  return choice;
}

double probability_of(const Snapshot& snapshot, int token) {
  const auto index = static_cast<std::size_t>(token);
  if (!snapshot.next || token < 0 || index >= snapshot.next->probabilities.size()) return 0.0;
  return static_cast<double>(snapshot.next->probabilities[index]);
}

/// A walk through the program; every stop leaves pictures and lines of the report.
class Tour {
 public:
  Tour(MainWindow& window, const QString& folder) : window_(window), folder_(folder) {}

  int run() {
    if (!QDir().mkpath(folder_)) return refuse("Cannot make the folder " + folder_ + ".");
    say("# A tour of xLSTM Lab\n");
    first_scene();
    forget_by_hand();
    train();
    generate();
    const std::string problem =
        save_text(QDir(folder_).filePath("report.md"), report_.toStdString());
    if (!problem.empty()) problem_ = QString::fromStdString(problem);
    return problem_.isEmpty() ? 0 : refuse(problem_);
  }

 private:
  const Snapshot& now() const { return window_.stage().snapshot(); }
  void say(const QString& line) { report_ += line + "\n"; }

  void stop(const QString& name) {
    settle(window_);
    ++number_;
    const QString prefix = QString("%1-%2").arg(number_, 2, 10, QChar('0')).arg(name);
    keep(prefix + "-window.png", window_.grab().toImage());
    for (ViewDock* dock : window_.views()) {
      keep(prefix + "-" + dock->view_name() + ".png",
           dock->picture({900, 560}, window_.stage().look()));
    }
    say(QString("Pictures: `%1-*.png`\n").arg(prefix));
  }

  void keep(const QString& name, const QImage& picture) {
    const std::string problem = save_picture(QDir(folder_).filePath(name), picture);
    if (!problem.empty()) problem_ = QString::fromStdString(problem);
  }

  void first_scene() {
    window_.begin();
    if (!wait_until([&] { return window_.first_run().finished(); }, kOpenMs)) {
      window_.first_run().skip();
      wait_until([&] { return window_.first_run().finished(); }, kSettleMs);
    }
    settle(window_);
    const Snapshot& s = now();
    say(QString("Device: %1\n").arg(QString::fromStdString(s.device.name)));
    if (s.model && s.data) {
      say(QString("Model: %1, %2 parameters. Task: %3.\n")
              .arg(QString::fromStdString(s.model->name), grouped(s.model->parameters),
                   QString::fromStdString(s.data->title)));
    }
    say("## 1. The first scene\n");
    QStringList tokens;
    for (const int token : s.sequence.tokens) tokens << label_of(s, token);
    before_ = top_choice(s);
    say(QString("Played to token %1 of %2: `%3`\n")
            .arg(s.sequence.cursor + 1)
            .arg(tokens.size())
            .arg(tokens.join(' ')));
    const auto to_come = static_cast<std::size_t>(std::max(0, s.sequence.cursor + 1));
    if (to_come < s.sequence.expected.size() && s.sequence.expected[to_come] >= 0) {
      say(QString("Right answer: `%1`.\n").arg(label_of(s, s.sequence.expected[to_come])));
    }
    say(QString("Top choice for the next token: `%1` with probability %2.\n")
            .arg(before_.label, three_digits(before_.probability)));
    stop("first-scene");
  }

  void forget_by_hand() {
    say("## 2. Forgetting by hand\n");
    const Snapshot& s = now();
    if (!s.model) return;
    const auto block = std::find_if(s.model->blocks.begin(), s.model->blocks.end(),
                                    [](const BlockCard& b) { return b.has_matrix; });
    if (block == s.model->blocks.end()) {
      say("The model has no mLSTM block.\n");
      return;
    }
    const std::string path = block->prefix + "/forget_gate_pre";
    const int heads = block->heads, cursor = s.sequence.cursor;
    const int first = window_.stage().focus().head;
    drag(path, first, cursor);
    tell_choice(QString("Head %1 alone").arg(first));
    stop("one-head-forgets");
    if (heads > 1) {
      for (int head = 0; head < heads; ++head) {
        if (head != first) drag(path, head, cursor);
      }
      tell_choice("All heads");
      stop("all-heads-forget");
    }
    window_.stage().send(command::ClearClamps{});
    settle(window_);
    tell_choice("Let go again");
  }

  /// Pulls the forget gate of a head down at a step, as a mouse would.
  void drag(const std::string& path, int head, int step) {
    constexpr int kMoves = 8;
    constexpr float kLowest = -10.0f;
    const Recorded* recorded = now().trace ? now().trace->find(step, path) : nullptr;
    const float start = recorded ? recorded->at(head, 0) : 0.0f;
    for (int i = 1; i <= kMoves; ++i) {
      const float value = start + (kLowest - start) * static_cast<float>(i) / kMoves;
      window_.stage().send(command::SetClamp{
          Clamp{.path = path, .head = head, .begin = step, .end = step + 1, .value = value}});
      wait(20);
    }
    settle(window_);
  }

  void tell_choice(const QString& what) {
    const NamedChoice choice = top_choice(now());
    say(QString("%1: top choice `%2` with probability %3; `%4`, chosen before, has %5 (it had %6); "
                "KL from the unclamped world %7 nats.\n")
            .arg(what, choice.label, three_digits(choice.probability), before_.label,
                 three_digits(probability_of(now(), before_.token)),
                 three_digits(before_.probability),
                 three_digits(now().next ? now().next->kl_nats : 0.0)));
  }

  void train() {
    say("## 3. Training\n");
    window_.set_room(Room::train);
    settle(window_);
    const std::int64_t first = now().train.step;
    const double loss = now().train.smoothed_loss;
    std::vector<double> frames;
    QObject listener;
    for (ViewDock* dock : window_.views()) {
      QObject::connect(&dock->canvas(), &Canvas::drawn, &listener,
                       [&frames, dock] { frames.push_back(dock->canvas().frame_ms()); });
    }
    QElapsedTimer clock;
    clock.start();
    window_.stage().send(command::Train{});
    wait(kTrainMs);
    window_.stage().send(command::Pause{});
    window_.stage().engine().flush();
    const double seconds = static_cast<double>(clock.elapsed()) / 1000.0;
    const auto steps = now().train.step - first;
    say(QString("%1 steps in %2 s: %3 steps/s, %4 tokens/s.\n")
            .arg(grouped(steps), QLocale::c().toString(seconds, 'f', 2),
                 three_digits(static_cast<double>(steps) / seconds),
                 grouped(std::llround(now().train.tokens_per_second))));
    say(QString("Mean loss %1 nats per token before, %2 after; accuracy of the last batch %3 %.\n")
            .arg(first > 0 ? three_digits(loss) : QString("–"),
                 three_digits(now().train.smoothed_loss),
                 QLocale::c().toString(100.0 * now().train.accuracy, 'f', 1)));
    if (!frames.empty()) {
      std::sort(frames.begin(), frames.end());
      const auto at = [&](double share) {
        return three_digits(
            frames[static_cast<std::size_t>(share * static_cast<double>(frames.size() - 1))]);
      };
      say(QString("%1 frames of single views drawn meanwhile: median %2 ms, 95 % %3 ms, slowest "
                  "%4 ms.\n")
              .arg(grouped(static_cast<long long>(frames.size())), at(0.5), at(0.95), at(1.0)));
    }
    stop("after-training");
  }

  void generate() {
    say("## 4. Generating\n");
    window_.set_room(Room::generate);
    const auto length = now().sequence.tokens.size();
    window_.stage().send(command::SetCursor{static_cast<int>(length) - 1});
    for (int i = 0; i < 4; ++i) window_.stage().send(command::StepForward{});
    settle(window_);
    QStringList made;
    for (std::size_t i = length; i < now().sequence.tokens.size(); ++i) {
      made << label_of(now(), now().sequence.tokens[i]);
    }
    say(QString("Generated: `%1`.\n").arg(made.join(' ')));
    stop("generated");
  }

  MainWindow& window_;
  QString folder_, report_, problem_;
  NamedChoice before_;
  int number_ = 0;
};

}  // namespace

int take_picture(MainWindow& window, const Picture& picture) {
  EngineLink& engine = window.stage().engine();
  if (picture.file.isEmpty()) {
    window.begin();
    const bool opened = wait_until(
        [&] {
          window.first_run().skip();
          return window.first_run().finished();
        },
        kOpenMs);
    if (!opened) return refuse("The first scene did not come to its end.");
  } else {
    const std::uint64_t run = engine.snapshot()->run_id;
    const std::uint64_t failure = engine.snapshot()->failure.id;
    if (picture.series.isEmpty()) {
      window.open(picture.file);
    } else {
      window.open_series(picture.file, picture.series, picture.column);
    }
    const bool answered = wait_until(
        [&] {
          return engine.snapshot()->run_id != run || engine.snapshot()->failure.id != failure;
        },
        kOpenMs);
    if (!answered) return refuse("Opening " + picture.file + " takes too long.");
    // After a failure the window may already show another run: the failure decides.
    if (engine.snapshot()->failure.id != failure)
      return refuse(QString::fromStdString(engine.snapshot()->failure.what));
  }
  settle(window);
  ViewDock* view = window.view(picture.view);
  if (view) wait_until([&] { return view->ask_once(); }, kOpenMs);
  // A picture has the size that was asked for, or there is none.
  if (!view && picture.size.isValid() && window.size() != picture.size) {
    refuse(
        QString("--size: the window cannot be smaller than %1x%2 with text of this size; ask for "
                "more, or for one --view.")
            .arg(window.width())
            .arg(window.height()));
    return kWrongSize;
  }
  if (view && picture.path.endsWith(".svg", Qt::CaseInsensitive)) {
    const std::string wrong =
        save_text(picture.path, view->svg(picture.size, window.stage().look()));
    return wrong.empty() ? 0 : refuse(QString::fromStdString(wrong));
  }
  const QImage image =
      view ? view->picture(picture.size, window.stage().look()) : window.grab().toImage();
  const std::string problem = save_picture(picture.path, image);
  return problem.empty() ? 0 : refuse(QString::fromStdString(problem));
}

int take_tour(MainWindow& window, const QString& folder) {
  return Tour(window, folder).run();
}

}  // namespace xlab::app
