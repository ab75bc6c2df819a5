// Blocks with the description of the cell that their prefix names.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/cells/scalar.hpp"
#include "core/live_equation.hpp"
#include "core/snapshot.hpp"

namespace xlab::tests {

/// The description that the last part of a prefix or of a path's prefix names; nothing for others.
inline std::shared_ptr<const CellValues> values_of(const std::string& prefix,
                                                   const CellVariant& variant = {}) {
  const std::string cell = prefix.substr(prefix.rfind('/') + 1);
  if (cell == "mlstm") return std::make_shared<const CellValues>(mlstm_values(variant));
  if (cell == "mlstm_large") return std::make_shared<const CellValues>(large_values(variant));
  for (const ScalarCell* one : scalar_cells())
    if (cell == one->name) return std::make_shared<const CellValues>(one->values(variant));
  return no_values();
}

/// A block for a value's path, without sizes.
inline BlockCard block_of(const std::string& path, const CellVariant& variant = {}) {
  BlockCard block;
  const std::size_t slash = path.rfind('/');
  block.prefix = slash == std::string::npos ? std::string() : path.substr(0, slash);
  block.variant = variant;
  block.values = values_of(block.prefix, variant);
  return block;
}

/// Equations of other choices for a block, and their description.
inline void set_variant(BlockCard& block, const CellVariant& variant) {
  block.variant = variant;
  block.values = values_of(block.prefix, variant);
}

/// The card of a path, nothing for an unknown one.
inline std::optional<ValueCard> explain(const std::string& path, const CellVariant& variant = {}) {
  const BlockCard block = block_of(path, variant);
  const ValueCard* card = block.value_at(path);
  return card ? std::optional(*card) : std::nullopt;
}

inline LiveEquation live_equation(const Trace& trace, const std::string& path, int step, int head,
                                  int unit, const CellVariant& variant = {}) {
  return xlab::live_equation(trace, block_of(path, variant), path, step, head, unit);
}

}  // namespace xlab::tests
