// The comparisons a model is held against: every row is two ways to the same numbers.
#include "core/selfcheck.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/cell.hpp"
#include "core/checkpoint.hpp"
#include "core/load_parameters.hpp"
#include "kernels/mlstm_chunkwise.hpp"
#include "kernels/mlstm_parallel.hpp"
#include "kernels/random.hpp"
#include "kernels/slstm.hpp"
#include "kernels/threads.hpp"

namespace xlab {
namespace {

constexpr int kTokens = 48;
/// Weights beyond this are not written to a file for a check.
constexpr double kMostBytesWritten = 2e9;
/// Steps per chunk where a block would choose none: some chunks, the last one cut short.
constexpr std::int64_t kChunk = 20;

/// What one comparison of tensors found.
struct Difference {
  double largest = 0.0;     ///< of finite numbers, relative to `size`
  bool same_bits = true;    ///< of all tensors; every NaN counts as the same
  bool not_finite = false;  ///< some numbers are not finite, by both ways
  bool torn = false;        ///< some numbers are finite by one way only
  std::string where;        ///< what differs most, empty when nothing does
  std::string where_not_finite;

  void take(const Difference& other) {
    same_bits = same_bits && other.same_bits;
    if (not_finite_anywhere(other) && where_not_finite.empty())
      where_not_finite = other.where_not_finite;
    not_finite = not_finite || other.not_finite;
    torn = torn || other.torn;
    if (other.largest > largest) {
      largest = other.largest;
      where = other.where;
    }
  }

  static bool not_finite_anywhere(const Difference& d) { return d.not_finite || d.torn; }
};

template <typename T>
bool same_numbers(const Tensor& a, const Tensor& b) {
  const std::span<const T> x = a.span<T>(), y = b.span<T>();
  return std::equal(x.begin(), x.end(), y.begin(), [](T p, T q) {
    return std::memcmp(&p, &q, sizeof(T)) == 0 || (std::isnan(p) && std::isnan(q));
  });
}

/// Every bit, but that one NaN is like another.
bool same_bits_of(const Tensor& a, const Tensor& b) {
  if (std::memcmp(a.raw(), b.raw(), a.bytes()) == 0) return true;
  if (a.dtype() == DType::f32) return same_numbers<float>(a, b);
  return a.dtype() == DType::f64 && same_numbers<double>(a, b);
}

/// Whether raw exponentials may overflow by one way and not by the other.
enum class Exponentials { safe, raw };

/// `wanted` against `seen`, relative to the largest number of `terms`, wherever they lie.
Difference difference(const std::string& where, const Tensor& seen_there,
                      const Tensor& wanted_there, const Tensor& terms_there, double damage,
                      Exponentials exponentials = Exponentials::safe) {
  const Tensor seen = seen_there.to(Device::cpu()), wanted = wanted_there.to(Device::cpu()),
               terms = terms_there.to(Device::cpu());
  check(seen.shape() == wanted.shape() && seen.dtype() == wanted.dtype(),
        "Two ways to {} give tensors of different shapes.", where);
  const Tensor a = seen.to(DType::f64).clone(), b = wanted.to(DType::f64), c = terms.to(DType::f64);
  double size = 0.0, apart = 0.0;
  for (const double x : c.span<double>())
    if (std::isfinite(x)) size = std::max(size, std::abs(x));
  if (damage != 0.0) a.data<double>()[a.elements() / 2] += damage * size;
  bool odd_a = false, odd_b = false;
  for (std::int64_t j = 0; j < a.elements(); ++j) {
    const double x = a.data<double>()[j], y = b.data<double>()[j];
    odd_a |= !std::isfinite(x);
    odd_b |= !std::isfinite(y);
    if (std::isfinite(x) && std::isfinite(y)) apart = std::max(apart, std::abs(x - y));
  }
  Difference found;
  found.same_bits = damage == 0.0 && same_bits_of(seen, wanted);
  // What is not finite spreads differently by different ways: only where one way has nothing of
  // the kind are they torn.
  found.torn = odd_a != odd_b && exponentials == Exponentials::safe;
  found.not_finite = (odd_a || odd_b) && !found.torn;
  if (odd_a || odd_b) found.where_not_finite = where;
  // Raw exponentials at their end leave nothing to measure the rest by.
  const bool measured = !(found.not_finite && exponentials == Exponentials::raw);
  if (apart != 0.0 && measured) {
    found.largest = apart / size;
    found.where = where;
  }
  return found;
}

/// Values of one recorded name as one tensor (1, T, heads, dim).
Tensor recorded(const std::vector<TokenTrace>& trace, const std::string& path, DType dtype) {
  std::vector<float> values;
  const Recorded* first = trace.front().find(path);
  check(first != nullptr, "The model records no {}.", path);
  for (const TokenTrace& step : trace) {
    const Recorded* one = step.find(path);
    values.insert(values.end(), one->values.begin(), one->values.end());
  }
  return Tensor::from<float>({1, static_cast<std::int64_t>(trace.size()), first->heads, first->dim},
                             values, dtype);
}

Tensor zeros_like(const Tensor& x) {
  return Tensor::zeros(x.shape(), x.dtype(), x.device());
}

/// What one mLSTM block was given, on a device.
struct MlstmInputs {
  Tensor q, k, v, i, f;

  MlstmInputs(const std::vector<TokenTrace>& trace, const std::string& prefix, DType dtype,
              Device device)
      : q(recorded(trace, prefix + "/q", dtype).to(device)),
        k(recorded(trace, prefix + "/k", dtype).to(device)),
        v(recorded(trace, prefix + "/v", dtype).to(device)),
        i(gate(recorded(trace, prefix + "/input_gate_pre", dtype)).to(device)),
        f(gate(recorded(trace, prefix + "/forget_gate_pre", dtype)).to(device)) {}

  static Tensor gate(const Tensor& x) { return x.reshape({x.extent(0), x.extent(1), x.extent(2)}); }
};

/// Output and gradients by one way.
struct MlstmResults {
  Tensor h, dq, dk, dv, di, df;

  explicit MlstmResults(const MlstmInputs& in)
      : h(zeros_like(in.v)),
        dq(zeros_like(in.q)),
        dk(zeros_like(in.k)),
        dv(zeros_like(in.v)),
        di(zeros_like(in.i)),
        df(zeros_like(in.f)) {}
};

/// The scan (chunk 0) or the chunkwise form.
MlstmResults by_recurrence(const kernels::MlstmOptions& options, const MlstmInputs& in,
                           const Tensor& dh, std::int64_t chunk) {
  MlstmResults out(in);
  const std::int64_t H = in.q.extent(2), K = in.q.extent(3), V = in.v.extent(3);
  const DType dtype = in.q.dtype();
  const Device device = in.q.device();
  const kernels::MlstmForward forward{
      .q = in.q,
      .k = in.k,
      .v = in.v,
      .i = in.i,
      .f = in.f,
      .initial = {},
      .h = out.h,
      .m = zeros_like(in.i),
      .s = zeros_like(in.i),
      .normalizer = zeros_like(in.i),
      .last = {Tensor::zeros({1, H, K, V}, dtype, device), Tensor::zeros({1, H, K}, dtype, device),
               Tensor::zeros({1, H}, dtype, device)},
      .record = {}};
  const kernels::MlstmBackward back{.forward = forward,
                                    .dh = dh,
                                    .dlast = {},
                                    .dq = out.dq,
                                    .dk = out.dk,
                                    .dv = out.dv,
                                    .di = out.di,
                                    .df = out.df,
                                    .dinitial = {}};
  if (chunk > 0) {
    kernels::mlstm_chunkwise_forward(options, forward, chunk);
    if (dh) kernels::mlstm_chunkwise_backward(options, back, chunk);
  } else {
    kernels::mlstm_forward(options, forward);
    if (dh) kernels::mlstm_backward(options, back);
  }
  return out;
}

/// The parallel form; `attention` receives the implied attention where it is defined.
MlstmResults by_attention(const kernels::MlstmOptions& options, const MlstmInputs& in,
                          const Tensor& dh, const Tensor& attention) {
  MlstmResults out(in);
  kernels::mlstm_parallel_forward(options, {.q = in.q,
                                            .k = in.k,
                                            .v = in.v,
                                            .i = in.i,
                                            .f = in.f,
                                            .h = out.h,
                                            .m = {},
                                            .row_max = {},
                                            .s = {},
                                            .normalizer = {},
                                            .log_decay = {},
                                            .decay = {},
                                            .scores = {},
                                            .attention = attention});
  if (dh) {
    kernels::mlstm_parallel_backward(options, {.q = in.q,
                                               .k = in.k,
                                               .v = in.v,
                                               .i = in.i,
                                               .f = in.f,
                                               .dh = dh,
                                               .dq = out.dq,
                                               .dk = out.dk,
                                               .dv = out.dv,
                                               .di = out.di,
                                               .df = out.df});
  }
  return out;
}

/// sum_j |A_tj v_j|, like h: what h is made of. Where the parts cancel, h itself is small by
/// accident, and no way to it can have more digits than its parts leave.
Tensor parts_of(const Tensor& attention, const Tensor& v) {
  const Tensor A = attention.to(Device::cpu()).to(DType::f64),
               values = v.to(Device::cpu()).to(DType::f64);
  const std::int64_t T = v.extent(1), H = v.extent(2), V = v.extent(3);
  const Tensor out = Tensor::zeros(v.shape(), DType::f64);
  for (std::int64_t h = 0; h < H; ++h) {
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t j = 0; j <= t; ++j) {
        const double weight = std::abs(A.data<double>()[(h * T + t) * T + j]);
        for (std::int64_t x = 0; x < V; ++x) {
          out.data<double>()[(t * H + h) * V + x] +=
              weight * std::abs(values.data<double>()[(j * H + h) * V + x]);
        }
      }
    }
  }
  return out;
}

/// y of an sLSTM that was given these pre-activations, without mixing, computed on a device.
Tensor slstm_output(const kernels::SlstmOptions& options, const std::vector<TokenTrace>& trace,
                    const std::string& prefix, Device device) {
  constexpr const char* kPre[] = {"/input_gate_pre", "/forget_gate_pre", "/cell_input_pre",
                                  "/output_gate_pre"};
  Tensor parts[4];
  for (std::size_t gate = 0; gate < 4; ++gate)
    parts[gate] = recorded(trace, prefix + kPre[gate], DType::f64);
  const std::int64_t T = parts[0].extent(1), H = parts[0].extent(2), D = parts[0].extent(3);
  const Tensor wx = Tensor::zeros({1, T, 4, H * D}, DType::f64);
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t gate = 0; gate < 4; ++gate) {
      std::copy_n(parts[gate].data<double>() + t * H * D, H * D,
                  wx.data<double>() + (t * 4 + gate) * H * D);
    }
  }
  const auto zeros = [&](const Shape& shape) { return Tensor::zeros(shape, DType::f64, device); };
  const auto room = [&] { return zeros({1, H, D}); };
  const Tensor y = zeros({1, T, H, D});
  kernels::slstm_forward(options, {.wx = wx.to(device),
                                   .r = zeros({H, 4 * D, D}),
                                   .b = zeros({4 * H * D}),
                                   .clamp = {},
                                   .initial = {},
                                   .y = y,
                                   .last = {room(), room(), room(), room()},
                                   .record = {},
                                   .saved = {}});
  return y;
}

/// A folder that is gone with this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code missing;
    const std::filesystem::path folder = std::filesystem::temp_directory_path(missing);
    check(!missing,
          "There is no folder for temporary files: point the environment's TMPDIR to one.");
    std::string name = (folder / "xlstm-XXXXXX").string();
    check(::mkdtemp(name.data()) != nullptr,
          "No folder can be made in '{}': point the environment's TMPDIR to one that takes it.",
          folder.string());
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

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
    for (const int token : tokens_) {
      check(token >= 0 && static_cast<std::uint64_t>(token) < vocabulary,
            "Token {} is outside the model's vocabulary of {}.", token, vocabulary);
    }
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
    const Tensor out = zeros_like(logits_);
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
      if (!card.variant.stabilizer) return Exponentials::raw;
    return Exponentials::safe;
  }

  /// The three forms where the keys are turned against the queries, so that <q, n> lies below -1 at
  /// every step. What is divided by is its size: with values that are all 1 every output is -1 but
  /// for eps, whatever the gates; a formula without the absolute value gives something else.
  Difference turned_against(const BlockCard& card, kernels::MlstmOptions cell, std::int64_t chunk,
                            Exponentials exponentials) const {
    cell.eps = 0.0;
    MlstmInputs in(trace_, card.prefix, DType::f32, device_);
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
    for (const BlockCard& card : cards) {
      stop_if_cancelled();
      // Only the scan computes in other number formats.
      const Exponentials kind = card.variant.stabilizer ? Exponentials::safe : Exponentials::raw;
      kernels::MlstmOptions cell = mlstm_options(card.variant);
      cell.format = kernels::NumberFormat::native;
      const std::int64_t own = kernels::mlstm_chunk_length(card.key_dim, card.value_dim, device_);
      const std::int64_t chunk = own > 0 && own < T ? own : kChunk;
      {
        const MlstmInputs in(trace_, card.prefix, DType::f32, device_);
        const Tensor attention = Tensor::zeros({1, card.heads, T, T}, DType::f32, device_);
        const Tensor h = by_attention(cell, in, {}, attention).h;
        const Tensor parts = parts_of(attention, in.v);
        const auto compare = [&](const char* form, const Tensor& other) {
          outputs.take(difference(fmt::format("{}, {} form", card.prefix, form), other, h, parts,
                                  options_.damage, kind));
        };
        compare("recurrent", by_recurrence(cell, in, {}, 0).h);
        compare("chunkwise", by_recurrence(cell, in, {}, chunk).h);
        outputs.take(turned_against(card, cell, chunk, kind));
      }
      const MlstmInputs in(trace_, card.prefix, DType::f64, device_);
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
           fmt::format("Outputs of {} on its own q, k, v, i and f, and where <q, n> lies below -1",
                       count));
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
      const MlstmInputs in(trace_, card.prefix, DType::f64, device_);
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
    if (static_cast<double>(params.elements()) * size_of(params.dtype()) > kMostBytesWritten)
      return;
    const TemporaryFolder folder;
    std::vector<StoredTensor> tensors;
    for (const ParamInfo& info : params.infos())
      tensors.push_back(stored(info.name, params[params.find(info.name)].value));
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
    const Tensor x = Tensor::empty(shape, dtype, device_);
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
    if (static_cast<double>(params.elements()) * size_of(params.dtype()) > kMostBytesWritten)
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
