// The cells against numbers of the official implementation, stored in files: what is compared, and
// how near it has to be. Every file of a known kind in the folder is taken, with whatever sizes and
// optional tensors it has. The folders are those of the sources unless XLAB_GOLDEN and
// XLAB_GOLDEN_BASELINES name others.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "cell_calls.hpp"
#include "core/files/safetensors.hpp"
#include "golden.hpp"
#include "kernels/mlstm/parallel.hpp"

namespace xlab::tests {

using Numbers = std::vector<double>;

/// The files that hold these tensors: a file's kind is what is in it, not its name.
inline std::vector<std::filesystem::path> files_holding(
    const std::vector<std::string>& names, const std::filesystem::path& folder = golden_folder()) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.path().extension() != ".safetensors") continue;
    const SafetensorsFile file = read_safetensors(entry.path());
    if (std::all_of(names.begin(), names.end(),
                    [&](const auto& name) { return file.contains(name); }))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline const std::vector<std::string> kMlstmTensors = {"q", "k", "v", "i", "f", "dh", "h"};
inline const std::vector<std::string> kSlstmTensors = {"wx", "R", "b", "dh", "h"};

/// (a, b, c, width) to (a, c, b, width): the files go head by head, the cells step by step.
inline Numbers swapped(const Numbers& x, std::int64_t a, std::int64_t b, std::int64_t c) {
  const std::int64_t width = static_cast<std::int64_t>(x.size()) / (a * b * c);
  Numbers out(x.size());
  for (std::int64_t i = 0; i < a; ++i) {
    for (std::int64_t j = 0; j < b; ++j) {
      for (std::int64_t k = 0; k < c; ++k) {
        std::copy_n(x.begin() + ((i * b + j) * c + k) * width, width,
                    out.begin() + ((i * c + k) * b + j) * width);
      }
    }
  }
  return out;
}

/// Every line of `lines` values without its first `drop`.
inline Numbers without_first(const Numbers& x, std::int64_t lines, std::int64_t drop) {
  const auto line = static_cast<std::int64_t>(x.size()) / lines;
  Numbers out;
  for (std::int64_t j = 0; j < lines; ++j) {
    out.insert(out.end(), x.begin() + j * line + drop, x.begin() + (j + 1) * line);
  }
  return out;
}

inline double largest(const Numbers& x) {
  double most = 0.0;
  for (const double value : x) most = std::max(most, std::abs(value));
  return most;
}

inline Numbers numbers(const Tensor& t) {
  const Tensor wide = t.to(Device::cpu()).to(DType::f64);
  return {wide.span<double>().begin(), wide.span<double>().end()};
}

/// What is compared together and has a threshold of its own.
enum class Kind { output, states, row_norm, gradients, constant_gradients };
inline const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::output:
      return "output";
    case Kind::states:
      return "states";
    case Kind::row_norm:
      return "row norms";
    case Kind::gradients:
      return "gradients";
    case Kind::constant_gradients:
      break;
  }
  return "gradients, constant denominator";
}

/// One file, the numbers of a cell that ran on it, and how far they are off.
class Comparison {
 public:
  Comparison(const std::filesystem::path& path, DType dtype, Device device)
      : file_(read_safetensors(path)), name_(path.stem().string()), dtype_(dtype), device_(device) {
    for (const StoredTensor& tensor : file_.tensors()) {
      if (is_gradient(tensor.name)) {
        largest_gradient_ = std::max(largest_gradient_, largest(stored(tensor.name)));
      }
    }
  }

  bool has(const std::string& name) const { return file_.contains(name); }
  /// What the file says of itself; empty where it says nothing.
  std::string said(const std::string& name) const {
    const auto found = file_.metadata().find(name);
    return found == file_.metadata().end() ? std::string() : found->second;
  }
  Numbers stored(const std::string& name) const { return file_.values_as<double>(name); }
  std::int64_t extent(const std::string& name, std::size_t axis) const {
    const StoredTensor& tensor = file_.at(name);
    check(axis < tensor.shape.size(), "{} of {} has too few axes.", name, name_);
    return tensor.shape[axis];
  }
  /// As input of a cell.
  Tensor tensor(const Shape& shape, const Numbers& values) const {
    return Tensor::from<double>(shape, values, dtype_).to(device_);
  }
  Tensor room(const Shape& shape) const { return Tensor::zeros(shape, dtype_, device_); }

  void compare(Kind kind, const std::string& what, const Numbers& seen, const Numbers& wanted) {
    ASSERT_EQ(seen.size(), wanted.size()) << name_ << " " << what;
    double scale = largest(wanted), error = 0.0;
    if (kind == Kind::gradients || kind == Kind::constant_gradients) {
      scale = std::max(scale, 1e-3 * largest_gradient_);
    }
    for (std::size_t j = 0; j < seen.size(); ++j) {
      const double difference = std::abs(seen[j] - wanted[j]);
      error = std::isfinite(difference) ? std::max(error, difference)
                                        : std::numeric_limits<double>::infinity();
      if (std::isinf(error)) break;
    }
    if (scale > 0.0) error /= scale;
    auto& [worst, where] = worst_[kind];
    if (error >= worst) {
      worst = error;
      where = what;
    }
  }

  /// Prints the worst error of every kind and holds it against its threshold.
  void report(const std::map<Kind, double>& thresholds) const {
    std::string line = name_ + (dtype_ == DType::f32 ? " f32:" : " f64:");
    for (const auto& [kind, worst] : worst_) {
      const double threshold = thresholds.at(kind);
      line += fmt::format("  {} {:.1e} of {:.0e} ({})", name_of(kind), worst.error, threshold,
                          worst.where);
      EXPECT_LE(worst.error, threshold)
          << name_ << ": " << name_of(kind) << ", worst in " << worst.where;
    }
    fmt::print("{}\n", line);
  }

 private:
  struct Worst {
    double error = 0.0;
    std::string where;
  };

  static bool is_gradient(const std::string& name) { return name.starts_with("d") && name != "dh"; }

  SafetensorsFile file_;
  std::string name_;
  DType dtype_;
  Device device_;
  double largest_gradient_ = 0.0;
  std::map<Kind, Worst> worst_;
};

/// Gates this far out, or a single step, lose more digits in f32.
inline bool is_extreme(double largest_gate, std::int64_t steps) {
  return largest_gate >= 25.0 || steps == 1;
}

/// The mLSTM with a sigmoid as its input gate is the one without a stabilizer whose exponential
/// input gate is given log σ(i).
struct SigmoidGate {
  Numbers pre;  ///< i

  Numbers logarithm() const {
    Numbers out;
    for (const double i : pre) out.push_back(std::min(i, 0.0) - std::log1p(std::exp(-std::abs(i))));
    return out;
  }
  /// The gradient of i, from that of its logarithm.
  Numbers gradient(Numbers of_logarithm) const {
    for (std::size_t j = 0; j < pre.size(); ++j) of_logarithm[j] /= 1.0 + std::exp(pre[j]);
    return of_logarithm;
  }
};

/// The parallel form, from the inputs of a call of the recurrent one. `sigmoid`: null for the
/// exponential input gate.
inline void check_parallel(Comparison& file, const kernels::MlstmOptions& options,
                           const kernels::MlstmForward& call, const Tensor& dh,
                           const SigmoidGate* sigmoid) {
  const std::int64_t B = call.q.extent(0), T = call.q.extent(1), H = call.q.extent(2);
  const auto by_head = [&](const Tensor& x) { return swapped(numbers(x), B, T, H); };
  const Shape steps{B, T, H}, pairs{B, H, T, T};
  const kernels::MlstmParallelForward forward{.q = call.q,
                                              .k = call.k,
                                              .v = call.v,
                                              .i = call.i,
                                              .f = call.f,
                                              .h = file.room(call.v.shape()),
                                              .m = file.room(steps),
                                              .row_max = file.room(steps),
                                              .s = file.room(steps),
                                              .normalizer = file.room(steps),
                                              .log_decay = file.room(pairs),
                                              .decay = file.room(pairs),
                                              .scores = file.room(pairs),
                                              .attention = file.room(pairs)};
  kernels::mlstm_parallel_forward(options, forward);
  file.compare(Kind::output, "h, parallel", by_head(forward.h), file.stored("h"));
  file.compare(Kind::states, "m, parallel", numbers(forward.m), numbers(call.m));
  if (file.has("attn")) {
    file.compare(Kind::output, "attn, parallel", numbers(forward.attention), file.stored("attn"));
  }
  if (file.has("row_max")) {
    file.compare(Kind::states, "row_max, parallel", by_head(forward.row_max),
                 file.stored("row_max"));
  }
  if (file.has("row_max") && file.has("row_norm")) {
    Numbers row_norm = by_head(forward.normalizer);
    const Numbers m = by_head(forward.m), M = file.stored("row_max");
    for (std::size_t j = 0; j < m.size(); ++j) row_norm[j] *= std::exp(m[j] - M[j]);
    file.compare(Kind::row_norm, "row_norm, parallel", row_norm, file.stored("row_norm"));
  }

  // What the matrices say about each other.
  const Numbers log_decay = numbers(forward.log_decay), decay = numbers(forward.decay),
                scores = numbers(forward.scores), attention = numbers(forward.attention),
                M = by_head(forward.row_max), m = by_head(forward.m), s = by_head(forward.s),
                N = by_head(forward.normalizer);
  for (std::size_t row = 0; row < m.size(); ++row) {
    const auto length = static_cast<std::size_t>(T), t = row % length;
    double sum = 0.0, most = -std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < length; ++j) {
      const std::size_t at = row * length + j;
      if (j > t) {
        EXPECT_EQ(decay[at], 0.0);
        EXPECT_EQ(attention[at], 0.0);
        EXPECT_TRUE(std::isinf(log_decay[at]));
        continue;
      }
      most = std::max(most, log_decay[at]);
      EXPECT_NEAR(decay[at], std::exp(log_decay[at] - m[row]), 1e-5);
      EXPECT_NEAR(attention[at] * (N[row] + options.eps), scores[at] * decay[at], 1e-5);
      sum += scores[at] * decay[at];
    }
    EXPECT_EQ(most, M[row]);
    EXPECT_NEAR(sum, s[row], 1e-5 * (1.0 + std::abs(sum)));
  }

  for (const bool constant : {false, true}) {
    kernels::MlstmOptions way = options;
    way.constant_denominator = constant;
    const kernels::MlstmParallelBackward back{.q = call.q,
                                              .k = call.k,
                                              .v = call.v,
                                              .i = call.i,
                                              .f = call.f,
                                              .dh = dh,
                                              .dq = file.room(call.q.shape()),
                                              .dk = file.room(call.q.shape()),
                                              .dv = file.room(call.v.shape()),
                                              .di = file.room(steps),
                                              .df = file.room(steps)};
    kernels::mlstm_parallel_backward(way, back);
    const auto gradient = [&](const std::string& name, const Numbers& seen) {
      const std::string stored = name + (constant ? "_detached_norm" : "");
      if (file.has(stored)) {
        file.compare(constant ? Kind::constant_gradients : Kind::gradients, name + ", parallel",
                     seen, file.stored(stored));
      }
    };
    gradient("dq", by_head(back.dq));
    gradient("dk", by_head(back.dk));
    gradient("dv", by_head(back.dv));
    gradient("di", sigmoid ? sigmoid->gradient(by_head(back.di)) : by_head(back.di));
    gradient("df", by_head(back.df));
  }
}

/// The scan with chunk 0, then the parallel form too; or chunks of this many steps.
inline void check_mlstm(const std::filesystem::path& path, DType dtype, std::int64_t chunk,
                        Device device = Device::cpu()) {
  Comparison file(path, dtype, device);
  const bool sig = file.said("kind") == "mlstmsig_cell";
  const SigmoidGate sigmoid{sig ? file.stored("i") : Numbers()};
  const std::int64_t B = file.extent("q", 0), H = file.extent("q", 1), T = file.extent("q", 2),
                     K = file.extent("q", 3), V = file.extent("v", 3);
  const auto in = [&](const std::string& name, std::int64_t width) {
    return file.tensor({B, T, H, width}, swapped(file.stored(name), B, H, T));
  };
  const auto gate = [&](const std::string& name) {
    return file.tensor({B, T, H}, swapped(file.stored(name), B, H, T));
  };
  const auto by_head = [&](const Tensor& x) { return swapped(numbers(x), B, T, H); };

  kernels::MlstmState initial;
  if (file.has("C0")) {
    initial = {file.tensor({B, H, K, V}, file.stored("C0")),
               file.tensor({B, H, K}, file.stored("n0")),
               file.has("m0") ? file.tensor({B, H}, file.stored("m0")) : file.room({B, H})};
  }
  kernels::MlstmOptions options{.query_scale = 1.0 / std::sqrt(static_cast<double>(K))};
  if (sig) {
    options.stabilizer = false;
    options.normalize = file.said("normalize") == "True";
    if (!options.normalize) options.eps = 0.0;
  }
  const Tensor input =
      sig ? file.tensor({B, T, H}, swapped(sigmoid.logarithm(), B, H, T)) : gate("i");
  kernels::MlstmForward forward =
      mlstm_call(in("q", K), in("k", K), in("v", V), input, gate("f"), initial);
  if (chunk == 0) {
    forward.record.C = file.room({B, T, H, K * V});
    forward.record.n = file.room({B, T, H, K});
  }
  run_mlstm(options, forward, chunk);

  file.compare(Kind::output, "h", by_head(forward.h), file.stored("h"));
  const auto state = [&](const std::string& name, const Tensor& x) {
    if (file.has(name)) file.compare(Kind::states, name, numbers(x), file.stored(name));
  };
  state("C_last", forward.last.C);
  state("n_last", forward.last.n);
  state("m_last", forward.last.m);
  const auto trajectory = [&](const std::string& name, const Tensor& x, std::int64_t width) {
    if (!file.has(name) || !x.defined()) return;
    file.compare(Kind::states, name, by_head(x), without_first(file.stored(name), B * H, width));
  };
  trajectory("C_traj", forward.record.C, K * V);
  trajectory("n_traj", forward.record.n, K);
  trajectory("m_traj", forward.m, 1);

  double largest_m = 0.0;
  // The parallel form knows no m = 0 before the first step: its maximum M is what m would be
  // without it, and its N belongs to M. Both are compared after bringing them to the other side.
  if (file.has("row_max") && file.has("row_norm") && !file.has("C0")) {
    const Numbers m = by_head(forward.m), N = by_head(forward.normalizer);
    const Numbers f = file.stored("f"), M = file.stored("row_max");
    Numbers expected_m, row_norm;
    double forgotten = 0.0;  // sum of log sigmoid(f) since the start
    for (std::size_t j = 0; j < m.size(); ++j) {
      if (j % static_cast<std::size_t>(T) == 0) forgotten = 0.0;
      forgotten += std::min(f[j], 0.0) - std::log1p(std::exp(-std::abs(f[j])));
      expected_m.push_back(std::max(M[j], forgotten));
      row_norm.push_back(N[j] * std::exp(m[j] - M[j]));
      largest_m = std::max(largest_m, std::abs(M[j]));
    }
    file.compare(Kind::states, "row_max", m, expected_m);
    file.compare(Kind::row_norm, "row_norm", row_norm, file.stored("row_norm"));
  }
  if (sig && file.has("row_norm"))
    file.compare(Kind::row_norm, "row_norm", by_head(forward.normalizer), file.stored("row_norm"));
  // With the identity as values, h is the row of the implied attention matrix.
  if (file.has("attn") && !file.has("C0")) {
    Numbers values(static_cast<std::size_t>(B * T * H * T), 0.0);
    for (std::int64_t b = 0; b < B; ++b) {
      for (std::int64_t t = 0; t < T; ++t) {
        for (std::int64_t h = 0; h < H; ++h) {
          values[static_cast<std::size_t>(((b * T + t) * H + h) * T + t)] = 1.0;
        }
      }
    }
    const kernels::MlstmForward attention =
        mlstm_call(forward.q, forward.k, file.tensor({B, T, H, T}, values), forward.i, forward.f);
    run_mlstm(options, attention, chunk);
    file.compare(Kind::output, "attn", by_head(attention.h), file.stored("attn"));
  }

  const auto check_gradients = [&](Kind kind, const std::string& suffix) {
    kernels::MlstmOptions way = options;
    way.constant_denominator = kind == Kind::constant_gradients;
    const kernels::MlstmBackward back = mlstm_way_back(forward, in("dh", V));
    run_mlstm_back(way, back, chunk);
    const auto gradient = [&](const std::string& name, const Numbers& seen) {
      if (file.has(name + suffix)) file.compare(kind, name, seen, file.stored(name + suffix));
    };
    gradient("dq", by_head(back.dq));
    gradient("dk", by_head(back.dk));
    gradient("dv", by_head(back.dv));
    gradient("di", sig ? sigmoid.gradient(by_head(back.di)) : by_head(back.di));
    gradient("df", by_head(back.df));
    if (!file.has("C0")) return;
    gradient("dC0", numbers(back.dinitial.C));
    gradient("dn0", numbers(back.dinitial.n));
    gradient("dm0", numbers(back.dinitial.m));
  };
  check_gradients(Kind::gradients, "");
  check_gradients(Kind::constant_gradients, "_detached_norm");

  if (chunk == 0 && !file.has("C0"))
    check_parallel(file, options, forward, in("dh", V), sig ? &sigmoid : nullptr);

  const bool extreme =
      is_extreme(std::max(largest(file.stored("i")), largest(file.stored("f"))), T);
  // The stored maxima are rounded to f32, and their exponential magnifies that.
  const double rounded = largest_m * std::numeric_limits<float>::epsilon();
  if (dtype == DType::f64) {
    // Stored as f32 by another form of the same equations (the same one from an initial state).
    file.report({{Kind::output, file.has("C0") ? 1e-7 : 2e-6},
                 {Kind::states, 1e-7},
                 {Kind::row_norm, 2e-6 + rounded},
                 {Kind::gradients, 1e-5},
                 {Kind::constant_gradients, 3e-6}});
  } else {
    file.report({{Kind::output, extreme ? 3e-4 : 3e-5},
                 {Kind::states, extreme ? 2e-5 : 5e-6},
                 {Kind::row_norm, (extreme ? 3e-4 : 3e-5) + rounded},
                 // With one step and |s| above 1 they are differences that cancel down to eps: a
                 // few roundings of the largest gradient, of which a thousandth is 1 here.
                 {Kind::gradients, sig && T == 1 ? 5e-4 : 5e-5},
                 {Kind::constant_gradients, 5e-5}});
  }
}

/// A file of the sLSTM, or of the LSTM in its place, whose state is y and c alone.
inline void check_slstm(const std::filesystem::path& path, DType dtype,
                        Device device = Device::cpu(),
                        kernels::ScalarMemory memory = kernels::ScalarMemory::slstm) {
  const bool lstm = memory == kernels::ScalarMemory::lstm;
  const kernels::SlstmOptions options{.memory = memory};
  Comparison file(path, dtype, device);
  const std::int64_t B = file.extent("wx", 0), T = file.extent("wx", 1), H = file.extent("R", 0),
                     D = file.extent("R", 2);
  const Shape state{B, H, D};
  /// One of the states that are stored one after the other, (4, B, H * D) or (2, B, H * D).
  const auto part = [&](std::int64_t which) {
    const Numbers all = file.stored("state0");
    const auto size = state.elements();
    return file.tensor(state,
                       Numbers(all.begin() + which * size, all.begin() + (which + 1) * size));
  };
  kernels::SlstmState initial;
  if (file.has("state0")) {
    initial = {part(0), part(1)};
    if (!lstm) initial = {part(0), part(1), part(2), part(3)};
  }
  const Numbers wx = file.stored("wx");
  kernels::SlstmForward forward =
      slstm_call(file.tensor({B, T, 4, H * D}, wx), file.tensor({H, 4 * D, D}, file.stored("R")),
                 file.tensor({4 * H * D}, file.stored("b")), initial, {}, memory);
  kernels::slstm_forward(options, forward);
  file.compare(Kind::output, "h", swapped(numbers(forward.y), B, T, H), file.stored("h"));

  const auto trajectory = [&](const std::string& name, const Tensor& steps, const Tensor& last) {
    if (!file.has(name)) return;
    const Numbers all = file.stored(name);
    // The first entry is the state before any step.
    file.compare(Kind::states, name, swapped(numbers(steps), 1, B, T),
                 without_first(all, 1, B * H * D));
    file.compare(Kind::states, name + ", last", numbers(last),
                 without_first(all, 1, T * B * H * D));
  };
  trajectory("y_traj", forward.y, forward.last.y);
  trajectory("c_traj", forward.saved.c, forward.last.c);
  trajectory("n_traj", forward.saved.n, forward.last.n);
  trajectory("m_traj", forward.saved.m, forward.last.m);

  const Tensor dh = file.tensor({B, T, H, D}, swapped(file.stored("dh"), B, H, T));
  const kernels::SlstmBackward back = slstm_way_back(forward, dh);
  kernels::slstm_backward(options, back);
  const auto gradient = [&](const std::string& name, const Tensor& seen) {
    if (file.has(name)) file.compare(Kind::gradients, name, numbers(seen), file.stored(name));
  };
  gradient("dwx", back.dwx);
  gradient("dR", back.dr);
  gradient("db", back.db);
  if (file.has("state0") && file.has("dstate0")) {
    Numbers all;
    for (const Tensor* part :
         {&back.dinitial.y, &back.dinitial.c, &back.dinitial.n, &back.dinitial.m}) {
      if (!part->defined()) continue;
      const Numbers values = numbers(*part);
      all.insert(all.end(), values.begin(), values.end());
    }
    file.compare(Kind::gradients, "dstate0", all, file.stored("dstate0"));
  }

  const bool extreme = is_extreme(largest(wx), T);
  if (dtype == DType::f64) {
    file.report({{Kind::output, 1e-7}, {Kind::states, 1e-7}, {Kind::gradients, 1e-7}});
  } else {
    file.report({{Kind::output, extreme ? 1e-5 : 2e-6},
                 {Kind::states, extreme ? 1e-5 : 2e-6},
                 {Kind::gradients, extreme ? 1e-5 : 3e-6}});
  }
}

/// Runs a check over every file of one kind; a chosen folder may hold none.
template <typename Check>
void check_all(const std::vector<std::string>& tensors, Check&& check_file,
               const std::filesystem::path& folder = golden_folder()) {
  const auto files = files_holding(tensors, folder);
  if (files.empty() && golden_folder_is_chosen()) GTEST_SKIP() << "none in " << folder;
  EXPECT_FALSE(files.empty()) << "none in " << folder;
  for (const auto& path : files) check_file(path);
}

/// Every file of the mLSTM with a sigmoid as its input gate, as check_mlstm.
inline void check_mlstm_of_sigmoids(DType dtype, std::int64_t chunk,
                                    Device device = Device::cpu()) {
  check_all(
      kMlstmTensors, [&](const auto& path) { check_mlstm(path, dtype, chunk, device); },
      golden_baselines_folder());
}

/// Every file of the LSTM in the sLSTM's place.
inline void check_lstm(DType dtype, Device device = Device::cpu()) {
  check_all(
      kSlstmTensors,
      [&](const auto& path) { check_slstm(path, dtype, device, kernels::ScalarMemory::lstm); },
      golden_baselines_folder());
}

}  // namespace xlab::tests
