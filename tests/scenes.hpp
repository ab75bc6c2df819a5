// Snapshots to draw and explain: a small model that recalls, computed here in plain doubles, and
// versions of it that are empty, tiny, huge or full of numbers that are none.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/snapshot.hpp"
#include "tests/described.hpp"

namespace xlab::tests {

/// Repeatable numbers in [-1, 1).
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(seed * 2654435761u + 88172645463325252u) {}
  double next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(state_ >> 11) / 4503599627370496.0 - 1.0;
  }
  std::vector<double> unit_vector(int size) {
    std::vector<double> v(static_cast<std::size_t>(size));
    double norm = 0.0;
    for (double& x : v) {
      x = next();
      norm += x * x;
    }
    for (double& x : v) x /= std::sqrt(std::max(norm, 1e-12));
    return v;
  }

 private:
  std::uint64_t state_;
};

inline double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}
inline double log_sigmoid(double x) {
  return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
}

/// No two of these numbers are the same, so that none can stand in for another unnoticed.
struct SceneShape {
  int heads = 3, key_dim = 12, value_dim = 20;  ///< of the matrix cell
  int slstm_heads = 4, units = 10;              ///< of the scalar cell
  int length = 17;
  int cursor = 15;
  bool with_slstm = true;
  bool lstm = false;  ///< instead of the sLSTM
};

class SceneBuilder {
 public:
  explicit SceneBuilder(SceneShape shape) : shape_(shape) {
    for (const char* label : {"a", "b", "c", "d", "e", "f", "g", "h", "0", "1", "2", "3", "4", "5",
                              "6", "7", "8", "9", "?"}) {
      vocabulary_.push_back(label);
    }
    const std::vector<int> recall{0, 11, 1, 15, 2, 9, 3, 17, 4, 10, 5, 13, 6, 16, 1, 18, 15};
    for (int t = 0; t < shape_.length; ++t) {
      tokens_.push_back(recall[static_cast<std::size_t>(t) % recall.size()]);
    }
    if (shape_.with_slstm) mix();
  }

  std::shared_ptr<const Trace> trace(const std::vector<Clamp>& clamps) {
    auto result = std::make_shared<Trace>();
    mlstm_ = {};
    slstm_ = {};
    memory_.clear();
    before_.clear();
    for (int t = 0; t < shape_.length; ++t) {
      auto token = std::make_shared<TokenTrace>();
      mlstm_step(*token, t, clamps);
      if (shape_.with_slstm && shape_.lstm) lstm_step(*token, t, clamps);
      if (shape_.with_slstm && !shape_.lstm) slstm_step(*token, t, clamps);
      result->steps.push_back(token);
    }
    return result;
  }

  Snapshot build(const std::vector<Clamp>& clamps = {}) {
    Snapshot s;
    s.id = 1;
    s.trace_id = 1;
    s.device = {"cpu", "CPU (Eigen, 2 threads)", std::size_t{16} << 30};
    auto model = std::make_shared<ModelCard>();
    model->name = "recall";
    model->vocabulary = vocabulary_;
    model->embedding_dim = 64;
    model->context_length = 64;
    model->parameters = 81234;
    model->blocks.push_back({.kind = "mlstm",
                             .title = "mLSTM",
                             .has_matrix = true,
                             .heads = shape_.heads,
                             .key_dim = shape_.key_dim,
                             .value_dim = shape_.value_dim,
                             .parameters = 40000,
                             .prefix = "block0/mlstm",
                             .scan = Scan::mlstm,
                             .values = values_of("block0/mlstm")});
    if (shape_.with_slstm) {
      model->blocks.push_back({.kind = shape_.lstm ? "lstm" : "slstm",
                               .title = shape_.lstm ? "LSTM" : "sLSTM",
                               .heads = shape_.slstm_heads,
                               .key_dim = shape_.units,
                               .value_dim = shape_.units,
                               .parameters = 30000,
                               .prefix = shape_.lstm ? "block1/lstm" : "block1/slstm",
                               .scan = shape_.lstm ? Scan::other : Scan::slstm,
                               .values = values_of(shape_.lstm ? "block1/lstm" : "block1/slstm")});
    }
    s.model = model;
    s.sequence.tokens = tokens_;
    s.sequence.cursor = shape_.cursor;
    s.sequence.prompt_length = std::min(16, shape_.length);
    s.sequence.expected.assign(tokens_.size() + 1, -1);
    s.sequence.answer_surprise.assign(tokens_.size() + 1, 0.0f);
    s.sequence.top_choice.assign(tokens_.size() + 1, -1);
    Noise noise(5);
    for (int t = 0; t < shape_.length; ++t) {
      const bool digit = t % 2 == 1;
      s.sequence.surprise.push_back(
          t == 0 ? 0.0f : static_cast<float>((digit ? 2.2 : 2.0) + 0.4 * noise.next()));
    }
    if (shape_.length > 16) {
      s.sequence.surprise[15] = 0.05f;
      s.sequence.surprise[16] = 0.11f;
      s.sequence.expected[16] = 15;
      s.sequence.answer_surprise[16] = 0.11f;
      s.sequence.top_choice[16] = 15;
    }
    s.sequence.clamps = clamps;
    if (!clamps.empty()) {
      s.unclamped = trace({});
      unclamped_ = next_token().probabilities;
    }
    s.trace = trace(clamps);
    NextToken next = next_token();
    if (!clamps.empty()) {
      next.unclamped = unclamped_;
      for (std::size_t i = 0; i < next.unclamped.size(); ++i) {
        next.kl_nats += next.unclamped[i] *
                        std::log(next.unclamped[i] / std::max(next.probabilities[i], 1e-30f));
      }
    }
    s.next = std::make_shared<NextToken>(std::move(next));
    auto memory = std::make_shared<MemoryImage>();
    memory->block = 0;
    memory->step = shape_.cursor;
    memory->heads = shape_.heads;
    memory->key_dim = shape_.key_dim;
    memory->value_dim = shape_.value_dim;
    memory->C.assign(memory_.begin(), memory_.end());
    memory->previous = before_;
    memory->previous.resize(memory_.size(), 0.0f);
    s.memory = memory;
    s.mixing = mixing_;
    auto losses = std::make_shared<std::vector<LossPoint>>();
    double smoothed = 2.95;
    for (int step = 0; step < 1200; ++step) {
      const double loss =
          0.15 + 2.8 * std::exp(-step / 260.0) + 0.25 * noise.next() * std::exp(-step / 700.0);
      smoothed = 0.97 * smoothed + 0.03 * loss;
      losses->push_back({step, static_cast<float>(loss), static_cast<float>(smoothed)});
    }
    s.losses = std::make_shared<const LossCurve>(*losses);
    s.train.step = 1200;
    s.train.loss = losses->back().loss;
    s.train.smoothed_loss = losses->back().smoothed;
    return s;
  }

 private:
  /// A recurrent matrix and biases of the scalar cell.
  void mix() {
    auto image = std::make_shared<MixingImage>();
    image->block = 1;
    image->step = 1200;
    image->gates = 4;
    image->heads = shape_.slstm_heads;
    image->units = shape_.units;
    const auto rows = static_cast<std::size_t>(4 * shape_.slstm_heads * shape_.units);
    const auto units = static_cast<std::size_t>(shape_.units);
    Noise noise(77);
    for (std::size_t i = 0; i < rows * units; ++i)
      image->R.push_back(static_cast<float>(0.9 * noise.next() / std::sqrt(shape_.units)));
    for (std::size_t i = 0; i < rows; ++i) image->b.push_back(static_cast<float>(noise.next()));
    mixing_ = image;
  }

  /// R h of one pre-activation, `before` being (heads, units) of h one step before.
  double mixed(int gate, int head, int unit, const std::vector<double>& before) const {
    double sum = 0.0;
    for (int from = 0; from < shape_.units; ++from)
      sum += static_cast<double>(mixing_->weight(gate, head, unit, from)) *
             before[static_cast<std::size_t>(head * shape_.units + from)];
    return sum;
  }

  std::vector<double> outputs() const {
    std::vector<double> h;
    for (const SlstmUnit& unit : slstm_) h.push_back(unit.h);
    return h;
  }

  static double clamped(const std::vector<Clamp>& clamps, const std::string& path, int head,
                        int unit, int step, double value) {
    for (const Clamp& c : clamps) {
      if (c.enabled && c.path == path && c.head == head && c.unit == unit && step >= c.begin &&
          step < c.end) {
        value = c.value;
      }
    }
    return value;
  }

  static Recorded& add(TokenTrace& token, const std::string& path, int heads, int dim) {
    Recorded& r = token.values[path];
    r.heads = heads;
    r.dim = dim;
    r.values.resize(static_cast<std::size_t>(heads) * static_cast<std::size_t>(dim));
    return r;
  }

  std::vector<double> embedding(int token, int head, int size, int kind) const {
    return Noise(static_cast<std::uint64_t>(token * 100 + head * 10 + kind + 1)).unit_vector(size);
  }

  struct MlstmHead {
    double m = 0.0;
    std::vector<double> C, n;
  };

  void mlstm_step(TokenTrace& token, int t, const std::vector<Clamp>& clamps) {
    const int H = shape_.heads, K = shape_.key_dim, V = shape_.value_dim;
    mlstm_.resize(static_cast<std::size_t>(H));
    const std::string p = "block0/mlstm/";
    Recorded& i_pre = add(token, p + "input_gate_pre", H, 1);
    Recorded& f_pre = add(token, p + "forget_gate_pre", H, 1);
    Recorded& i_gate = add(token, p + "input_gate", H, 1);
    Recorded& f_gate = add(token, p + "forget_gate", H, 1);
    Recorded& f_sigmoid = add(token, p + "forget_gate_sigmoid", H, 1);
    Recorded& m_out = add(token, p + "m", H, 1);
    Recorded& s_out = add(token, p + "s", H, 1);
    Recorded& normalizer = add(token, p + "normalizer", H, 1);
    Recorded& q_out = add(token, p + "q", H, K);
    Recorded& k_out = add(token, p + "k", H, K);
    Recorded& n_out = add(token, p + "n", H, K);
    Recorded& v_out = add(token, p + "v", H, V);
    Recorded& h_out = add(token, p + "h", H, V);
    Recorded& o_pre = add(token, p + "output_gate_pre", H, V);
    Recorded& o_gate = add(token, p + "output_gate", H, V);
    const int now = tokens_[static_cast<std::size_t>(t)];
    const int before = t > 0 ? tokens_[static_cast<std::size_t>(t - 1)] : now;
    const bool answer = now >= 8 && now < 18;
    std::vector<float> all_C;
    for (int h = 0; h < H; ++h) {
      MlstmHead& state = mlstm_[static_cast<std::size_t>(h)];
      state.C.resize(static_cast<std::size_t>(K) * static_cast<std::size_t>(V));
      state.n.resize(static_cast<std::size_t>(K));
      Noise noise(static_cast<std::uint64_t>(1000 + t * 17 + h));
      const auto at = [&](Recorded& r, int unit) -> float& {
        return r.values[static_cast<std::size_t>(h) * static_cast<std::size_t>(r.dim) +
                        static_cast<std::size_t>(unit)];
      };
      const float i = static_cast<float>(clamped(clamps, p + "input_gate_pre", h, 0, t,
                                                 (answer ? 1.8 : -3.0) + 0.4 * noise.next()));
      const float f = static_cast<float>(
          clamped(clamps, p + "forget_gate_pre", h, 0, t, 4.2 - 1.1 * h + 0.5 * noise.next()));
      const double a = log_sigmoid(f) + state.m;
      const float m = static_cast<float>(std::max(a, static_cast<double>(i)));
      const double fg = std::exp(a - m), ig = std::exp(i - m);
      const std::vector<double> k = embedding(before, h, K, 1);
      const std::vector<double> q = embedding(now == 18 ? before : now, h, K, 1);
      const std::vector<double> v = embedding(now, 0, V, 2);
      double s = 0.0;
      for (int r = 0; r < K; ++r) {
        const auto row = static_cast<std::size_t>(r);
        state.n[row] = fg * state.n[row] + ig * k[row];
        s += q[row] * state.n[row];
        for (int c = 0; c < V; ++c) {
          double& cell = state.C[row * static_cast<std::size_t>(V) + static_cast<std::size_t>(c)];
          cell = fg * cell + ig * k[row] * v[static_cast<std::size_t>(c)];
        }
        at(q_out, r) = static_cast<float>(q[row]);
        at(k_out, r) = static_cast<float>(k[row]);
        at(n_out, r) = static_cast<float>(state.n[row]);
      }
      const double N = std::max(std::abs(s), std::exp(-static_cast<double>(m)));
      for (int c = 0; c < V; ++c) {
        double sum = 0.0;
        for (int r = 0; r < K; ++r) {
          sum += state.C[static_cast<std::size_t>(r) * static_cast<std::size_t>(V) +
                         static_cast<std::size_t>(c)] *
                 q[static_cast<std::size_t>(r)];
        }
        at(h_out, c) = static_cast<float>(sum / (N + 1e-6));
        at(v_out, c) = static_cast<float>(v[static_cast<std::size_t>(c)]);
        const double z = 2.0 * noise.next();
        at(o_pre, c) = static_cast<float>(z);
        at(o_gate, c) = static_cast<float>(z * sigmoid(z));
      }
      at(i_pre, 0) = i;
      at(f_pre, 0) = f;
      at(i_gate, 0) = static_cast<float>(ig);
      at(f_gate, 0) = static_cast<float>(fg);
      at(f_sigmoid, 0) = static_cast<float>(sigmoid(f));
      at(m_out, 0) = m;
      at(s_out, 0) = static_cast<float>(s);
      at(normalizer, 0) = static_cast<float>(N);
      state.m = m;
      all_C.insert(all_C.end(), state.C.begin(), state.C.end());
    }
    if (t + 1 == shape_.cursor) before_ = all_C;
    if (t == shape_.cursor) {
      memory_ = all_C;
      read_.assign(h_out.values.begin(), h_out.values.begin() + V);
    }
  }

  struct SlstmUnit {
    double c = 0.0, n = 0.0, m = 0.0, h = 0.0;
  };

  void slstm_step(TokenTrace& token, int t, const std::vector<Clamp>& clamps) {
    const int H = shape_.slstm_heads, D = shape_.units;
    slstm_.resize(static_cast<std::size_t>(H) * static_cast<std::size_t>(D));
    const std::string p = "block1/slstm/";
    std::vector<Recorded*> out;
    for (const char* name :
         {"input_gate_pre", "forget_gate_pre", "cell_input_pre", "output_gate_pre", "input_gate",
          "forget_gate", "forget_gate_sigmoid", "cell_input", "output_gate", "c", "n", "m", "h"}) {
      out.push_back(&add(token, p + name, H, D));
    }
    std::vector<Recorded*> token_parts;
    for (const char* name : {"input_gate_wx", "forget_gate_wx", "cell_input_wx", "output_gate_wx"})
      token_parts.push_back(&add(token, p + name, H, D));
    const std::vector<double> before = outputs();
    for (std::size_t u = 0; u < slstm_.size(); ++u) {
      SlstmUnit& s = slstm_[u];
      const int head = static_cast<int>(u) / D, unit = static_cast<int>(u) % D;
      Noise noise(static_cast<std::uint64_t>(t * 331 + static_cast<int>(u) * 7 + 3));
      std::size_t gate = 0;
      const auto pre = [&](const char* name, double value) {
        const double others = mixed(static_cast<int>(gate), head, unit, before) +
                              static_cast<double>(mixing_->b[gate * slstm_.size() + u]);
        token_parts[gate++]->values[u] = static_cast<float>(value - others);
        return static_cast<float>(clamped(clamps, p + name, head, unit, t, value));
      };
      const float i = pre("input_gate_pre", std::sin(0.7 * t + unit) + 0.3 * noise.next());
      const float f = pre("forget_gate_pre", 5.0 - 10.0 * unit / std::max(D - 1, 1) + 0.3 * s.h);
      const float z = pre("cell_input_pre", 1.5 * noise.next());
      const float o = pre("output_gate_pre", 1.0 + noise.next());
      const double a = log_sigmoid(f) + s.m;
      const bool first = s.n == 0.0;
      const double m = first ? i : std::max(static_cast<double>(i), a);
      const double fg = first ? 0.0 : std::exp(a - m), ig = std::exp(i - m);
      s.c = fg * s.c + ig * std::tanh(z);
      s.n = fg * s.n + ig;
      s.m = m;
      s.h = sigmoid(o) * s.c / s.n;
      const double values[] = {i,          f,   z,   o,   ig, fg, sigmoid(f), std::tanh(z),
                               sigmoid(o), s.c, s.n, s.m, s.h};
      for (std::size_t j = 0; j < out.size(); ++j) {
        out[j]->values[u] = static_cast<float>(values[j]);
      }
    }
  }

  void lstm_step(TokenTrace& token, int t, const std::vector<Clamp>& clamps) {
    const int H = shape_.slstm_heads, D = shape_.units;
    slstm_.resize(static_cast<std::size_t>(H) * static_cast<std::size_t>(D));
    const std::string p = "block1/lstm/";
    std::vector<Recorded*> out;
    for (const char* name :
         {"input_gate_pre", "forget_gate_pre", "cell_input_pre", "output_gate_pre", "input_gate",
          "forget_gate", "cell_input", "output_gate", "c", "h"}) {
      out.push_back(&add(token, p + name, H, D));
    }
    std::vector<Recorded*> token_parts;
    for (const char* name : {"input_gate_wx", "forget_gate_wx", "cell_input_wx", "output_gate_wx"})
      token_parts.push_back(&add(token, p + name, H, D));
    const std::vector<double> before = outputs();
    for (std::size_t u = 0; u < slstm_.size(); ++u) {
      SlstmUnit& s = slstm_[u];
      const int head = static_cast<int>(u) / D, unit = static_cast<int>(u) % D;
      Noise noise(static_cast<std::uint64_t>(t * 337 + static_cast<int>(u) * 11 + 5));
      std::size_t gate = 0;
      const auto pre = [&](const char* name, double value) {
        const double others = mixed(static_cast<int>(gate), head, unit, before) +
                              static_cast<double>(mixing_->b[gate * slstm_.size() + u]);
        token_parts[gate++]->values[u] = static_cast<float>(value - others);
        return static_cast<float>(clamped(clamps, p + name, head, unit, t, value));
      };
      const float i = pre("input_gate_pre", std::sin(0.6 * t + unit) + 0.3 * noise.next());
      const float f = pre("forget_gate_pre", 4.0 - 7.0 * unit / std::max(D - 1, 1) + 0.3 * s.h);
      const float z = pre("cell_input_pre", 1.5 * noise.next());
      const float o = pre("output_gate_pre", 0.8 + noise.next());
      s.c = sigmoid(f) * s.c + sigmoid(i) * std::tanh(z);
      s.h = sigmoid(o) * std::tanh(s.c);
      const double values[] = {i,          f,   z,  o, sigmoid(i), sigmoid(f), std::tanh(z),
                               sigmoid(o), s.c, s.h};
      for (std::size_t j = 0; j < out.size(); ++j)
        out[j]->values[u] = static_cast<float>(values[j]);
    }
  }

  NextToken next_token() const {
    NextToken next;
    double sum = 0.0;
    for (int token = 0; token < static_cast<int>(vocabulary_.size()); ++token) {
      const std::vector<double> v = embedding(token, 0, shape_.value_dim, 2);
      double dot = 0.0;
      for (std::size_t c = 0; c < v.size() && c < read_.size(); ++c) dot += v[c] * read_[c];
      next.logits.push_back(static_cast<float>(7.0 * dot));
      sum += std::exp(next.logits.back());
    }
    for (const float logit : next.logits) {
      next.probabilities.push_back(static_cast<float>(std::exp(logit) / sum));
    }
    next.sampling = next.probabilities;
    return next;
  }

  SceneShape shape_;
  std::vector<std::string> vocabulary_;
  std::vector<int> tokens_;
  std::vector<MlstmHead> mlstm_;
  std::vector<SlstmUnit> slstm_;
  std::shared_ptr<const MixingImage> mixing_;
  std::vector<float> memory_, before_;  // at the cursor, and one step earlier
  std::vector<double> read_;
  std::vector<float> unclamped_;
};

/// A clamp that makes head 0 of the matrix memory forget at one step.
inline Clamp forgetting(int step) {
  return {"block0/mlstm/forget_gate_pre", 0, 0, step, step + 1, -6.0f};
}

inline Snapshot recall_scene() {
  return SceneBuilder({}).build();
}
inline Snapshot clamped_scene() {
  return SceneBuilder({}).build({forgetting(9)});
}

inline Snapshot one_token_scene() {
  SceneShape shape;
  shape.length = 1;
  shape.cursor = 0;
  return SceneBuilder(shape).build();
}

/// One head, one unit, one key, one value.
inline Snapshot tiny_scene() {
  SceneShape shape;
  shape.heads = shape.key_dim = shape.value_dim = shape.slstm_heads = shape.units = 1;
  return SceneBuilder(shape).build();
}

/// Sizes of which none divides another, and a vocabulary with long names.
inline Snapshot odd_scene() {
  SceneShape shape;
  shape.heads = 5;
  shape.key_dim = 7;
  shape.value_dim = 23;
  shape.slstm_heads = 3;
  shape.units = 11;
  shape.length = 13;
  shape.cursor = 11;
  Snapshot s = SceneBuilder(shape).build({forgetting(9)});
  auto model = std::make_shared<ModelCard>(*s.model);
  for (std::size_t i = 0; i < model->vocabulary.size(); i += 2) {
    model->vocabulary[i] = " token of many letters " + std::to_string(i * 1111);
  }
  s.model = model;
  for (float& surprise : s.sequence.surprise) surprise *= 321.0f;
  return s;
}

/// An LSTM in the sLSTM's place.
inline Snapshot lstm_scene() {
  SceneShape shape;
  shape.lstm = true;
  shape.slstm_heads = 5;
  shape.units = 9;
  return SceneBuilder(shape).build();
}

inline Snapshot wide_scene() {
  SceneShape shape;
  shape.heads = 8;
  shape.key_dim = 128;
  shape.value_dim = 256;
  shape.slstm_heads = 4;
  shape.units = 256;
  return SceneBuilder(shape).build();
}

inline Snapshot long_scene() {
  SceneShape shape;
  shape.length = 5000;
  shape.cursor = 4000;
  return SceneBuilder(shape).build();
}

/// A model without a sequence, as right after opening it.
inline Snapshot silent_scene() {
  Snapshot s = recall_scene();
  s.sequence = {};
  s.trace = nullptr;
  s.next = nullptr;
  s.memory = nullptr;
  s.losses = nullptr;
  return s;
}

/// A task that asks at every place but the first two, for something else than the token that stands
/// there. The model is right at some, wrong at others, gave no number at step 8, and has not been
/// asked yet at the last two.
inline Snapshot asking_scene() {
  Snapshot s = recall_scene();
  const std::size_t places = s.sequence.tokens.size() + 1;
  s.sequence.expected.assign(places, -1);
  s.sequence.answer_surprise.assign(places, 0.0f);
  s.sequence.top_choice.assign(places, -1);
  for (std::size_t t = 2; t < places; ++t) {
    s.sequence.expected[t] = t % 3 == 0 ? 4 : 6;  // "e" or "g"
    if (t + 2 >= places) continue;
    s.sequence.top_choice[t] = t % 4 == 1 ? 7 : s.sequence.expected[t];
    s.sequence.answer_surprise[t] = 0.25f * static_cast<float>(t);
  }
  s.sequence.top_choice[8] = -1;
  s.sequence.answer_surprise[8] = std::numeric_limits<float>::quiet_NaN();
  return s;
}

/// A few steps into training: the losses lie about the line of a uniform guess.
inline Snapshot young_scene() {
  Snapshot s = recall_scene();
  const float each[] = {3.31f, 3.04f, 3.17f, 2.98f, 3.02f, 2.93f, 2.95f};
  auto losses = std::make_shared<std::vector<LossPoint>>();
  float smoothed = each[0];
  for (const float loss : each) {
    smoothed = 0.8f * smoothed + 0.2f * loss;
    losses->push_back({static_cast<std::int64_t>(losses->size()), loss, smoothed});
  }
  s.losses = std::make_shared<const LossCurve>(*losses);
  s.train.step = static_cast<std::int64_t>(losses->size());
  s.train.loss = losses->back().loss;
  s.train.smoothed_loss = smoothed;
  return s;
}

/// So many runs beside each other, of three tasks; the second one (or the only one) is on screen.
/// No two have the same number of steps or the same losses.
inline Snapshot several_scene(int count) {
  Snapshot s = recall_scene();
  const char* const names[] = {"Associative recall", "Associative recall, seed 2", "Parity",
                               "A text with a rather long name.txt"};
  for (int i = 0; i < count; ++i) {
    Noise noise(static_cast<std::uint64_t>(70 + i));
    std::vector<LossPoint> losses;
    double smoothed = 2.9;
    for (int step = 0; step < 1500 - 170 * i; ++step) {
      const double loss = 0.1 + 0.03 * i + 2.8 * std::exp(-step / (150.0 + 90.0 * i)) +
                          0.2 * noise.next() * std::exp(-step / 600.0);
      smoothed = 0.95 * smoothed + 0.05 * loss;
      losses.push_back({step, static_cast<float>(loss), static_cast<float>(smoothed)});
    }
    RunCard run;
    run.id = 11 + 3 * i;
    run.name = names[i % 4];
    if (i >= 4) run.name += ", no. " + std::to_string(i);
    run.task = i % 4 == 3 ? "a text" : i % 4 == 2 ? "Parity" : "Associative recall";
    run.model = "recall";
    run.colour = (i + 2) % RunCard::kColours;
    run.step = static_cast<std::int64_t>(losses.size());
    run.loss = losses.back().loss;
    run.smoothed_loss = losses.back().smoothed;
    run.losses = std::make_shared<const LossCurve>(losses);
    s.runs.push_back(std::make_shared<const RunCard>(run));
  }
  const RunCard& shown = *s.runs[count > 1 ? 1 : 0];
  s.focused_run = shown.id;
  s.losses = shown.losses;
  s.train.step = shown.step;
  s.train.loss = shown.loss;
  s.train.smoothed_loss = shown.smoothed_loss;
  return s;
}

/// Of five runs the second one is on screen and the others read its sequence; the fourth has not
/// computed the place at the cursor yet.
inline Snapshot followed_scene() {
  Snapshot s = several_scene(5);
  for (auto& run : s.runs) {
    auto card = std::make_shared<RunCard>(*run);
    card->sequence = 4;
    run = card;
  }
  for (const auto& run : s.runs) {
    if (run->id == s.focused_run) continue;
    auto view = std::make_shared<FollowerView>();
    view->run = run->id;
    if (run != s.runs[3]) {
      Noise noise(static_cast<std::uint64_t>(900 + run->id));
      auto next = std::make_shared<NextToken>(*s.next);
      double sum = 0.0;
      for (float& p : next->probabilities) {
        p = std::exp(2.5f * static_cast<float>(noise.next()));
        sum += static_cast<double>(p);
      }
      for (float& p : next->probabilities) p = static_cast<float>(static_cast<double>(p) / sum);
      view->next = next;
    }
    s.followers.push_back(view);
  }
  return s;
}

/// Labels with blanks, controls, quotes and letters of several bytes.
inline Snapshot text_scene() {
  Snapshot s = recall_scene();
  auto model = std::make_shared<ModelCard>(*s.model);
  model->vocabulary = {"T", " ", "\n", "e", "\t", "h", "i",    "s",    "w", "o",
                       "r", "d", "ü",  "—", "\"", ",", "\x01", "\xff", ""};
  s.model = model;
  s.sequence.prompt_length = 9;
  // A text asks for every token and has no answers.
  s.sequence.expected.clear();
  s.sequence.answer_surprise.clear();
  return s;
}

/// Every third recorded number and every seventh cell of the memory is NaN or infinite.
inline Snapshot broken_scene() {
  Snapshot s = recall_scene();
  const float odd[] = {std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  auto trace = std::make_shared<Trace>();
  std::size_t count = 0;
  for (const auto& step : s.trace->steps) {
    auto copy = std::make_shared<TokenTrace>(*step);
    for (auto& entry : copy->values) {
      for (float& value : entry.second.values) {
        if (++count % 3 == 0) value = odd[count / 3 % 3];
      }
    }
    trace->steps.push_back(copy);
  }
  s.trace = trace;
  auto memory = std::make_shared<MemoryImage>(*s.memory);
  for (std::size_t i = 0; i < memory->C.size(); i += 7) memory->C[i] = odd[i % 3];
  s.memory = memory;
  auto next = std::make_shared<NextToken>(*s.next);
  next->probabilities[2] = odd[0];
  next->logits[3] = odd[1];
  next->logits[4] = odd[2];
  s.next = next;
  for (std::size_t i = 1; i < s.sequence.surprise.size(); i += 4)
    s.sequence.surprise[i] = odd[i % 3];
  std::vector<LossPoint> losses(s.losses->begin(), s.losses->end());
  for (std::size_t i = 100; i < losses.size(); i += 9) losses[i].loss = odd[i % 3];
  s.losses = std::make_shared<const LossCurve>(losses);
  s.train.loss = odd[0];
  return s;
}

}  // namespace xlab::tests
