// Which block of the model a view shows: the tabs that put another one in focus.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ui/paint.hpp"

namespace xlab::ui {

/// The index of the block in focus, within what the model has. Needs a model with blocks.
int block_in_focus(const Scene& scene);

/// What the blocks of a model are called: "block 0 mLSTM" with two words beside the number,
/// "0 mLSTM" with one, "0" with none.
std::vector<std::string> block_names(const ModelCard& model, int words);

/// The tabs. Takes what they need from the left of `row` and returns it; a click puts another block
/// in focus.
Box choose_block(Scene& scene, Painter& painter, Box& row, std::span<const std::string> names);

}  // namespace xlab::ui
