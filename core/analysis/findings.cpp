// One measurement after the other, piece by piece, and what ablations come to in words.
#include "core/analysis/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/analysis/measurement.hpp"
#include "core/short_number.hpp"

namespace xlab {

struct FindingsInPieces::Work {
  Seen seen;
  std::vector<std::unique_ptr<Measurement>> measurements;
  std::size_t at = 0;  // of them
  int piece = 0;       // the next one there
  double done = 0.0, all = 0.0;
  std::vector<Finding> found;
};

FindingsInPieces::FindingsInPieces(std::shared_ptr<const ModelCard> model,
                                   std::shared_ptr<const Trace> trace, std::vector<int> tokens,
                                   int asked)
    : work_(std::make_unique<Work>()) {
  if (!model || !trace || trace->length() == 0 || tokens.size() < trace->steps.size()) return;
  work_->seen = {std::move(model), std::move(trace), std::move(tokens)};
  const Seen& seen = work_->seen;
  const auto add = [this](std::unique_ptr<Measurement> measurement) {
    if (!measurement) return;
    work_->all += measurement->work() * measurement->pieces();
    work_->measurements.push_back(std::move(measurement));
  };
  for (int b = 0; b < static_cast<int>(seen.model->blocks.size()); ++b) {
    add(measured_half_lives(seen, b));
    add(measured_input_gates(seen, b));
    add(measured_floors(seen, b));
    add(measured_shut_units(seen, b));
    add(measured_fills(seen, b));
  }
  add(measured_answer(seen, asked >= 0 && asked < seen.length() ? asked : seen.length() - 1));
}

FindingsInPieces::~FindingsInPieces() = default;
FindingsInPieces::FindingsInPieces(FindingsInPieces&&) noexcept = default;
FindingsInPieces& FindingsInPieces::operator=(FindingsInPieces&&) noexcept = default;

bool FindingsInPieces::go_on(double work) {
  Work& now = *work_;
  double left = work;
  while (now.at < now.measurements.size() && left > 0.0) {
    Measurement& measurement = *now.measurements[now.at];
    const int pieces = measurement.pieces();
    bool told = true;
    if (now.piece < pieces) told = measurement.take(now.piece++);
    now.done += measurement.work();
    left -= measurement.work();
    if (told && now.piece < pieces) continue;
    if (told) measurement.tell(now.found);
    now.done += measurement.work() * (pieces - now.piece);
    ++now.at;
    now.piece = 0;
  }
  return complete();
}

bool FindingsInPieces::complete() const {
  return work_->at == work_->measurements.size();
}

double FindingsInPieces::share() const {
  return complete() ? 1.0 : std::min(work_->done / std::max(work_->all, 1.0), 1.0);
}

const std::vector<Finding>& FindingsInPieces::found() const {
  return work_->found;
}

std::vector<Finding> findings(const ModelCard& model, const std::shared_ptr<const Trace>& trace,
                              const std::vector<int>& tokens, int asked) {
  // The card lives longer than what looks at it.
  const std::shared_ptr<const ModelCard> card(std::shared_ptr<void>(), &model);
  FindingsInPieces all(card, trace, tokens, asked);
  all.go_on(std::numeric_limits<double>::infinity());
  return all.found();
}

int last_asked(const SequenceStatus& sequence) {
  const int last = static_cast<int>(std::min(sequence.expected.size(), sequence.tokens.size() + 1));
  for (int t = last - 1; t > 0; --t)
    if (sequence.expected[static_cast<std::size_t>(t)] >= 0) return t - 1;
  return -1;
}

Finding finding_of(const ModelCard& model, const Ablation& ablation, double loss) {
  const BlockCard& block = model.blocks[static_cast<std::size_t>(ablation.block)];
  const std::string what =
      ablation.head < 0
          ? fmt::format("all heads of block {} ({})", ablation.block, block.title)
          : fmt::format("head {} of block {} ({})", ablation.head, ablation.block, block.title);
  const double costs = ablation.loss - loss;
  Finding finding{.about = "ablation", .block = ablation.block};
  finding.numbers = {{"loss", ablation.loss}, {"costs", costs}};
  finding.evidence = Evidence{block.path("output_gate_pre"), 0, std::max(ablation.head, 0), 0};
  if (std::isnan(costs)) {
    finding.sentence =
        fmt::format("Without {} the loss is {}; as it is, it is {}.", what,
                    std::isnan(ablation.loss) ? "no number" : short_number(ablation.loss),
                    std::isnan(loss) ? "no number" : short_number(loss));
  } else {
    finding.sentence = fmt::format("Without {} the loss is {} nats instead of {}: that {} {}.",
                                   what, short_number(ablation.loss), short_number(loss),
                                   costs < 0.0 ? "gains" : "costs", short_number(std::abs(costs)));
  }
  return finding;
}

}  // namespace xlab
