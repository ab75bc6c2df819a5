// What the engine does to what is held by hand.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "core/edits.hpp"
#include "core/engine/worker.hpp"
#include "core/known_token.hpp"
#include "core/run_json.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

bool in_one_place(const Clamp& a, const Clamp& b) {
  return a.path == b.path && a.head == b.head && a.unit == b.unit && a.begin == b.begin &&
         a.end == b.end && a.change == b.change;
}

/// In the place of the last one on the same place, which is the one that counts, else at the end.
/// Returns its index.
std::ptrdiff_t put(const Clamp& clamp, std::vector<Clamp>& clamps) {
  check_clamp(clamp);
  const auto same = std::find_if(clamps.rbegin(), clamps.rend(),
                                 [&](const Clamp& c) { return in_one_place(c, clamp); });
  if (same == clamps.rend()) {
    clamps.push_back(clamp);
    return std::ssize(clamps) - 1;
  }
  *same = clamp;
  return std::distance(same, clamps.rend()) - 1;
}

/// "forget gate, head 1, step 3"
std::string about(const ModelCard& model, const Clamp& clamp) {
  const ValueCard* card = model.value_at(clamp.path);
  std::string words =
      card ? card->title.substr(0, card->title.find(',')) : printable(clamp.path, 24);
  words += clamp.head == Clamp::kAll ? ", all heads" : fmt::format(", head {}", clamp.head);
  if (acts_at_all_steps(clamp)) return words + ", all steps";
  return words + (clamp.end - clamp.begin == 1
                      ? fmt::format(", step {}", clamp.begin)
                      : fmt::format(", steps {} to {}", clamp.begin, clamp.end - 1));
}

/// Of several clamps a drag is what goes on in the same places.
std::string drag_of(const command::AddClamps& c) {
  std::string places = c.name;
  for (const Clamp& clamp : c.clamps)
    places += fmt::format("|{} {} {} {} {} {}", clamp.path, clamp.head, clamp.unit, clamp.begin,
                          clamp.end, name_of(clamp.change));
  return places;
}

/// A drag of the clamp with this index is one edit, from the command that made it on.
std::string drag_of(std::ptrdiff_t index) {
  return fmt::format("clamp {}", index);
}

}  // namespace

void Engine::Worker::remove_clamp(int index) {
  std::vector<Clamp> clamps = clamps_with(index);
  const std::string of = about(live->model(), clamps[static_cast<std::size_t>(index)]);
  clamps.erase(clamps.begin() + index);
  edit_clamps(std::move(clamps), "removing a clamp", {}, of);
}

void Engine::Worker::enable_clamp(int index, bool enabled) {
  std::vector<Clamp> clamps = clamps_with(index);
  Clamp& clamp = clamps[static_cast<std::size_t>(index)];
  clamp.enabled = enabled;
  const std::string of = about(live->model(), clamp) + (enabled ? ", on" : ", off");
  edit_clamps(std::move(clamps), "switching a clamp", {}, of);
}

std::vector<Clamp> Engine::Worker::clamps_with(int index) const {
  const std::vector<Clamp>& clamps = live->sequence().clamps();
  check(index >= 0 && index < static_cast<int>(clamps.size()), "There is no clamp number {}.",
        index);
  return clamps;
}

void Engine::Worker::edit_clamps(std::vector<Clamp> clamps, const char* name,
                                 const std::string& place, const std::string& about) {
  std::vector<Clamp> before = live->sequence().clamps();
  if (before == clamps) return;
  live->set_clamps(std::move(clamps));
  remember(name, std::move(before), place, about);
}

void Engine::Worker::move_clamp(int index, int to) {
  std::vector<Clamp> clamps = clamps_with(index);
  clamps_with(to);
  const Clamp moved = clamps[static_cast<std::size_t>(index)];
  clamps.erase(clamps.begin() + index);
  clamps.insert(clamps.begin() + to, moved);
  edit_clamps(std::move(clamps), "moving an edit");
}

void Engine::Worker::replace_clamp(int index, const Clamp& clamp) {
  check_clamp(clamp);
  std::vector<Clamp> clamps = clamps_with(index);
  // Another one on the same place stays: who drags an end over it takes nothing away with that.
  clamps[static_cast<std::size_t>(index)] = clamp;
  edit_clamps(std::move(clamps), "changing a clamp", drag_of(index), about(live->model(), clamp));
}

void Engine::Worker::set_clamp(const Clamp& clamp) {
  std::vector<Clamp> clamps = live->sequence().clamps();
  const std::ptrdiff_t index = put(clamp, clamps);
  edit_clamps(std::move(clamps), "clamp", drag_of(index), about(live->model(), clamp));
}

void Engine::Worker::add_clamps(const command::AddClamps& c) {
  std::vector<Clamp> clamps = live->sequence().clamps();
  for (const Clamp& clamp : c.clamps) put(clamp, clamps);
  const std::string of = c.clamps.empty() ? std::string() : about(live->model(), c.clamps.front());
  edit_clamps(std::move(clamps), c.name.c_str(), drag_of(c), of);
}

void Engine::Worker::hold_all(const command::HoldAll& c) {
  check(!why_not_trained(live->run()).empty(),
        "Equations and edits are changed in one step only in a run that is not trained.");
  check(!c.name.empty(), "An edit needs a name.");
  for (const Clamp& clamp : c.clamps) check_clamp(clamp);
  for (const int token : c.tokens) check_token(live->run().model->spec(), token);
  check(c.clamps.size() <= Sequence::kMostClamps, "There are {} clamps; at most {} are possible.",
        c.clamps.size(), Sequence::kMostClamps);
  // Each kind is tried on its own first: what cannot be leaves everything as it is.
  HeldBefore before{.clamps = live->sequence().clamps(), .variants = {}, .tokens = {}};
  Model& model = *live->run().model;
  try {
    for (const command::SetVariant& other : c.variants) {
      const CellVariant was = variant_of(other.kind);
      model.set_variant(other.kind, other.variant);
      if (was == variant_of(other.kind)) continue;
      before.variants.push_back({.kind = other.kind, .variant = was, .without_numbers = true});
    }
  } catch (...) {
    for (const VariantBefore& was : before.variants) model.set_variant(was.kind, was.variant);
    throw;
  }
  if (!before.variants.empty()) other_equations();
  if (!c.tokens.empty()) before.tokens = live->show_tokens(c.tokens);
  if (before.clamps == c.clamps && before.variants.empty() && !before.tokens) return;
  live->set_clamps(c.clamps);
  live->note_change();
  remember(c.name.c_str(), std::move(before), {}, c.about);
}

}  // namespace xlab
