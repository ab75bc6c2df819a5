// The sLSTM blocks' part of a specification, with their feed-forward layers. Another memory than
// the sLSTM's may stand behind their gates.
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "core/cells/kind.hpp"
#include "core/cells/scalar.hpp"
#include "core/files/json_text.hpp"
#include "core/spec_reader.hpp"
#include "core/utf8.hpp"
#include "kernels/check.hpp"

namespace xlab::slstm {
namespace {

using nlohmann::json;

/// The cell of this name; null when there is none.
const ScalarCell* cell_named(const json& name) {
  for (const ScalarCell* cell : scalar_cells())
    if (name == cell->name) return cell;
  return nullptr;
}

/// "others": [{"function": "lstm", "blocks": [2]}], with the equations of these blocks.
std::vector<SlstmSpec::Other> read_others(const json& list, ReadKeys* keys) {
  check(list.is_array(), "slstm_block.slstm: 'others' must be a list.");
  std::vector<SlstmSpec::Other> others;
  for (const json& entry : list) {
    check(entry.is_object(),
          "slstm_block.slstm: 'others' must hold entries with a \"function\" and its \"blocks\".");
    SlstmSpec::Other other;
    SpecReader in(entry, "slstm_block.slstm.others", keys);
    const json* function = in.find("function");
    const ScalarCell* cell = function ? cell_named(*function) : nullptr;
    check(cell != nullptr,
          "slstm_block.slstm.others: 'function' names no function that is computed "
          "here.");
    other.memory = cell->memory;
    const json* blocks = in.find("blocks");
    check(blocks && blocks->is_array() && !blocks->empty(),
          "slstm_block.slstm.others: 'blocks' must be a list of block numbers.");
    for (const json& block : *blocks) {
      check(block.is_number_integer() && block.get<double>() >= 0 && block.get<double>() < 256,
            "slstm_block.slstm.others: 'blocks' holds {}, which is no block.",
            printable(json_text(block), 40));
      other.blocks.push_back(block.get<int>());
    }
    std::ranges::sort(other.blocks);
    read_variant(in, other.variant);
    read_own_cap(in, other.variant);
    if (cell->check) cell->check(other.variant);
    in.finish();
    others.push_back(std::move(other));
  }
  return others;
}

SlstmSpec read_cell(const json& object, ReadKeys* keys) {
  SlstmSpec spec;
  SpecReader in(object, "slstm_block.slstm", keys);
  in.number("num_heads", spec.num_heads, 1, 256);
  in.number("conv1d_kernel_size", spec.conv1d_kernel_size, 0, 64);
  in.boolean("group_norm_weight", spec.group_norm_weight);
  in.choice("bias_init", spec.bias_init,
            {"powerlaw_blockdependent", "small_init", "standard", "zeros"});
  in.choice("recurrent_weight_init", spec.recurrent_weight_init, {"zeros", "standard"});
  read_variant(in, spec.variant);
  read_own_cap(in, spec.variant);
  bool cut = false;
  in.our_own([&] { in.boolean("gradient_recurrent_cut", cut); });
  check(!cut && !in.find("gradient_recurrent_clipval"),
        "slstm_block.slstm: cutting or clipping the recurrent gradient is not supported; leave "
        "'gradient_recurrent_cut' false and 'gradient_recurrent_clipval' null.");
  // Names and shapes of the weights are the same: only this word tells.
  std::vector<json> words;
  std::vector<std::string> quoted;
  for (const ScalarCell* cell : scalar_cells()) {
    words.emplace_back(cell->name);
    quoted.push_back(fmt::format("\"{}\"", cell->name));
  }
  in.only("function", words,
          fmt::format("the functions that are computed here are {}", fmt::join(quoted, " and ")));
  if (const json* function = in.find("function"))
    if (const ScalarCell* named = cell_named(*function)) spec.memory = named->memory;
  in.our_own([&] {
    if (const json* others = in.find("others")) spec.others = read_others(*others, keys);
  });
  const ScalarCell& cell = scalar_cell(spec.memory);
  if (cell.check) cell.check(spec.variant);
  in.only("num_states", {cell.states}, cell.states_in_words);
  in.only("num_gates", {4}, "these cells have 4 gates");
  in.only("initial_val", {0.0}, "states begin at 0 here");
  in.only("backend", {"vanilla", "cuda"}, "what that computes is not known here");
  // The official program reads it, but hands its cells another number.
  in.usual("forward_clipval", {});
  in.usual("constants", {json::object()});
  for (const char* key :
       {"dtype", "dtype_b", "dtype_r", "dtype_w", "dtype_g", "dtype_s", "dtype_a"})
    in.number_type(key);
  // How the official program lays out what it computes.
  constexpr std::string_view kLayout = "the official program has no such layout";
  in.only("input_shape", {"BSGNH", "SBGNH"}, kLayout);
  in.only("internal_input_shape", {"SBNGH", "SBGNH", "SBNHG"}, kLayout);
  in.only("output_shape", {"BNSH", "SBH", "BSH", "SBNH"}, kLayout);
  // Taken from the whole model, or of no consequence.
  in.ignore({"dropout", "embedding_dim", "context_length", "hidden_size", "batch_size",
             "enable_automatic_mixed_precision"});
  in.finish();
  return spec;
}

FeedforwardSpec read_feedforward(const json& object, ReadKeys* keys) {
  FeedforwardSpec spec;
  SpecReader in(object, "slstm_block.feedforward", keys);
  in.number("proj_factor", spec.proj_factor, 0.01, 64);
  in.choice("act_fn", spec.act_fn, {"gelu", "relu", "relu^2", "sigmoid", "swish", "selu"});
  in.boolean("bias", spec.bias);
  std::string type = "ffn_gated";
  in.our_own([&] { in.choice("ff_type", type, {"ffn_gated"}); });
  in.boolean("round_proj_up_dim_up", spec.round_proj_up_dim_up);
  in.number("round_proj_up_to_multiple_of", spec.round_proj_up_to_multiple_of, 1, 8192);
  in.usual("dropout", {0.0});  // its own, not the model's
  in.ignore({"embedding_dim"});
  in.finish();
  return spec;
}

std::int64_t feedforward_width(const ModelSpec& spec) {
  const FeedforwardSpec& f = *spec.feedforward;
  return rounded_width(f.proj_factor, spec.embedding_dim, f.round_proj_up_dim_up,
                       f.round_proj_up_to_multiple_of);
}

void read_block(const json& block, ReadKeys* keys, ModelSpec& spec) {
  SpecReader in(block, "slstm_block", keys);
  const json* cell = in.find("slstm");
  spec.slstm = read_cell(cell ? *cell : json::object(), keys);
  // As in the official code, a missing feed-forward layer is the default one; null means none.
  if (!block.contains("feedforward")) spec.feedforward = read_feedforward(json::object(), keys);
  if (const json* ffn = in.find("feedforward")) spec.feedforward = read_feedforward(*ffn, keys);
  in.finish();
}

json block_json(const ModelSpec& spec) {
  const SlstmSpec& s = *spec.slstm;
  json block, cell = {{"num_heads", s.num_heads},
                      {"conv1d_kernel_size", s.conv1d_kernel_size},
                      {"group_norm_weight", s.group_norm_weight},
                      {"bias_init", s.bias_init},
                      {"recurrent_weight_init", s.recurrent_weight_init}};
  if (s.memory != SlstmSpec{}.memory) {
    cell["function"] = scalar_cell(s.memory).name;
    cell["num_states"] = scalar_cell(s.memory).states;
  }
  write_variant(s.variant, {}, cell);
  for (const SlstmSpec::Other& other : s.others) {
    json entry = {{"function", scalar_cell(other.memory).name}, {"blocks", other.blocks}};
    write_variant(other.variant, {}, entry);
    cell["others"].push_back(std::move(entry));
  }
  block["feedforward"] = nullptr;
  if (spec.feedforward) {
    const FeedforwardSpec& f = *spec.feedforward;
    block["feedforward"] = {{"proj_factor", f.proj_factor},
                            {"act_fn", f.act_fn},
                            {"bias", f.bias},
                            {"round_proj_up_dim_up", f.round_proj_up_dim_up},
                            {"round_proj_up_to_multiple_of", f.round_proj_up_to_multiple_of}};
  }
  block["slstm"] = cell;
  return block;
}

void write_layout(json& block) {
  block["slstm"]["backend"] = "vanilla";
}

void check_widths(const ModelSpec& spec) {
  check(spec.slstm.has_value(), "'slstm_at' lists blocks but there is no 'slstm_block'.");
  check(spec.embedding_dim % spec.slstm->num_heads == 0,
        "The width {} cannot be shared by the sLSTM's {} heads.", spec.embedding_dim,
        spec.slstm->num_heads);
  std::vector<int> named;
  for (const SlstmSpec::Other& other : spec.slstm->others)
    named.insert(named.end(), other.blocks.begin(), other.blocks.end());
  std::ranges::sort(named);
  for (std::size_t i = 0; i < named.size(); ++i) {
    check(spec.is_slstm(named[i]),
          "slstm_block.slstm: 'others' names block {}, which is none of those in 'slstm_at'.",
          named[i]);
    check(i == 0 || named[i - 1] != named[i], "slstm_block.slstm: 'others' names block {} twice.",
          named[i]);
  }
  if (!spec.feedforward) return;
  check(feedforward_width(spec) >= 1,
        "The feed-forward layer's 'proj_factor' {} rounds to a width of 0.",
        spec.feedforward->proj_factor);
}

double parameters_of_block(const ModelSpec& spec) {
  const SlstmSpec& s = *spec.slstm;
  const double D = spec.embedding_dim, unit_pairs = D * D / s.num_heads;
  double count = D;                 // the norm before the cell
  count += 8 * unit_pairs + 4 * D;  // inputs and recurrence of four gates, their biases
  if (s.conv1d_kernel_size > 0) count += D * (s.conv1d_kernel_size + 1);
  if (s.group_norm_weight) count += D;
  if (spec.feedforward) {
    const auto U = static_cast<double>(feedforward_width(spec));
    count += D + 3 * U * D;
    if (spec.feedforward->bias) count += 2 * U + D;
  }
  return count;
}

double numbers_per_token(const ModelSpec& spec) {
  double numbers = 40.0 * spec.embedding_dim;
  if (spec.feedforward) numbers += 4.0 * static_cast<double>(feedforward_width(spec));
  return numbers;
}

}  // namespace
}  // namespace xlab::slstm

namespace xlab {

const CellKind& slstm_kind() {
  static const CellKind kind{
      .key = "slstm_block",
      .takes = [](const ModelSpec& spec, int block) { return !spec.large && spec.is_slstm(block); },
      .said = [](const ModelSpec& spec) { return spec.slstm.has_value(); },
      .read = slstm::read_block,
      .as_json = slstm::block_json,
      .write_layout = slstm::write_layout,
      .write_own_keys =
          [](const ModelSpec& spec, nlohmann::json& keys) {
            write_variant(spec.slstm->variant, {}, keys);
            if (!spec.slstm->others.empty()) keys["others"] = true;
          },
      .check_sizes = slstm::check_widths,
      .parameter_count = slstm::parameters_of_block,
      .numbers_per_token = slstm::numbers_per_token,
      .make = make_slstm_cell};
  return kind;
}

}  // namespace xlab
