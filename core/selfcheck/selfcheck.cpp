// The comparisons a model is held against: every row is two ways to the same numbers.
#include "core/selfcheck/selfcheck.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/cells/cell.hpp"
#include "core/files/load_parameters.hpp"
#include "core/files/safetensors.hpp"
#include "core/known_token.hpp"
#include "core/selfcheck/difference.hpp"
#include "core/selfcheck/forms.hpp"
#include "core/selfcheck/temporary_folder.hpp"
#include "kernels/device/threads.hpp"
#include "kernels/mlstm/chunkwise.hpp"
#include "kernels/random.hpp"

namespace xlab {
namespace {

constexpr int kTokens = 48;
/// Weights beyond this are not written to a file for a check.
constexpr double kMostBytesWritten = 2e9;
/// Steps per chunk where a block would choose none: some chunks, the last one cut short.
constexpr std::int64_t kChunk = 20;

class Selfcheck {
 public:
  Selfcheck(const Model& model, const SelfcheckOptions& options)
      : model_(model), device_(model.device()), options_(options), tokens_(options.tokens) {
    const auto vocabulary = static_cast<std::uint64_t>(model.spec().vocab_size);
    Random random(options.seed, 0x5e1f);
    if (tokens_.empty()) {
      for (int t = 0; t < kTokens; ++t)
        tokens_.push_back(static_cast<int>(random.below(vocabulary)));
    }
    for (const int token : tokens_) check_token(model.spec(), token);
  }

  std::vector<Check> run() {
    logits_ = whole(model_.params());
    watched_ = token_by_token(true);
    forms();
    stabilizer();
    const Difference steps =
        difference("the logits", watched_, logits_, logits_, options_.damage, exponentials());
    report("Step by step = whole sequence", steps, 1e-4,
           fmt::format("Logits of {} tokens, fed one by one and all at once", tokens_.size()));
    carried_state();
    weights();
    if (device_ == Device::cpu()) {
      threads_agree();
    } else {
      repeats();
      host_agrees();
    }
    report("Watched = unwatched",
           difference("the logits", token_by_token(false), watched_, watched_, options_.damage),
           0.0, "Logits of every token, with and without recording every inner value");
    return std::move(checks_);
  }

 private:
  void report(const std::string& name, const Difference& found, double limit,
              const std::string& what) {
    Check row{.name = name, .largest = found.largest, .limit = limit, .sentence = what};
    const bool within = limit == 0.0 ? found.same_bits : found.largest <= limit && !found.torn;
    // Bits can be compared whatever they stand for.
    const bool comparable = limit == 0.0 || !within || !found.not_finite;
    row.passed = within && comparable;
    if (found.torn) row.largest = std::numeric_limits<double>::infinity();
    if (!comparable) row.largest = std::numeric_limits<double>::quiet_NaN();
    if (found.torn) {
      row.sentence +=
          fmt::format(": {} is finite by one way and not by the other.", found.where_not_finite);
    } else if (!comparable) {
      row.sentence += fmt::format(": {} holds what is no finite number.", found.where_not_finite);
    } else if (found.where.empty()) {
      row.sentence += !found.same_bits ? ": the same numbers."
                      : found.not_finite
                          ? ": every bit is the same, where it is no finite number as well."
                          : ": every bit is the same.";
    } else {
      row.sentence += fmt::format("; they differ most in {}.", found.where);
    }
    if (options_.done) options_.done(row);
    checks_.push_back(std::move(row));
  }

  Tensor ids(std::size_t begin, std::size_t end) const {
    return Tensor::from<std::int32_t>({1, static_cast<std::int64_t>(end - begin)},
                                      std::span(tokens_).subspan(begin, end - begin));
  }

  /// Logits (tokens, vocabulary) of tokens [begin, end) from a state, on the host.
  Tensor logits_of(const Params& params, std::size_t begin, std::size_t end, const State& before,
                   State& after, const Observer* observer = nullptr) const {
    Tape tape(Tape::Mode::inference, observer, options_.cancel);
    const Var logits = model_.forward(tape, params, ids(begin, end), before, after);
    if (observer) tape.read(logits);  // what was recorded comes along
    const Tensor out = tape.value(logits).to(Device::cpu());
    return out.reshape({out.extent(1), out.extent(2)});
  }

  Tensor whole(const Params& params) const {
    State after;
    return logits_of(params, 0, tokens_.size(), {}, after);
  }

  Tensor token_by_token(bool watch) {
    Tensor out = zeros_like(logits_);
    State state;
    if (watch) trace_.resize(tokens_.size());
    for (std::size_t t = 0; t < tokens_.size(); ++t) {
      const Observer observer{watch ? &trace_[t] : nullptr, {}, static_cast<int>(t)};
      State after;
      const Tensor row =
          logits_of(model_.params(), t, t + 1, state, after, watch ? &observer : nullptr);
      const auto at = static_cast<std::int64_t>(t);
      out.slice(at, at + 1).copy_from(row);
      state = std::move(after);
    }
    return out;
  }

  std::vector<BlockCard> blocks(Scan scan) const {
    std::vector<BlockCard> found;
    for (const BlockCard& card : model_.cards())
      if (card.scan == scan) found.push_back(card);
    return found;
  }

  /// Of the whole model: raw where any block has no stabilizer.
  Exponentials exponentials() const {
    for (const BlockCard& card : model_.cards())
      if (card.variant.has_raw_exponentials()) return Exponentials::raw;
    return Exponentials::safe;
  }

  /// The three forms where the keys are turned against the queries, so that <q, n> lies below -1 at
  /// every step. What is divided by is its size: with values that are all 1 every output is -1 but
  /// for eps, whatever the gates; a formula without the absolute value gives something else.
  Difference turned_against(const BlockCard& card, kernels::MlstmOptions cell, std::int64_t chunk,
                            Exponentials exponentials) const {
    cell.eps = 0.0;
    MlstmInputs in(trace_, card, DType::f32, device_);
    const auto around = [&](const Tensor& like, float centre, std::uint64_t stream) {
      const Tensor x = noise(like.shape(), DType::f32, stream).to(Device::cpu()).clone();
      for (float& value : x.span<float>()) value += centre;
      return x.to(device_);
    };
    const auto all = [&](const Tensor& like, float value) {
      const Tensor x = Tensor::empty(like.shape(), DType::f32);
      for (float& number : x.span<float>()) number = value;
      return x.to(device_);
    };
    in.q = around(in.q, 3.0f, 0xa);
    in.k = around(in.k, -3.0f, 0xb);
    in.v = all(in.v, 1.0f);
    in.i = all(in.i, 0.0f);
    in.f = around(in.f, -1.0f, 0xc);
    const Tensor wanted = all(in.v, -1.0f);
    Difference found;
    const auto compare = [&](const char* form, const Tensor& h) {
      found.take(difference(fmt::format("{}, {} form with <q, n> below -1", card.prefix, form), h,
                            wanted, wanted, options_.damage, exponentials));
    };
    compare("parallel", by_attention(cell, in, {}, {}).h);
    compare("recurrent", by_recurrence(cell, in, {}, 0).h);
    compare("chunkwise", by_recurrence(cell, in, {}, chunk).h);
    return found;
  }

  void forms() {
    const std::vector<BlockCard> cards = blocks(Scan::mlstm);
    if (cards.empty()) return;
    const auto T = static_cast<std::int64_t>(tokens_.size());
    Difference outputs, gradients;
    bool any_turned = false;
    for (const BlockCard& card : cards) {
      stop_if_cancelled();
      // Only the scan computes in other number formats.
      const Exponentials kind =
          card.variant.has_raw_exponentials() ? Exponentials::raw : Exponentials::safe;
      kernels::MlstmOptions cell = mlstm_options(card.variant);
      cell.format = kernels::NumberFormat::native;
      const std::int64_t own = kernels::mlstm_chunk_length(card.key_dim, card.value_dim, device_);
      const std::int64_t chunk = own > 0 && own < T ? own : kChunk;
      {
        const MlstmInputs in(trace_, card, DType::f32, device_);
        const Tensor attention = Tensor::zeros({1, card.heads, T, T}, DType::f32, device_);
        const Tensor h = by_attention(cell, in, {}, attention).h;
        const Tensor parts = parts_of(attention, in.v);
        const auto compare = [&](const char* form, const Tensor& other) {
          outputs.take(difference(fmt::format("{}, {} form", card.prefix, form), other, h, parts,
                                  options_.damage, kind));
        };
        compare("recurrent", by_recurrence(cell, in, {}, 0).h);
        compare("chunkwise", by_recurrence(cell, in, {}, chunk).h);
        // Without the normalizer nothing is divided by its size.
        if (card.variant.normalizer) outputs.take(turned_against(card, cell, chunk, kind));
        any_turned = any_turned || card.variant.normalizer;
      }
      const MlstmInputs in(trace_, card, DType::f64, device_);
      const Tensor dh = noise(in.v.shape(), DType::f64, 0xd);
      const MlstmResults wanted = by_attention(cell, in, dh, {});
      const auto compare = [&](const char* form, const MlstmResults& seen) {
        const std::pair<const char*, std::pair<Tensor, Tensor>> pairs[] = {
            {"dq", {seen.dq, wanted.dq}},
            {"dk", {seen.dk, wanted.dk}},
            {"dv", {seen.dv, wanted.dv}},
            {"di", {seen.di, wanted.di}},
            {"df", {seen.df, wanted.df}}};
        // All gradients by one measure: one that is 0 by nature has none of its own.
        const Tensor& measure = wanted.dv;
        for (const auto& [name, pair] : pairs) {
          gradients.take(difference(fmt::format("{} of {}, {} form", name, card.prefix, form),
                                    pair.first, pair.second,
                                    largest(pair.second) > largest(measure) ? pair.second : measure,
                                    options_.damage, kind));
        }
      };
      compare("recurrent", by_recurrence(cell, in, dh, 0));
      compare("chunkwise", by_recurrence(cell, in, dh, chunk));
    }
    const std::string count = cards.size() == 1
                                  ? "the mLSTM block"
                                  : fmt::format("each of {} mLSTM blocks", cards.size());
    report("Recurrent = chunkwise = parallel", outputs, 1e-5,
           fmt::format("Outputs of {} on its own q, k, v, i and f{}", count,
                       any_turned ? ", and where <q, n> lies below -1" : ""));
    report("Gradients of the three forms", gradients, 1e-9,
           fmt::format("Gradients of {} in double precision", count));
  }

  void stabilizer() {
    if (blocks(Scan::mlstm).empty() && blocks(Scan::slstm).empty()) return;  // nothing has one
    Difference found;
    for (const BlockCard& card : blocks(Scan::mlstm)) {
      // Neither eps, which is added after stabilisation, nor a floor that forgets the stabilizer:
      // then h does not depend on it.
      const kernels::ForgetGate gate = mlstm_options(card.variant).forget_gate;
      const kernels::MlstmOptions exact{.eps = 0.0, .forget_gate = gate},
          plain{.eps = 0.0, .forget_gate = gate, .stabilizer = false};
      const MlstmInputs in(trace_, card, DType::f64, device_);
      const Tensor h = by_recurrence(exact, in, {}, 0).h;
      found.take(difference(card.prefix, by_recurrence(plain, in, {}, 0).h, h, h, options_.damage,
                            Exponentials::raw));
    }
    for (const BlockCard& card : blocks(Scan::slstm)) {
      const kernels::ForgetGate gate =
          slstm_options(card.variant, kernels::ScalarMemory::slstm).forget_gate;
      const Tensor y = slstm_output({.forget_gate = gate}, trace_, card.prefix, device_);
      const kernels::SlstmOptions plain{.forget_gate = gate, .stabilizer = false};
      found.take(difference(card.prefix, slstm_output(plain, trace_, card.prefix, device_), y, y,
                            options_.damage, Exponentials::raw));
    }
    report("Stabilised = plain", found, 1e-9,
           "Outputs of all mLSTM and sLSTM cells in double precision, with the stabilizer and with "
           "raw "
           "exponentials");
  }

  void carried_state() {
    const std::size_t half = tokens_.size() / 2;
    if (half == 0) return;
    State middle, ignored;
    logits_of(model_.params(), 0, half, {}, middle);
    const Tensor wanted = logits_of(model_.params(), half, tokens_.size(), middle, ignored);

    const TemporaryFolder folder;
    std::vector<StoredTensor> tensors;
    for (std::size_t b = 0; b < middle.cells.size(); ++b) {
      for (const auto& [name, tensor] : middle.cells[b].tensors())
        tensors.push_back(stored(fmt::format("{}/{}", b, name), tensor));
    }
    write_safetensors(folder / "state.safetensors", std::move(tensors));
    const SafetensorsFile file = read_safetensors(folder / "state.safetensors");
    State read;
    read.cells.resize(middle.cells.size());
    for (std::size_t b = 0; b < middle.cells.size(); ++b) {
      for (const auto& [name, tensor] : middle.cells[b].tensors())
        read.cells[b].set(name, file.tensor(fmt::format("{}/{}", b, name), tensor.dtype()));
    }
    report("State saved and read back",
           difference("the logits", logits_of(model_.params(), half, tokens_.size(), read, ignored),
                      wanted, wanted, options_.damage),
           0.0, fmt::format("Logits after token {}, going on from memory and from a file", half));
  }

  void weights() {
    const Params& params = model_.params();
    if (static_cast<double>(params.elements()) * static_cast<double>(size_of(params.dtype())) >
        kMostBytesWritten)
      return;
    const TemporaryFolder folder;
    std::vector<StoredTensor> tensors;
    for (const ParamInfo& info : params.infos()) {
      // What came out of blocks goes into the same ones.
      const Tensor& value = params[params.find(info.name)].value;
      tensors.push_back(
          stored(info.name, block_of(value.dtype()) > 1 ? value.to(DType::f32) : value));
    }
    write_safetensors(folder / "weights.safetensors", std::move(tensors));
    std::vector<DType> types;
    for (std::size_t p = 0; p < params.infos().size(); ++p)
      types.push_back(params[static_cast<int>(p)].value.dtype());
    Model copy =
        params.trainable() ? Model(model_.spec(), params.dtype()) : Model(model_.spec(), types);
    load_parameters(copy, read_safetensors(folder / "weights.safetensors"), "");
    report("Weights saved and read back",
           difference("the logits", whole(copy.params().on(device_)), logits_, logits_,
                      options_.damage),
           0.0, "Logits of this model and of one made from a file of its weights");
  }

  /// Logits and the gradients of all weights; logits alone of a model that is only read.
  std::vector<Tensor> pass(const Tensor& dlogits) const {
    if (!model_.params().trainable()) {
      const Tensor logits = whole(model_.params());
      return {logits, logits};
    }
    const Params params = model_.params().with_own_gradients();
    Tape tape(Tape::Mode::gradient, nullptr, options_.cancel);
    State after;
    const Var logits = model_.forward(tape, params, ids(0, tokens_.size()), {}, after);
    tape.backward(logits, dlogits);
    return {tape.value(logits).clone(), params.grads()};
  }

  /// Numbers between -1 and 1 on the model's device.
  Tensor noise(const Shape& shape, DType dtype, std::uint64_t stream) const {
    Tensor x = Tensor::empty(shape, dtype, device_);
    kernels::fill_uniform(x, -1.0, 1.0, options_.seed, stream);
    return x;
  }
  /// In place of a gradient of the logits.
  Tensor logits_noise() const {
    return noise({1, logits_.extent(0), logits_.extent(1)}, logits_.dtype(), 0xe);
  }
  /// ", and gradients ..." where there are any.
  const char* and_gradients() const {
    return model_.params().trainable() ? " and gradients of all weights" : "";
  }

  void repeats() {
    const Tensor dlogits = logits_noise();
    const std::vector<Tensor> once = pass(dlogits), again = pass(dlogits);
    Difference found = difference("the logits", again[0], once[0], once[0], options_.damage);
    found.take(difference("the gradients", again[1], once[1], once[1], options_.damage));
    report("Once = again", found, 0.0,
           fmt::format("Logits{}, computed twice on {}", and_gradients(), name_of(device_)));
  }

  void host_agrees() {
    const Params& params = model_.params();
    if (static_cast<double>(params.elements()) * static_cast<double>(size_of(params.dtype())) >
        kMostBytesWritten)
      return;
    report(
        "CPU = CUDA",
        difference("the logits", logits_, whole(params.on(Device::cpu())), logits_, options_.damage,
                   exponentials()),
        1e-4,
        fmt::format("Logits of {} tokens, on {} and on the CPU", tokens_.size(), name_of(device_)));
  }

  void threads_agree() {
    const Tensor dlogits = logits_noise();
    const std::vector<Tensor> many = pass(dlogits);
    std::vector<Tensor> one;
    // Inside parallel work everything runs where it is.
    parallel_for(2, [&](std::int64_t chunk) {
      if (chunk == 0) one = pass(dlogits);
    });
    Difference found = difference("the logits", one[0], many[0], many[0], options_.damage);
    found.take(difference("the gradients", one[1], many[1], many[1], options_.damage));
    report("One thread = all threads", found, 0.0,
           fmt::format("Logits{}, on one thread and on {}", and_gradients(), threads()));
  }

  static double largest(const Tensor& x) {
    const Tensor wide = x.to(Device::cpu()).to(DType::f64);
    double most = 0.0;
    for (const double value : wide.span<double>())
      if (std::isfinite(value)) most = std::max(most, std::abs(value));
    return most;
  }

  void stop_if_cancelled() const {
    if (options_.cancel && options_.cancel->load()) throw Cancelled();
  }

  const Model& model_;
  const Device device_;
  const SelfcheckOptions& options_;
  std::vector<int> tokens_;
  Tensor logits_, watched_;
  std::vector<TokenTrace> trace_;
  std::vector<Check> checks_;
};

}  // namespace

std::vector<Check> selfcheck(const Model& model, const SelfcheckOptions& options) {
  return Selfcheck(model, options).run();
}

}  // namespace xlab
