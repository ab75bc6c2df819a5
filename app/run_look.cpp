// How a run is named and marked wherever the window lists it.
#include "app/run_look.hpp"

#include <QCoreApplication>
#include <QPainter>
#include <QPixmap>
#include <QStringList>
#include <algorithm>
#include <cmath>

#include "app/facts.hpp"
#include "app/theme.hpp"

namespace xlab::app {
namespace {

constexpr double kSwatchWidth = 22.0, kSwatchHeight = 11.0;

struct RunWords {
  Q_DECLARE_TR_FUNCTIONS(xlab::app::Runs)
};

/// On, off, on, off, in widths of the line, as the drawings have it.
QList<qreal> pattern(ui::Dash dash) {
  switch (dash) {
    case ui::Dash::dashed:
      return {3.2, 1.8};
    case ui::Dash::dotted:
      return {1.0, 1.3};
    case ui::Dash::dash_dot:
      return {3.2, 1.4, 1.0, 1.4};
    case ui::Dash::solid:
      break;
  }
  return {};
}

}  // namespace

QSize swatch_size(const CanvasLook& look) {
  return {scaled(look, kSwatchWidth), scaled(look, kSwatchHeight)};
}

QIcon run_swatch(const CanvasLook& look, int colour) {
  constexpr int kSharp = 4;  // for dense screens
  const ui::RunStyle style = ui::run_style(ui::palette(look.palette), colour);
  QPixmap pixmap(swatch_size(look) * kSharp);
  pixmap.fill(Qt::transparent);
  QPainter painter(&pixmap);
  painter.setRenderHint(QPainter::Antialiasing);
  const ImU32 c = style.colour;
  QPen pen(QColor(static_cast<int>(c & 0xffu), static_cast<int>((c >> 8) & 0xffu),
                  static_cast<int>((c >> 16) & 0xffu)),
           pixmap.height() * 0.3, Qt::SolidLine, Qt::FlatCap);
  if (style.dash != ui::Dash::solid) pen.setDashPattern(pattern(style.dash));
  painter.setPen(pen);
  const double y = pixmap.height() * 0.5;
  painter.drawLine(QPointF(0, y), QPointF(pixmap.width(), y));
  painter.end();
  QIcon icon(pixmap);
  // Selected, it keeps its colour.
  icon.addPixmap(pixmap, QIcon::Selected);
  return icon;
}

QString state_word(TrainState state, bool can_train) {
  if (!can_train) return RunWords::tr("not possible");
  switch (state) {
    case TrainState::running:
      return RunWords::tr("training");
    case TrainState::finished:
      return RunWords::tr("finished");
    case TrainState::failed:
      return RunWords::tr("failed");
    case TrainState::idle:
      break;
  }
  return RunWords::tr("paused");
}

QString words_of(const RunCard& card) {
  const auto text = [](const std::string& words) { return QString::fromStdString(words); };
  QStringList lines = {
      text(card.name), RunWords::tr("Task: %1. Model: %2").arg(text(card.task), text(card.model)),
      RunWords::tr("Step %1, %2, seed %3")
          .arg(grouped(card.step), state_word(card.state, card.cannot_train.empty()),
               QString::number(card.seed))};
  if (card.losses && !card.losses->empty()) {
    lines.append(RunWords::tr("Smoothed loss %1, last loss %2 nats per token")
                     .arg(three_digits(card.smoothed_loss), three_digits(card.loss)));
  }
  if (card.state == TrainState::running && card.tokens_per_second > 0.0)
    lines.append(RunWords::tr("%1 tokens/s").arg(grouped(std::llround(card.tokens_per_second))));
  if (card.sequence != 0)
    lines.append(RunWords::tr("Reads one sequence together with other runs (⇉: that on screen)"));
  const QString file = card.path.empty() ? RunWords::tr("no file") : text(card.path);
  lines.append(card.unsaved ? RunWords::tr("Not saved (%1)").arg(file) : file);
  for (const std::string& sentence : {card.cannot_train, card.failure})
    if (!sentence.empty()) lines.append(text(sentence));
  return lines.join('\n');
}

const RunCard* focused(const Snapshot& snapshot) {
  for (const auto& run : snapshot.runs)
    if (run->id == snapshot.focused_run) return run.get();
  return nullptr;
}

int place_of(const Snapshot& snapshot) {
  const auto found = std::find_if(snapshot.runs.begin(), snapshot.runs.end(),
                                  [&](const auto& run) { return run->id == snapshot.focused_run; });
  return static_cast<int>(found - snapshot.runs.begin()) + 1;
}

bool all_train(const Snapshot& snapshot) {
  bool any = false;
  for (const auto& run : snapshot.runs) {
    const bool trains = run->state == TrainState::running;
    if (!trains && run->cannot_train.empty()) return false;
    any = any || trains;
  }
  return any;
}

}  // namespace xlab::app
