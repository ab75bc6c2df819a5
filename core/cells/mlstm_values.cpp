// What can be seen of the mLSTM: gates with one number a head, a matrix memory, and its stabilizer.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/cells/list.hpp"
#include "core/cells/right_side.hpp"

namespace xlab {
namespace {

using Evaluated = std::optional<Side>;

Evaluated forget_share(Place& p) {
  return sigmoid_side(p, "forget_gate_pre");
}
Evaluated forget_exponential(Place& p) {
  return exponential_side(p, "forget_gate_pre");
}
Evaluated input_share(Place& p) {
  return sigmoid_side(p, "input_gate_pre");
}
Evaluated input_exponential(Place& p) {
  return exponential_side(p, "input_gate_pre");
}
Evaluated input_stabilised(Place& p) {
  return stabilised_input_side(p);
}
Evaluated forget_stabilised(Place& p) {
  return stabilised_forget_side(p);
}
Evaluated stabilizer(Place& p) {
  return stabilizer_side(p);
}

/// With an exponential forget gate the kernels begin at the first write, not at 0.
Evaluated first_stabilizer(Place& p) {
  if (p.step() == 0) return Side{"i, the first write", p.now("input_gate_pre")};
  return stabilizer_side(p);
}
Evaluated first_forget(Place& p) {
  if (p.step() == 0) return Side{"nothing to keep yet", 0.0};
  return stabilised_forget_side(p);
}

Evaluated memory_side(Place& p) {
  const auto cell = matrix_cell(p);
  if (!cell) return std::nullopt;
  const auto [key, value] = *cell;
  double before = 0.0;
  if (p.step() > 0) {
    const std::vector<double> column = memory_column(p, p.step() - 1, value);
    if (column.empty()) return std::nullopt;
    before = column[static_cast<std::size_t>(key)];
  }
  const double forget = p.at("forget_gate", p.step(), 0);
  const double input = p.at("input_gate", p.step(), 0);
  const double k = p.at("k", p.step(), key), v = p.at("v", p.step(), value);
  return Side{number(forget) + " · " + term(before) + " + " + number(input) + " · " + term(k) +
                  " · " + term(v),
              forget * before + input * k * v};
}

Evaluated write_side(Place& p) {
  const auto cell = matrix_cell(p);
  if (!cell) return std::nullopt;
  const double input = p.at("input_gate", p.step(), 0);
  const double k = p.at("k", p.step(), cell->first), v = p.at("v", p.step(), cell->second);
  return Side{number(input) + " · " + term(k) + " · " + term(v), input * k * v};
}

Evaluated read_side(Place& p) {
  int keys = 0;
  const float* q = p.head_values("q", p.step(), &keys);
  const std::vector<double> column = memory_column(p, p.step(), p.unit());
  if (!q || static_cast<int>(column.size()) != keys) return std::nullopt;
  double sum = 0.0;
  for (int key = 0; key < keys; ++key) sum += column[static_cast<std::size_t>(key)] * q[key];
  const double N = p.now("normalizer"), eps = p.variant().added();
  if (eps == 0.0) return Side{number(sum) + " / " + term(N), sum / N};
  return Side{number(sum) + " / (" + number(N) + " + " + number(eps) + ")", sum / (N + eps)};
}

Evaluated denominator(Place& p) {
  const double s = p.now("s"), m = p.now("m");
  return Side{"max(|" + number(s) + "|, exp(−" + term(m) + "))",
              std::max(std::abs(s), std::exp(-m))};
}
Evaluated denominator_from_one(Place& p) {
  const double s = p.now("s");
  return Side{"max(|" + number(s) + "|, 1)", std::max(std::abs(s), 1.0)};
}

Evaluated floor_of_stabilizer(Place& p) {
  const double m = p.now("m");
  return Side{"exp(−" + term(m) + ")", std::exp(-m)};
}
/// The choices as the texts need them.
struct Words {
  explicit Words(const CellVariant& v)
      : exponential(v.forget_gate == ForgetGate::exponential),
        sigmoid(v.input_gate == InputGate::sigmoid),
        plain(!v.stabilised()),
        floor_one(plain || v.denominator_floor == DenominatorFloor::one),
        divided(v.normalizer),
        capped(v.gate_soft_cap > 0.0),
        queries_scaled(v.scale == Scaled::queries),
        other_eps(v.eps != CellVariant{}.eps) {}

  bool exponential;  ///< of the forget gate
  bool sigmoid;      ///< of the input gate
  bool plain, floor_one, divided, capped, queries_scaled, other_eps;
  std::string share() const { return exponential ? "exp(f)" : "σ(f)"; }
  /// After numbers of the memory: what they stand for.
  std::string scale() const { return plain ? "any number" : "divided by exp(m)"; }
  std::string log_share() const { return exponential ? "f" : "log σ(f)"; }
};

ValueCard stabilizer_card(const Words& w) {
  ValueCard m{.name = "m",
              .symbol = "m",
              .title = "stabilizer",
              .extent = Extent::head,
              .role = Role::state,
              .span = Span::logarithm,
              .logarithm_of = "scale"};
  if (w.sigmoid) {
    m.words = "This cell has no m: what is written weighs σ(i), which is at most 1.";
    m.equation = "no m";
    m.range = "0";
    m.span = Span::any;
    m.logarithm_of.clear();
    return m;
  }
  if (w.plain) {
    m.words = "Switched off: the memory is stored as it is.";
    m.equation = "m_t = 0";
    m.range = "0";
    return m;
  }
  m.range = "logarithm, any number";
  m.inputs = {"forget_gate_pre", "m@-1", "input_gate_pre"};
  if (w.exponential) {
    m.words =
        "The scale of the memory, as a logarithm: everything is stored divided by exp(m). At the "
        "first write it is i itself.";
    m.equation = "m_t = max(f_t + m_{t−1}, i_t), m_0 = i_0";
    m.side = first_stabilizer;
  } else {
    m.words =
        "The scale of the memory, as a logarithm: everything is stored divided by exp(m), so that "
        "no exponential overflows.";
    m.equation = "m_t = max(log σ(f_t) + m_{t−1}, i_t)";
    m.side = stabilizer;
  }
  return m;
}

ValueCard forget_gate_card(const Words& w) {
  ValueCard f{.name = "forget_gate",
              .symbol = "f'",
              .extent = Extent::head,
              .role = Role::gate,
              .span = Span::share};
  if (w.plain) {
    f.title = "forget gate";
    f.words = w.exponential ? "What the old memory is multiplied with; above 1 it grows."
                            : "What the old memory is multiplied with.";
    f.equation = w.exponential ? "f'_t = exp(f_t)" : "f'_t = σ(f_t)";
    f.range = w.exponential ? "above 0" : "0..1";
    f.inputs = {"forget_gate_pre"};
    f.side = w.exponential ? forget_exponential : forget_share;
    return f;
  }
  f.title = "forget gate, stabilised";
  f.words = "What the old memory is multiplied with: what is kept, moved to the new scale.";
  f.equation = w.exponential ? "f'_t = exp(f_t + m_{t−1} − m_t), f'_0 = 0"
                             : "f'_t = exp(log σ(f_t) + m_{t−1} − m_t)";
  f.range = "0..1";
  f.inputs = {"forget_gate_pre", "m@-1", "m"};
  f.side = w.exponential ? first_forget : forget_stabilised;
  return f;
}

ValueCard input_pre_card(const Words& w) {
  ValueCard i{.name = "input_gate_pre",
              .symbol = "i",
              .title = "input gate, pre-activation",
              .equation = w.capped ? "i_t = c · tanh((w · x_t + b) / c)" : "i_t = w · x_t + b",
              .extent = Extent::head,
              .role = Role::pre_activation,
              .span = Span::pre_activation,
              .clampable = true};
  if (w.sigmoid) {
    i.words =
        "How strongly this token asks to be written, before squashing: +5 writes it nearly whole, "
        "−5 hardly at all";
    i.range = w.capped ? "−c..c" : "any number";
  } else {
    i.words = "How strongly this token asks to be written, as the logarithm of its weight";
    i.range = w.capped ? "log weight, −c..c" : "log weight, any number";
    i.logarithm_of = "weight";
  }
  i.words += w.capped ? "; softly capped." : ".";
  return i;
}

ValueCard input_gate_card(const Words& w) {
  ValueCard i{.name = "input_gate",
              .symbol = "i'",
              .title = "input gate",
              .inputs = {"input_gate_pre"},
              .extent = Extent::head,
              .role = Role::gate,
              .span = Span::share};
  if (w.sigmoid) {
    i.words = "The weight with which this token is written.";
    i.equation = "i'_t = σ(i_t)";
    i.range = "0..1";
    i.side = input_share;
  } else if (w.plain) {
    i.words = "The weight with which this token is written; large ones overflow.";
    i.equation = "i'_t = exp(i_t)";
    i.range = "above 0";
    i.side = input_exponential;
  } else {
    i.title = "input gate, stabilised";
    i.words = "The weight with which this token is written, relative to the scale of the memory.";
    i.equation = "i'_t = exp(i_t − m_t)";
    i.range = "0..1";
    i.inputs = {"input_gate_pre", "m"};
    i.side = input_stabilised;
  }
  return i;
}

ValueCard normalizer_card(const Words& w) {
  ValueCard N{.name = "normalizer",
              .symbol = "N",
              .title = "normalizer",
              .extent = Extent::head,
              .role = Role::reading};
  if (w.divided) {
    N.words = w.floor_one ? "What the read-out is divided by; at least 1."
                          : "What the read-out is divided by; the floor exp(−m) stands for 1 "
                            "before stabilisation.";
    N.equation = w.floor_one ? "N_t = max(|s_t|, 1)" : "N_t = max(|s_t|, exp(−m_t))";
    N.range = w.floor_one ? "1 or more" : "above 0";
    N.inputs = w.floor_one ? std::vector<std::string>{"s"} : std::vector<std::string>{"s", "m"};
    N.side = w.floor_one ? denominator_from_one : denominator;
  } else if (w.floor_one) {
    N.words = "Not divided by: the read-out leaves as it is, and s has no part in it.";
    N.equation = "N_t = 1";
    N.range = "1";
  } else {
    N.words =
        "What brings the read-out back to the scale before stabilisation; s has no part in it.";
    N.equation = "N_t = exp(−m_t)";
    N.range = "above 0";
    N.inputs = {"m"};
    N.side = floor_of_stabilizer;
  }
  return N;
}

/// A table, longer than a function should be: one entry a value, and nothing else.
std::vector<ValueCard> cards(const Words& w) {
  return {
      input_pre_card(w),
      {.name = "forget_gate_pre",
       .symbol = "f",
       .title = "forget gate, pre-activation",
       .words = w.capped ? "How much of the memory is kept, before squashing: +5 keeps nearly all, "
                           "−5 nearly nothing; softly capped."
                         : "How much of the memory is kept, before squashing: +5 keeps nearly all, "
                           "−5 nearly nothing.",
       .equation = w.capped ? "f_t = c · tanh((w · x_t + b) / c)" : "f_t = w · x_t + b",
       .range = w.capped ? "−c..c" : "any number",
       .extent = Extent::head,
       .role = Role::pre_activation,
       .span = Span::pre_activation,
       .clampable = true},
      {.name = "output_gate_pre",
       .symbol = "z",
       .title = "output gate, pre-activation",
       .words = "The other half of the block, before its activation.",
       .equation = "z_t = W x_t",
       .range = "any number",
       .extent = Extent::value,
       .role = Role::pre_activation,
       .clampable = true,
       .closed_at = 0.0f},
      input_gate_card(w),
      forget_gate_card(w),
      {.name = "forget_gate_sigmoid",
       .symbol = w.share(),
       .title = w.exponential ? "forget gate, exponential" : "forget gate",
       .words = w.exponential
                    ? "What the memory is multiplied with from one token to the next; above 1 it "
                      "grows."
                    : "The share of the memory that is kept from one token to the next.",
       .equation = w.exponential ? "exp(f_t)" : "σ(f_t) = 1 / (1 + exp(−f_t))",
       .range = w.exponential ? "above 0" : "0..1",
       .inputs = {"forget_gate_pre"},
       .extent = Extent::head,
       .role = Role::gate,
       .span = Span::share,
       .side = w.exponential ? forget_exponential : forget_share},
      stabilizer_card(w),
      {.name = "q",
       .symbol = "q",
       .title = "query",
       .words = w.queries_scaled
                    ? "What the memory is asked for at this token, scaled by the root of its width "
                      "K."
                    : "What the memory is asked for at this token.",
       .equation = w.queries_scaled ? "q_t = W x_t / √K" : "q_t = W x_t",
       .range = "any number",
       .extent = Extent::key,
       .role = Role::projection,
       .clampable = true},
      {.name = "k",
       .symbol = "k",
       .title = "key",
       .words = w.queries_scaled
                    ? "The address under which this token is written; not scaled, the query is."
                    : "The address under which this token is written, scaled by the root of its "
                      "width K.",
       .equation = w.queries_scaled ? "k_t = W x_t" : "k_t = W x_t / √K",
       .range = "any number",
       .extent = Extent::key,
       .role = Role::projection,
       .clampable = true},
      {.name = "v",
       .symbol = "v",
       .title = "value",
       .words = "What is written at this token.",
       .equation = "v_t = W x_t",
       .range = "any number",
       .extent = Extent::value,
       .role = Role::projection,
       .clampable = true},
      {.name = "n",
       .symbol = "n",
       .title = "normalizer vector",
       .words = "The sum of all keys with the same weights as the memory: it says how much was "
                "written where.",
       .equation = "n_t = f'_t n_{t−1} + i'_t k_t",
       .range = w.scale(),
       .inputs = {"forget_gate", "n@-1", "input_gate", "k"},
       .extent = Extent::key,
       .role = Role::state,
       .side = [](Place& p) -> Evaluated {
         return mixed(p.now("forget_gate"), p.before("n"), p.now("input_gate"), p.now("k"));
       }},
      {.name = "s",
       .symbol = "s",
       .title = "overlap of query and normalizer",
       .words = "How much of what was written the query reaches.",
       .equation = "s_t = ⟨q_t, n_t⟩",
       .range = w.scale(),
       .inputs = {"q", "n"},
       .extent = Extent::head,
       .role = Role::reading,
       .side = [](Place& p) -> Evaluated {
         return Side{"⟨q, n⟩", dot(p, "q", "n")};
       }},
      normalizer_card(w),
      {.name = "h",
       .symbol = "h",
       .title = "read-out",
       .words = "What the memory answers to the query.",
       .equation = !w.divided    ? "h_t = C_tᵀ q_t / N_t"
                   : w.other_eps ? "h_t = C_tᵀ q_t / (N_t + ε)"
                                 : "h_t = C_tᵀ q_t / (N_t + 1e−6)",
       .range = "any number",
       .inputs = {"C", "q", "normalizer"},
       .extent = Extent::value,
       .role = Role::reading,
       .clampable = true,
       .side = read_side},
      {.name = "output_gate",
       .symbol = "SiLU(z)",
       .title = "output gate",
       .words = "What the read-out is multiplied with before it leaves the block.",
       .equation = "SiLU(z_t) = z_t · σ(z_t)",
       .range = "above −0.28",
       .inputs = {"output_gate_pre"},
       .extent = Extent::value,
       .role = Role::gate,
       .side = [](Place& p) -> Evaluated { return silu_side(p, "output_gate_pre"); }},
      {.name = "C",
       .symbol = "C",
       .title = "matrix memory",
       .words = "One cell of the memory: what is stored for one key channel and one value channel.",
       .equation = "C_t = f'_t C_{t−1} + i'_t k_t v_tᵀ",
       .range = w.scale(),
       .inputs = {"forget_gate", "C@-1", "input_gate", "k", "v"},
       .extent = Extent::key_by_value,
       .role = Role::state,
       .recorded = false,
       .side = memory_side},
      {.name = "write",
       .symbol = "i' k vᵀ",
       .title = "last write",
       .words = "What this token adds to one cell of the memory.",
       .equation = "i'_t k_t v_tᵀ",
       .range = w.scale(),
       .inputs = {"input_gate", "k", "v"},
       .extent = Extent::key_by_value,
       .role = Role::writing,
       .recorded = false,
       .side = write_side},
  };
}

std::vector<ValueRow> rows(const Words& w) {
  const std::string input = w.sigmoid ? "σ(i)" : w.plain ? "exp(i)" : "exp(i − m)";
  const std::string weight = w.sigmoid ? "" : " (log weight)";
  const std::string kept = w.plain ? w.log_share() : w.log_share() + " + m₋₁ − m";
  const std::string floor = w.floor_one ? "1" : "exp(−m)";
  const std::string divisor = w.divided ? "max(|⟨q, n⟩|, " + floor + ")" : floor;
  std::vector<std::string> stabilizer = {
      "stabilizer m = max(" + w.log_share() + " + m₋₁, i): the scale of the memory, as a logarithm",
      "stabilizer m: scale of the memory (log)", "stabilizer m (log)", "stabilizer"};
  if (w.sigmoid) {
    stabilizer = {"stabilizer: this cell has no m", "stabilizer: no m"};
  } else if (w.plain) {
    stabilizer = {"stabilizer m: off, always 0", "stabilizer: off"};
  }
  return {
      {.letter = 'i',
       .titles = {"input gate: pre-activation i" + weight + " and i' = " + input,
                  "input gate: i" + weight + ", i' = " + input, "input gate: i and i'",
                  "input gate"},
       .words = "How strongly what comes in now is written into the memory.",
       .lanes = {{Picture::curve, "input_gate_pre"}, {Picture::curve, "input_gate"}}},
      {.letter = 'f',
       .titles = {"forget gate: pre-activation f, " + w.share() + " and f' = exp(" + kept + ")",
                  "forget gate: pre-activation f, then " + w.share() + " and f'",
                  "forget gate: f, " + w.share() + " and f'", "forget gate"},
       .words = "How much of what was stored before is kept.",
       .lanes = {{Picture::curve, "forget_gate_pre"},
                 {Picture::curve, "forget_gate", "forget_gate_sigmoid"}}},
      {.letter = 'o',
       .titles = {"output gate: SiLU(z) of all units, pre-activation z and SiLU(z) of one",
                  "output gate: SiLU(z), pre-activation z", "output gate: z, SiLU(z)",
                  "output gate"},
       .words = "How much of what is read from the memory leaves the cell.",
       .lanes = {{Picture::strip, "output_gate"},
                 {Picture::curve, "output_gate", "output_gate_pre"}}},
      {.letter = 'm',
       .titles = std::move(stabilizer),
       .words = w.sigmoid ? "What is written weighs at most 1: nothing has to be scaled."
                          : "The scale everything is stored at, so that no exponential overflows.",
       .lanes = {{Picture::curve, "m"}}},
      {.letter = 'n',
       .titles = {"normalizer: vector n over the keys, and N = " + divisor,
                  "normalizer: vector n, and N", "normalizer: n, N", "normalizer"},
       .words = w.divided
                    ? "The sum of all weights written so far: what is read is divided by it."
                    : "The sum of all weights written so far; what is read is not divided by it.",
       .lanes = {{Picture::strip, "n"}, {Picture::curve, "normalizer"}}},
  };
}

/// Without an m there is nothing to switch off, and where nothing is divided nothing is added.
std::vector<Choice> idle(const Words& w) {
  std::vector<Choice> all;
  if (w.sigmoid) all = {Choice::stabilizer, Choice::denominator_floor};
  if (!w.divided) all.push_back(Choice::eps);
  return all;
}

}  // namespace

CellValues mlstm_values(const CellVariant& variant) {
  const Words words(variant);
  return {.cards = cards(words),
          .rows = rows(words),
          .memory = {.state = "C",
                     .answer = {},
                     .write = "write",
                     .keys = "n",
                     .scale = words.sigmoid ? "" : "m",
                     .words = {}},
          .formula = {"m", "input_gate", "forget_gate", "normalizer", "h"},
          .choices = {Choice::forget_gate, Choice::input_gate, Choice::stabilizer,
                      Choice::normalizer, Choice::denominator_floor, Choice::scale, Choice::eps,
                      Choice::gate_soft_cap, Choice::number_format},
          .idle = idle(words)};
}

}  // namespace xlab
