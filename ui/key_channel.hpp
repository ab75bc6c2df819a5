// The key channel that is pinned: a row of every matrix memory of its block.
#pragma once

#include <optional>

#include "core/snapshot.hpp"
#include "ui/focus.hpp"

namespace xlab::ui {

/// The index of the key component that is pinned, of a key, a query or the normalizer vector of
/// this block, whatever its step and head; nothing where none is.
inline std::optional<int> pinned_key_channel(const BlockCard& block, const Focus& focus) {
  if (!focus.pinned || focus.pinned->unit < 0 || focus.pinned->unit >= block.key_dim) return {};
  const ValueCard* card = block.value_at(focus.pinned->path);
  if (!card || card->extent != Extent::key) return {};
  return focus.pinned->unit;
}

}  // namespace xlab::ui
