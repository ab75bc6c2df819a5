// Stored tensors into a model's parameters: finding, checking and turning them around.
#include "core/files/load_parameters.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/utf8.hpp"
#include "kernels/route.hpp"

namespace xlab {
namespace {

using Entry = TensorSource::Entry;
using Extents = std::vector<std::int64_t>;

constexpr std::string_view kRecurrentKernel = "_recurrent_kernel_", kRecurrentBias = "_bias_";

/// Names of tensors in other programs; a part of the name is exchanged.
constexpr std::array<std::array<std::string_view, 2>, 5> kOtherNames = {
    {{"backbone.embeddings.weight", "embedding.weight"},
     {".fwd_cell.", ".rev_cell."},
     {".mlstm_layer.q.", ".mlstm_layer.query."},
     {".mlstm_layer.k.", ".mlstm_layer.key."},
     {".mlstm_layer.v.", ".mlstm_layer.value."}}};

/// Matrices that the fused form of the large family stores below one another.
struct Joined {
  std::string_view name;
  std::vector<std::string_view> parts;
};
const std::vector<Joined>& joined_matrices() {
  static const std::vector<Joined> list = {
      {".mlstm_layer.qkv_opreact",
       {".mlstm_layer.q", ".mlstm_layer.k", ".mlstm_layer.v", ".mlstm_layer.ogate_preact"}},
      {".mlstm_layer.ifgate_preact", {".mlstm_layer.igate_preact", ".mlstm_layer.fgate_preact"}},
      {".ffn.proj_up_gate_z", {".ffn.proj_up_gate", ".ffn.proj_up"}}};
  return list;
}

Extents extents_of(const Shape& shape) {
  Extents extents;
  for (int axis = 0; axis < shape.rank(); ++axis) extents.push_back(shape[axis]);
  return extents;
}

bool holds_floats(const Entry& entry) {
  return entry.type == StoredType::f64 || entry.type == StoredType::f32 ||
         entry.type == StoredType::f16 || entry.type == StoredType::bf16;
}

std::optional<std::string> other_name(const std::string& name) {
  for (const auto& [ours, theirs] : kOtherNames) {
    const auto at = name.find(ours);
    if (at == name.npos) continue;
    std::string other = name;
    return other.replace(at, ours.size(), theirs);
  }
  return std::nullopt;
}

/// FlashRNN calls the same tensors "recurrent_kernel" and "bias".
std::optional<std::string> flash_rnn_name(const std::string& name) {
  for (const std::string_view ending : {kRecurrentKernel, kRecurrentBias}) {
    if (!name.ends_with(ending)) continue;
    const std::string_view theirs = ending.substr(1, ending.size() - 2);
    return name.substr(0, name.size() - ending.size()) + std::string(theirs);
  }
  return std::nullopt;
}

/// A forecasting model.
bool foretells_series(const std::vector<ParamInfo>& infos) {
  return !infos.empty() && infos.front().name.starts_with("input_patch_embedding.");
}

/// What such a model does with several series at once, which nothing here follows.
bool is_of_several_series(std::string_view name) {
  return name.find(".variate_mixer.") != name.npos ||
         name.ends_with(".time_mixer.combination.weight");
}

/// Looks for parameters one by one, and collects what is wrong.
class Search {
 public:
  Search(const std::vector<ParamInfo>& infos, const TensorSource& source, const std::string& prefix)
      : infos_(infos), source_(source), prefix_(prefix) {
    for (const ParamInfo& info : infos) by_name_.emplace(info.name, &info);
  }

  std::vector<ParameterPlace> places() {
    std::vector<ParameterPlace> places;
    for (const ParamInfo& info : infos_) places.push_back(place_of(info));
    turn_biases(places);
    refuse_unknown();
    refuse_mismatches();
    return places;
  }

 private:
  ParameterPlace place_of(const ParamInfo& info) {
    const std::string name = prefix_ + info.name;
    const Entry* entry = source_.find(name);
    if (const auto other = entry ? std::nullopt : other_name(name)) entry = source_.find(*other);
    if (const auto other = entry ? std::nullopt : flash_rnn_name(name))
      entry = source_.find(*other);
    if (!entry) {
      if (const auto place = place_in_joined(info)) return *place;
      wrong_.push_back(fmt::format("'{}' is missing", name));
      return {};
    }
    ParameterPlace place{entry, 0, false};
    const Extents wanted = extents_of(info.shape);
    if (info.name.ends_with(kRecurrentKernel) && entry->shape != wanted) {
      // (heads, in, 4 * out), or the same with an axis for the gates.
      const Extents swapped = {wanted[0], wanted[2], wanted[1]};
      const Extents by_gates = {wanted[0], wanted[2], 4, wanted[1] / 4};
      place.transposed = entry->shape == swapped || entry->shape == by_gates;
    } else if (info.name.ends_with(kRecurrentBias) && entry->shape.size() == 3 &&
               entry->shape[1] == 4) {
      // (heads, 4, out)
      place.transposed = entry->shape[0] * 4 * entry->shape[2] == wanted[0] &&
                         entry->shape[0] == heads_of_kernel(info.name);
    }
    take(*entry, place.transposed ? entry->shape : wanted);
    return place;
  }

  /// The rows of the fused form, when that is there instead.
  std::optional<ParameterPlace> place_in_joined(const ParamInfo& info) {
    const auto dot = info.name.rfind('.');
    if (dot == info.name.npos) return std::nullopt;
    const std::string stem = info.name.substr(0, dot), kind = info.name.substr(dot);
    for (const Joined& joined : joined_matrices()) {
      for (const std::string_view part : joined.parts) {
        if (!stem.ends_with(part)) continue;
        const std::string block = stem.substr(0, stem.size() - part.size());
        const Entry* entry =
            source_.find(fmt::format("{}{}{}{}", prefix_, block, joined.name, kind));
        if (!entry) return std::nullopt;
        std::int64_t before = 0, rows = 0;
        for (const std::string_view other : joined.parts) {
          const auto found = by_name_.find(fmt::format("{}{}{}", block, other, kind));
          if (found == by_name_.end()) return std::nullopt;
          if (other == part) before = rows;
          rows += found->second->shape[0];
        }
        Extents wanted = extents_of(info.shape);
        wanted[0] = rows;
        take(*entry, wanted);
        return ParameterPlace{entry, before, false};
      }
    }
    return std::nullopt;
  }

  /// Notes that an entry is wanted in this shape. The parts of a joined matrix take it together.
  void take(const Entry& entry, const Extents& wanted) {
    if (!taken_.insert(entry.name).second) return;
    if (!holds_floats(entry)) {
      wrong_.push_back(fmt::format("'{}' holds {}, not floating-point numbers", entry.name,
                                   name_of(entry.type)));
    } else if (entry.shape != wanted) {
      wrong_.push_back(fmt::format("'{}' has shape {}, but {} is needed", entry.name,
                                   shape_text(entry.shape), shape_text(wanted)));
    }
  }

  /// Heads of the recurrent kernel that a bias belongs to; 0 where there is none.
  std::int64_t heads_of_kernel(const std::string& bias) const {
    const auto kernel = by_name_.find(bias.substr(0, bias.size() - kRecurrentBias.size()) +
                                      std::string(kRecurrentKernel));
    return kernel == by_name_.end() ? 0 : kernel->second->shape[0];
  }

  /// The bias beside a recurrent kernel has the matching layout.
  void turn_biases(std::vector<ParameterPlace>& places) const {
    for (std::size_t p = 0; p < places.size(); ++p) {
      const std::string& name = infos_[p].name;
      if (!places[p].transposed || !name.ends_with(kRecurrentKernel)) continue;
      const std::string bias =
          name.substr(0, name.size() - kRecurrentKernel.size()) + std::string(kRecurrentBias);
      const auto found = by_name_.find(bias);
      if (found != by_name_.end())
        places[static_cast<std::size_t>(found->second - infos_.data())].transposed = true;
    }
  }

  void refuse_unknown() {
    const std::string head = prefix_ + "lm_head.weight";
    const bool foretells = foretells_series(infos_);
    const bool tied = !foretells && !by_name_.contains("lm_head.weight");
    for (const Entry& entry : source_.entries()) {
      if (!entry.name.starts_with(prefix_) || taken_.contains(entry.name)) continue;
      if (tied && entry.name == head) continue;
      if (foretells && is_of_several_series(entry.name)) continue;
      wrong_.push_back(fmt::format("'{}' is unknown to this model", printable(entry.name)));
    }
  }

  void refuse_mismatches() {
    if (wrong_.empty()) return;
    constexpr std::size_t kMostNamed = 10;
    const std::size_t more = wrong_.size() > kMostNamed ? wrong_.size() - kMostNamed : 0;
    wrong_.resize(std::min(wrong_.size(), kMostNamed));
    throw Error(fmt::format("'{}' does not fit the model: {}{}.", printable(source_.name(), 512),
                            fmt::join(wrong_, "; "),
                            more > 0 ? fmt::format("; and {} more", more) : ""));
  }

  const std::vector<ParamInfo>& infos_;
  const TensorSource& source_;
  const std::string& prefix_;
  std::map<std::string, const ParamInfo*> by_name_;
  std::set<std::string> taken_;
  std::vector<std::string> wrong_;
};

/// A recurrent kernel stored as (heads, in, 4 * out) turned into ours, (heads, 4 * out, in).
void turn_kernel(const Tensor& stored, const Tensor& out) {
  const std::int64_t H = out.extent(0), rows = out.extent(1), in = out.extent(2);
  visit_float(out, [&]<typename T>(T) {
    for (std::int64_t h = 0; h < H; ++h)
      for (std::int64_t o = 0; o < rows; ++o)
        for (std::int64_t i = 0; i < in; ++i)
          out.data<T>()[(h * rows + o) * in + i] = stored.data<T>()[(h * in + i) * rows + o];
  });
}

/// A bias stored as [head][gate][unit] turned into ours, [gate][head][unit].
void turn_bias(const Tensor& stored, std::int64_t heads, const Tensor& out) {
  const std::int64_t units = stored.elements() / 4 / heads;
  visit_float(out, [&]<typename T>(T) {
    for (std::int64_t h = 0; h < heads; ++h)
      for (std::int64_t g = 0; g < 4; ++g)
        std::copy_n(stored.data<T>() + (h * 4 + g) * units, units,
                    out.data<T>() + (g * heads + h) * units);
  });
}

/// A block that holds NaN or infinity has lost the numbers beside it.
template <typename B>
bool any_lost(const Tensor& blocks) {
  const auto all = blocks.span<B>();
  return std::any_of(all.begin(), all.end(),
                     [](const B& block) { return std::isnan(static_cast<float>(block.scale)); });
}

/// Refuses numbers in blocks where some are lost.
void require_none_lost(const Tensor& value, const std::string& name, const std::string& where) {
  const bool lost = value.dtype() == DType::block8   ? any_lost<Block8>(value)
                    : value.dtype() == DType::block4 ? any_lost<Block4>(value)
                                                     : false;
  check(!lost,
        "The tensor '{}' in '{}' holds NaN or infinite numbers, which {} cannot hold beside "
        "others: read the weights as they are stored.",
        printable(name), printable(where, 512), name_of(value.dtype()));
}

}  // namespace

std::vector<ParameterPlace> find_parameters(const std::vector<ParamInfo>& infos,
                                            const TensorSource& source, const std::string& prefix) {
  return Search(infos, source, prefix).places();
}

std::vector<std::string> left_out(const std::vector<ParamInfo>& infos, const TensorSource& source) {
  if (!foretells_series(infos)) return {};
  std::string first;
  int count = 0;
  for (const Entry& entry : source.entries()) {
    if (!is_of_several_series(entry.name)) continue;
    if (count++ == 0) first = printable(entry.name);
  }
  if (count == 0) return {};
  return {fmt::format("What is for several series at once was left out: '{}'{}.", first,
                      count > 1 ? fmt::format(" and {} more", count - 1) : "")};
}

std::vector<std::string> taken_otherwise(const std::vector<ParamInfo>& infos,
                                         const std::vector<ParameterPlace>& places) {
  const auto bare = [](std::string_view part) {
    const auto first = part.find_first_not_of('.'), last = part.find_last_not_of('.');
    return std::string(part.substr(first, last - first + 1));
  };
  // Each pair of names once, in the order in which they are met.
  std::vector<std::pair<std::string, int>> named;
  std::set<std::string> joined;
  int turned = 0;
  for (std::size_t p = 0; p < infos.size(); ++p) {
    const std::string &name = infos[p].name, &stored = places[p].entry->name;
    turned += places[p].transposed && name.ends_with(kRecurrentKernel) ? 1 : 0;
    if (stored == name) continue;
    std::string words;
    for (const auto& [ours, theirs] : kOtherNames)
      if (other_name(name) == stored && name.find(ours) != name.npos)
        words = fmt::format("'{}' was read as '{}'", bare(theirs), bare(ours));
    for (const std::string_view ours : {kRecurrentKernel, kRecurrentBias})
      if (flash_rnn_name(name) == stored && name.ends_with(ours))
        words = fmt::format("'{}' was read as '{}'", ours.substr(1, ours.size() - 2), ours);
    if (words.empty()) {
      joined.insert(stored);
      continue;
    }
    const auto known = std::find_if(named.begin(), named.end(),
                                    [&](const auto& one) { return one.first == words; });
    if (known == named.end()) {
      named.emplace_back(std::move(words), 1);
    } else {
      ++known->second;
    }
  }
  const auto tensors = [](std::size_t count) {
    return fmt::format("{} tensor{}", count, count == 1 ? "" : "s");
  };
  std::vector<std::string> sentences;
  sentences.reserve(named.size() + 1);
  for (const auto& [words, count] : named)
    sentences.push_back(fmt::format("{}, {}.", words, tensors(static_cast<std::size_t>(count))));
  if (!joined.empty())
    sentences.push_back(
        fmt::format("{} several matrices below one another, which were taken apart: "
                    "'{}'{}.",
                    joined.size() == 1 ? std::string("1 tensor holds")
                                       : fmt::format("{} tensors hold", joined.size()),
                    printable(*joined.begin()), joined.size() == 1 ? "" : " and others"));
  if (turned > 0)
    sentences.push_back(
        fmt::format("The recurrent weights lie as (heads, in, gates × out), and were turned "
                    "around: {}.",
                    tensors(static_cast<std::size_t>(turned))));
  return sentences;
}

void load_parameters(Model& model, const TensorSource& source, const std::string& prefix) {
  const Params& params = model.params();
  const std::vector<ParameterPlace> places = find_parameters(params.infos(), source, prefix);
  std::int64_t heads = 1;  // of the recurrent kernel read last: its bias follows it
  for (std::size_t p = 0; p < places.size(); ++p) {
    const ParameterPlace& place = places[p];
    const Tensor& parameter = params[static_cast<int>(p)].value;
    const bool on_host = parameter.device() == Device::cpu();
    const Tensor out = on_host ? parameter : Tensor::empty(parameter.shape(), parameter.dtype());
    if (!place.transposed) {
      const std::int64_t row = out.rank() > 0 ? out.elements() / out.extent(0) : 1;
      source.read(*place.entry, place.first_row * row, out);
    } else {
      const Tensor stored = Tensor::empty(out.shape(), out.dtype());
      source.read(*place.entry, 0, stored);
      if (out.rank() == 3) {
        heads = out.extent(0);
        turn_kernel(stored, out);
      } else {
        turn_bias(stored, place.entry->shape.size() == 3 ? place.entry->shape[0] : heads, out);
      }
    }
    require_none_lost(out, place.entry->name, source.name());
    if (!on_host) parameter.copy_from(out);
  }
}

void load_parameters(Model& model, const SafetensorsFile& file, const std::string& prefix) {
  load_parameters(model, TensorsInMemory(file), prefix);
}

}  // namespace xlab
