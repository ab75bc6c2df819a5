// What the view of a matrix memory says of its blocks, in words.
#include "ui/memory_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "ui/memory_shown.hpp"

namespace xlab::ui {

std::string memories_in_words(const ModelCard& model) {
  std::vector<std::string> matrices, numbers;
  for (const BlockCard& block : model.blocks) {
    std::vector<std::string>& titles = block.has_matrix ? matrices : numbers;
    if (std::find(titles.begin(), titles.end(), block.title) == titles.end())
      titles.push_back(block.title);
  }
  if (numbers.empty())
    return fmt::format("{} blocks have a matrix memory.", fmt::join(matrices, " and "));
  if (matrices.empty())
    return fmt::format("{} blocks have one number per unit.", fmt::join(numbers, " and "));
  return fmt::format("{} blocks have a matrix memory, {} blocks one number per unit.",
                     fmt::join(matrices, " and "), fmt::join(numbers, " and "));
}

std::string factors_in_words(const BlockCard& block) {
  std::string words;
  for (const ValueCard* factor : write_factors(block)) {
    const std::string title = factor->title.substr(0, factor->title.find(','));
    words += words.empty() ? "the " + title : " times " + title;
  }
  return words;
}

std::string in_its_scale(const BlockCard& block, const std::string& name) {
  const std::string& scale = block.values->memory.scale;
  const std::string symbol = symbol_of(block, name);
  return scale.empty() ? symbol : fmt::format("{} / exp({})", symbol, symbol_of(block, scale));
}

std::string left_in_words(const BlockCard& block) {
  const MemoryCard& memory = block.values->memory;
  const ValueCard* state = block.values->find(memory.state);
  const std::string forget =
      state && !state->inputs.empty() ? symbol_of(block, state->inputs.front()) + " " : "";
  return forget + symbol_of(block, memory.state) + "₋₁" +
         (memory.scale.empty() ? "" : ", in the scale of now");
}

ScaleWords scale_words(const BlockCard& block) {
  if (!block.values->has(Choice::scale)) return {};
  if (block.variant.scale == Scaled::keys)
    return {"keys / √K",
            "Keys are divided by √K before they are stored, and queries are not; a cell that "
            "divides queries instead stores √K times as much for the same answers."};
  return {"queries / √K",
          "Queries are divided by √K, and keys are stored as they are; a cell that divides keys "
          "instead stores √K times less for the same answers."};
}

}  // namespace xlab::ui
