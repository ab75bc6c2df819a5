// What there is to ask of a kind of block before there is a model of it; for specifications.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "core/spec.hpp"
#include "core/what_was_read.hpp"

namespace xlab {

/// An entry of `cell_kinds`.
struct CellKind {
  /// What specifications of the paper's family call it: "mlstm_block". Null: it is no part of one.
  const char* key = nullptr;
  /// Whether this block is of this kind, unless it is of one before it in the list.
  bool (*takes)(const ModelSpec& spec, int block);
  /// Whether the specification says something of it; what is under its key; and the same, written.
  /// Without a key they are null. `keys`: see SpecReader.
  bool (*said)(const ModelSpec& spec) = nullptr;
  void (*read)(const nlohmann::json& block, ReadKeys* keys, ModelSpec& spec) = nullptr;
  nlohmann::json (*as_json)(const ModelSpec& spec) = nullptr;
  /// Adds to its part of a folder's configuration what other programs ask for. May be null.
  void (*write_layout)(nlohmann::json& block) = nullptr;
  /// Adds the keys of its equations that other programs do not know.
  void (*write_own_keys)(const ModelSpec& spec, nlohmann::json& keys);

  // Of what stands in some block.
  /// Throws a sentence unless its sizes are possible.
  void (*check_sizes)(const ModelSpec& spec);
  /// Numbers in the parameters of one block, and on the tape for one token of it.
  double (*parameter_count)(const ModelSpec& spec);
  double (*numbers_per_token)(const ModelSpec& spec);
  /// Numbers of a memory that a format of choice keeps for every step and head. May be null.
  double (*memory_kept)(const ModelSpec& spec) = nullptr;
  /// Declares the parameters of one block, and makes its cell.
  std::unique_ptr<Cell> (*make)(const ModelSpec& spec, const BlockPlace& place, Params& params);
};

/// The kind of a block of a specification whose sizes are possible.
const CellKind& kind_of(const ModelSpec& spec, int block);
/// Whether some block is of this kind.
bool stands_in(const CellKind& kind, const ModelSpec& spec);

}  // namespace xlab
