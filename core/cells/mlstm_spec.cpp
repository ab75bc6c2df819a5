// The mLSTM blocks' part of a specification.
#include <cmath>

#include "core/cells/kind.hpp"
#include "core/spec_reader.hpp"
#include "kernels/check.hpp"

namespace xlab::mlstm {
namespace {

using nlohmann::json;

MlstmSpec read_cell(const json& object, ReadKeys* keys) {
  MlstmSpec spec;
  SpecReader in(object, "mlstm_block.mlstm", keys);
  in.number("num_heads", spec.num_heads, 1, 256);
  in.number("conv1d_kernel_size", spec.conv1d_kernel_size, 2, 64);
  in.number("qkv_proj_blocksize", spec.qkv_proj_blocksize, 1, 8192);
  in.number("proj_factor", spec.proj_factor, 0.01, 64);
  in.boolean("round_proj_up_dim_up", spec.round_proj_up_dim_up);
  in.number("round_proj_up_to_multiple_of", spec.round_proj_up_to_multiple_of, 1, 8192);
  read_mlstm_variant(in, spec.variant);
  read_own_cap(in, spec.variant);
  in.ignore({"bias", "dropout", "embedding_dim", "context_length"});
  in.finish();
  return spec;
}

std::int64_t inner_width(const ModelSpec& spec) {
  return rounded_width(spec.mlstm->proj_factor, spec.embedding_dim,
                       spec.mlstm->round_proj_up_dim_up, spec.mlstm->round_proj_up_to_multiple_of);
}

void read_block(const json& block, ReadKeys* keys, ModelSpec& spec) {
  SpecReader in(block, "mlstm_block", keys);
  const json* cell = in.find("mlstm");
  spec.mlstm = read_cell(cell ? *cell : json::object(), keys);
  in.finish();
}

json block_json(const ModelSpec& spec) {
  const MlstmSpec& s = *spec.mlstm;
  json cell = {{"num_heads", s.num_heads},
               {"conv1d_kernel_size", s.conv1d_kernel_size},
               {"qkv_proj_blocksize", s.qkv_proj_blocksize},
               {"proj_factor", s.proj_factor},
               {"round_proj_up_dim_up", s.round_proj_up_dim_up},
               {"round_proj_up_to_multiple_of", s.round_proj_up_to_multiple_of}};
  write_variant(s.variant, {}, cell);
  json block;
  block["mlstm"] = cell;
  return block;
}

void check_widths(const ModelSpec& spec) {
  check(spec.mlstm.has_value(),
        "The model has mLSTM blocks but no 'mlstm_block'; give one or list every block in "
        "'slstm_at'.");
  const MlstmSpec& m = *spec.mlstm;
  const std::int64_t inner = inner_width(spec);
  check(inner >= 1, "'proj_factor' {} of width {} rounds to an inner width of 0.", m.proj_factor,
        spec.embedding_dim);
  check(inner % m.num_heads == 0, "The mLSTM's inner width {} cannot be shared by {} heads.", inner,
        m.num_heads);
  const std::int64_t blocks = inner / m.qkv_proj_blocksize;
  check(blocks >= 1 && inner % blocks == 0,
        "The mLSTM's inner width {} cannot be cut into blocks of {} ('qkv_proj_blocksize').", inner,
        m.qkv_proj_blocksize);
}

double parameters_of_block(const ModelSpec& spec) {
  const MlstmSpec& m = *spec.mlstm;
  const double D = spec.embedding_dim;
  const std::int64_t inner = inner_width(spec);
  const auto I = static_cast<double>(inner);
  const std::int64_t blocks = inner / m.qkv_proj_blocksize, per_block = inner / blocks;
  const auto blocksize = static_cast<double>(per_block);
  double count = D;                         // the norm before the cell
  count += 3 * I * D + 3 * I * blocksize;   // up and down; q, k, v
  count += I * (m.conv1d_kernel_size + 1);  // convolution
  count += 2 * (3 * I + 1) * m.num_heads;   // gates
  count += 2 * I;                           // norm, skip
  if (spec.bias) count += 5 * I + D;
  return count;
}

double numbers_per_token(const ModelSpec& spec) {
  return 20.0 * static_cast<double>(inner_width(spec)) + 6.0 * spec.embedding_dim;
}

double memory_kept(const ModelSpec& spec) {
  if (spec.mlstm->variant.number_format == NumberFormat::native) return 0.0;
  return std::pow(static_cast<double>(inner_width(spec)) / spec.mlstm->num_heads, 2);
}

}  // namespace
}  // namespace xlab::mlstm

namespace xlab {

const CellKind& mlstm_kind() {
  static const CellKind kind{
      .key = "mlstm_block",
      .takes = [](const ModelSpec& spec,
                  int block) { return !spec.large && !spec.is_slstm(block); },
      .said = [](const ModelSpec& spec) { return spec.mlstm.has_value(); },
      .read = mlstm::read_block,
      .as_json = mlstm::block_json,
      .write_own_keys = [](const ModelSpec& spec,
                           nlohmann::json& keys) { write_variant(spec.mlstm->variant, {}, keys); },
      .check_sizes = mlstm::check_widths,
      .parameter_count = mlstm::parameters_of_block,
      .numbers_per_token = mlstm::numbers_per_token,
      .memory_kept = mlstm::memory_kept,
      .make = make_mlstm_cell};
  return kind;
}

}  // namespace xlab
