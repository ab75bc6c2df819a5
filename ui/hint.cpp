// One sentence beside the mouse, for what carries no number of its own: legends, chips, words.
#include "ui/hint.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace xlab::ui {

bool hint(const Scene& scene, const Box& box, std::string_view sentence) {
  if (box.empty() || sentence.empty() || !box.contains(ImGui::GetIO().MousePos)) return false;
  if (!ImGui::IsWindowHovered()) return false;
  std::vector<CardLine> lines;
  while (!sentence.empty()) {
    const std::size_t end = std::min(sentence.find('\n'), sentence.size());
    lines.push_back({std::string(sentence.substr(0, end)), lines.empty()});
    sentence.remove_prefix(std::min(end + 1, sentence.size()));
  }
  hover_card(scene, lines);
  return true;
}

void HoverCard::explain(const Box& box, std::initializer_list<CardLine> lines) {
  if (dragging_ || !lines_.empty() || !box.contains(ImGui::GetIO().MousePos)) return;
  if (ImGui::IsWindowHovered()) lines_.assign(lines);
}

}  // namespace xlab::ui
