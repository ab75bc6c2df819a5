// The self-check beside everything else.
#include "core/selfcheck/background_check.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstring>
#include <exception>
#include <set>
#include <string>
#include <utility>

#include "core/files/hf_folder.hpp"
#include "core/selfcheck/rounding_cost.hpp"
#include "core/selfcheck/selfcheck.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"
#include "kernels/random.hpp"

namespace xlab {
namespace {

/// Numbers of a model that may be copied for a check without being asked.
constexpr std::int64_t kMostParameters = 50'000'000;
/// Tokens of the sequence that are read.
constexpr std::size_t kMostChecked = 64;

std::vector<int> drawn_tokens(const ModelSpec& spec) {
  Random random(1, 0x7e97);
  std::vector<int> tokens(kMostChecked);
  for (int& token : tokens)
    token = static_cast<int>(random.below(static_cast<std::uint64_t>(spec.vocab_size)));
  return tokens;
}

std::vector<Tensor> values_of(const Params& params) {
  std::vector<Tensor> values;
  for (std::size_t p = 0; p < params.infos().size(); ++p)
    values.push_back(params[static_cast<int>(p)].value);
  return values;
}

/// The model as its folder holds it, with the equations of the one on screen.
std::unique_ptr<Model> model_read_again(const FolderOrigin& origin, const std::string& spec,
                                        const std::vector<BlockCard>& cards, Reading& reading) {
  // What is to be rounded is read as it is stored.
  const FolderUse use = name_of_blocks(origin.use).empty() ? origin.use : FolderUse::read;
  std::unique_ptr<Model> model = ModelFolder(origin.folder, &reading).read(use);
  std::set<std::string> kinds;
  for (const BlockCard& card : model->cards()) kinds.insert(card.kind);
  for (const BlockCard& card : cards)
    if (kinds.contains(card.kind)) model->set_variant(card.kind, card.variant);
  check(to_json(model->spec()) == spec,
        "'{}' holds another model than it did when this one was opened.",
        printable(origin.folder.string(), 512));
  return model;
}

/// Weights that were read twice. What is on screen is what was checked only where they agree.
Check same_weights(const Params& again, const std::vector<Tensor>& as_opened,
                   const std::atomic<bool>& cancel) {
  std::string differs;
  for (std::size_t p = 0; p < as_opened.size() && differs.empty(); ++p) {
    if (cancel) throw Cancelled();
    const Tensor a = again[static_cast<int>(p)].value.to(Device::cpu()),
                 b = as_opened[p].to(Device::cpu());
    if (a.dtype() != b.dtype() || a.bytes() != b.bytes() ||
        std::memcmp(a.raw(), b.raw(), a.bytes()) != 0)
      differs = again.infos()[p].name;
  }
  const bool same = differs.empty();
  return {.name = "Read again = as opened",
          .largest = same ? 0.0 : 1.0,
          .passed = same,
          .sentence = same ? "Weights, read once more from their folder: every bit is the same."
                           : fmt::format("Weights, read once more from their folder, which was "
                                         "changed: {} is another one.",
                                         printable(differs, 120))};
}

}  // namespace

void BackgroundCheck::publish(const HealthReport& report) {
  {
    const std::lock_guard lock(mutex_);
    report_ = std::make_shared<const HealthReport>(report);
  }
  if (news_) news_();
}

std::shared_ptr<const HealthReport> BackgroundCheck::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void BackgroundCheck::stop() {
  cancel_ = reading_.cancelled = true;
  if (thread_.joinable()) thread_.join();
  cancel_ = reading_.cancelled = false;
}

void BackgroundCheck::look(Model& model, HealthReport& report, std::vector<int> tokens,
                           FolderUse use, const std::vector<Tensor>& as_opened) {
  report.tokens_drawn = tokens.empty();
  if (tokens.empty()) tokens = drawn_tokens(model.spec());
  report.rounded_to = name_of_blocks(use);
  if (!report.rounded_to.empty()) {
    report.rounding_tokens = static_cast<int>(tokens.size());
    publish(report);
    const auto done = [&](const RoundingCost& cost) {
      report.rounding.push_back(cost);
      publish(report);
    };
    round_and_compare(model, use, tokens, done, &cancel_);
  }
  const auto done = [&](const Check& row) {
    report.checks.push_back(row);
    publish(report);
  };
  if (!as_opened.empty()) done(same_weights(model.params(), as_opened, cancel_));
  selfcheck(model, {.tokens = tokens, .done = done, .cancel = &cancel_});
}

void BackgroundCheck::start(const Model& model, std::int64_t step, std::vector<int> tokens,
                            const std::optional<FolderOrigin>& origin) {
  stop();
  HealthReport report;
  report.step = step;
  const Params& params = model.params();
  const bool copied = params.trainable() && params.elements() <= kMostParameters;
  if (!copied && (params.trainable() || !origin)) {
    report.failure =
        "This model is too large to be copied beside itself. On the command line, xlstm selfcheck "
        "checks it.";
    publish(report);
    return;
  }
  report.running = true;
  publish(report);
  std::shared_ptr<Model> copy;
  std::vector<Tensor> as_opened;
  if (copied) {
    copy = std::make_shared<Model>(model.spec(), params.dtype());
    copy->params().values().copy_from(params.values());
  } else {
    as_opened = values_of(params);
  }
  if (tokens.size() > kMostChecked) tokens.resize(kMostChecked);
  thread_ = std::thread([this, copy, report, as_opened, origin, spec = to_json(model.spec()),
                         cards = model.cards(), device = model.device(),
                         tokens = std::move(tokens)]() mutable {
    try {
      if (!copy) copy = model_read_again(*origin, spec, cards, reading_);
      copy->move_to(device);
      look(*copy, report, std::move(tokens), origin ? origin->use : FolderUse::train, as_opened);
    } catch (const Cancelled&) {
      return;
    } catch (const ReadingCancelled&) {
      return;
    } catch (const std::exception& e) {
      report.failure = e.what();
    }
    report.running = false;
    publish(report);
  });
}

}  // namespace xlab
