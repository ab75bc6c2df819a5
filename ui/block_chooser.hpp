// Which block of the model a view shows, and which head: the tabs that put another one in focus.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ui/hint.hpp"
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

/// The same and the heads of that block, with as many words as there is room for. The card explains
/// both; `which_head` is what a head is chosen for, as a sentence.
void choose_block_and_head(Scene& scene, Painter& painter, Box& row, std::string_view which_head,
                           HoverCard& card);

}  // namespace xlab::ui
