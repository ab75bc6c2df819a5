// The carried state of a model: an immutable value, one per token, so that rewinding and branching
// copy pointers only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/tensor.hpp"

namespace xlab {

/// Named tensors one cell carries from token to token; the names are the cell's own
/// (mlstm: conv, C, n, m; slstm: conv, y, c, n, m; lstm: conv, y, c). Empty means the start of a
/// sequence. Tensors in a state are never written to.
class CellState {
 public:
  /// The tensor of a name, undefined when the state is at its start or has no such tensor.
  Tensor get(const std::string& name) const {
    for (const auto& [key, tensor] : tensors_)
      if (key == name) return tensor;
    return {};
  }
  void set(const std::string& name, Tensor tensor) {
    tensors_.emplace_back(name, std::move(tensor));
  }
  const std::vector<std::pair<std::string, Tensor>>& tensors() const { return tensors_; }
  /// All but the matrix memory C, which is nearly all of a state.
  CellState without_matrices() const {
    CellState rest;
    for (const auto& [name, tensor] : tensors_)
      if (name != "C") rest.set(name, tensor);
    return rest;
  }
  /// The same numbers on this device.
  CellState on(Device device) const {
    CellState moved;
    for (const auto& [name, tensor] : tensors_) moved.set(name, tensor.to(device));
    return moved;
  }

 private:
  std::vector<std::pair<std::string, Tensor>> tensors_;
};

/// One entry per block.
struct State {
  std::vector<CellState> cells;

  std::size_t bytes() const {
    std::size_t total = 0;
    for (const CellState& cell : cells)
      for (const auto& [name, tensor] : cell.tensors()) total += tensor.bytes();
    return total;
  }
  /// Whether there are numbers, and they lie elsewhere than on this device.
  bool elsewhere(Device device) const {
    for (const CellState& cell : cells)
      if (!cell.tensors().empty()) return cell.tensors().front().second.device() != device;
    return false;
  }
  State without_matrices() const {
    State rest;
    for (const CellState& cell : cells) rest.cells.push_back(cell.without_matrices());
    return rest;
  }
  State on(Device device) const {
    State moved;
    for (const CellState& cell : cells) moved.cells.push_back(cell.on(device));
    return moved;
  }
};

}  // namespace xlab
