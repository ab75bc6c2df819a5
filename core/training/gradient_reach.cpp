// How far back a gradient reaches: a pass forward and back for the loss, and one for each number
// that a head puts out.
#include "core/training/gradient_reach.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/available_memory.hpp"
#include "core/cells/kind.hpp"
#include "core/scan_watch.hpp"
#include "core/training/memory_gradient.hpp"

namespace xlab {
namespace {

/// Numbers of h_T whose gradients are taken at most.
constexpr int kMostOutputs = 128;
/// What passes side by side may take, and what all of it may of the memory that is free.
constexpr double kSideBySideBytes = 256e6, kShareOfFreeMemory = 0.5;

/// What a pass forward and back leaves of one token, values and gradients, in bytes.
double bytes_per_token(const Model& model, int block) {
  return 2.0 * kind_of(model.spec(), block).numbers_per_token(model.spec()) *
         static_cast<double>(size_of(model.params().dtype()));
}

void check_memory(const Model& model, std::size_t tokens) {
  double bytes = 4.0 * model.spec().vocab_size * static_cast<double>(sizeof(double));
  for (int b = 0; b < model.spec().num_blocks; ++b) bytes += bytes_per_token(model, b);
  bytes *= static_cast<double>(tokens);
  const double most = kShareOfFreeMemory * static_cast<double>(available_memory());
  check(
      bytes <= most,
      "The gradient of {} tokens would take about {:.1f} GB, and there is room for {:.1f} GB. Put "
      "the cursor on an earlier token, or take a shorter sequence.",
      tokens, bytes / 1e9, most / 1e9);
}

/// -log p of the target, which is chosen where there is none. Returns its gradient by the logits.
Tensor take_loss(const Tensor& logits, ReachReport& report) {
  const Tensor wide = logits.to(DType::f64);
  const auto V = static_cast<std::size_t>(wide.extent(2));
  const std::span<const double> row = wide.span<double>().last(V);
  const auto first = std::max_element(row.begin(), row.end());
  if (report.target < 0) report.target = static_cast<int>(std::distance(row.begin(), first));
  double total = 0.0;
  for (const double logit : row) total += std::exp(logit - *first);
  const auto target = static_cast<std::size_t>(report.target);
  report.loss = std::log(total) + *first - row[target];
  const Tensor gradient = Tensor::zeros(wide.shape(), DType::f64);
  const std::span<double> last = gradient.span<double>().last(V);
  for (std::size_t j = 0; j < V; ++j)
    last[j] = std::exp(row[j] - *first) / total - (j == target ? 1.0 : 0.0);
  return gradient.to(logits.dtype());
}

/// Logs of the squares of d h_T / d x_t, summed over what was asked for so far, (T).
class InputSizes {
 public:
  explicit InputSizes(std::size_t steps) : of_each_(steps) {}
  void add(const Tensor& gradient) {
    const Tensor wide = gradient.to(DType::f64);
    const auto T = static_cast<std::size_t>(wide.extent(1)),
               D = static_cast<std::size_t>(wide.extent(2));
    const std::span<const double> numbers = wide.span<double>();
    for (std::size_t row = 0; row * D < numbers.size(); ++row)
      of_each_[row % T].push_back(log_length(numbers.subspan(row * D, D)));
  }
  std::vector<double> log_sizes() const {
    std::vector<double> sizes;
    sizes.reserve(of_each_.size());
    for (const std::vector<double>& logs : of_each_) sizes.push_back(log_length_of_lengths(logs));
    return sizes;
  }

 private:
  std::vector<std::vector<double>> of_each_;
};

/// d h_T / d x_t of the head: the block once more on copies of what it read, each with the gradient
/// of another number of h_T.
void take_inputs(const Model& model, const Tensor& input, ReachReport& report,
                 const std::string& prefix, int dim, const std::atomic<bool>* cancel) {
  const std::int64_t T = input.extent(1), D = input.extent(2);
  report.all_outputs = dim;
  report.outputs = std::min(dim, kMostOutputs);
  const double each = bytes_per_token(model, report.block) * static_cast<double>(T);
  const int at_once =
      std::clamp(static_cast<int>(std::min(kSideBySideBytes / each, 1e6)), 1, report.outputs);
  InputSizes sizes(static_cast<std::size_t>(T));
  for (int first = 0; first < report.outputs; first += at_once) {
    const int copies = std::min(at_once, report.outputs - first);
    ScanWatch watch{
        .prefix = prefix, .input = {}, .h = {}, .mlstm = {}, .slstm = {}, .dh = {}, .dpre = {}};
    const Observer observer{.clamps = report.clamps, .scan = &watch};
    Tape tape(Tape::Mode::gradient, &observer, cancel);
    Tensor several = Tensor::empty({copies, T, D}, input.dtype());
    for (int c = 0; c < copies; ++c) several.slice(c, c + 1).copy_from(input);
    const Var x = tape.constant(several);
    model.cell_of(tape, report.block, x);
    const Tensor& h = tape.value(watch.h);
    const Tensor wanted = Tensor::zeros(h.shape(), DType::f64);
    const std::int64_t width = wanted.extent(2), row = width * T;
    for (int c = 0; c < copies; ++c)
      wanted.data<double>()[(c + 1) * row - width + report.head * dim + first + c] = 1.0;
    tape.backward(watch.h, wanted.to(h.dtype()));
    sizes.add(tape.grad(x));
  }
  report.input = sizes.log_sizes();
}

}  // namespace

std::unique_ptr<Model> copy_for_gradients(const Model& model) {
  const Params& params = model.params();
  check(params.trainable(),
        "This model is only read, so it has no gradients: they are there for models that can be "
        "trained.");
  check(params.elements() <= kMostForGradients,
        "This model has {:.0f} million parameters: it is too large to be copied beside itself. Up "
        "to {} million are.",
        static_cast<double>(params.elements()) / 1e6, kMostForGradients / 1'000'000);
  const DType dtype = params.elements() <= kMostInDouble ? DType::f64 : params.dtype();
  auto copy = std::make_unique<Model>(model.spec(), dtype);
  std::set<std::string> kinds;
  for (const BlockCard& card : model.cards()) {
    CellVariant variant = card.variant;
    check(
        variant.number_format != NumberFormat::bf16 && variant.number_format != NumberFormat::fp16,
        "The {} blocks compute in {}, and rounding to it has no gradient. Set their number format "
        "to that of the model.",
        card.title, name_of(variant.number_format));
    variant.number_format = NumberFormat::native;
    if (kinds.insert(card.kind).second) copy->set_variant(card.kind, variant);
  }
  copy->params().values().copy_from(params.values().to(Device::cpu()).to(dtype));
  return copy;
}

void compute_reach(const Model& model, ReachReport& report, const std::atomic<bool>* cancel) {
  const std::vector<BlockCard> cards = model.cards();
  check(!report.tokens.empty(), "There are no tokens to go back along.");
  check(report.block >= 0 && report.block < static_cast<int>(cards.size()),
        "The model has no block {}.", report.block);
  const BlockCard& card = cards[static_cast<std::size_t>(report.block)];
  check(report.head >= 0 && report.head < card.heads, "Block {} has no head {}.", report.block,
        report.head);
  check(report.target < model.spec().vocab_size, "The model has no token {}.", report.target);
  check_memory(model, report.tokens.size());

  const auto T = static_cast<std::int64_t>(report.tokens.size());
  report.step = static_cast<int>(T) - 1;
  report.heads = card.heads;
  report.computed_in = model.params().dtype() == DType::f64 ? "float64" : "float32";
  Tensor input;
  {
    ScanWatch watch{.prefix = card.prefix,
                    .input = {},
                    .h = {},
                    .mlstm = {},
                    .slstm = {},
                    .dh = {},
                    .dpre = {}};
    const Observer observer{.clamps = report.clamps, .scan = &watch};
    Tape tape(Tape::Mode::gradient, &observer, cancel);
    const std::vector<std::int32_t> ids(report.tokens.begin(), report.tokens.end());
    State after;
    const Var logits = model.forward(tape, Tensor::from<std::int32_t>({1, T}, ids), State{}, after);
    tape.backward(logits, take_loss(tape.value(logits), report));
    MemoryGradient found = memory_gradient(watch, card.heads, cancel);
    report.memory = std::move(found.memory);
    report.alone = std::move(found.alone);
    report.output = std::move(found.output);
    report.state = watch.mlstm ? "C, n" : watch.slstm->squashed ? "c" : "c, n";
    input = tape.value(watch.input).clone();
  }
  take_inputs(model, input, report, card.prefix, card.value_dim, cancel);
}

}  // namespace xlab
