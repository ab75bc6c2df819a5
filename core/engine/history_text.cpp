// What can be taken back in a run, as text.
#include "core/engine/history_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "core/files/json_text.hpp"
#include "core/run_json.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace {

using nlohmann::json;

constexpr std::size_t kMostLabelBytes = 60;
constexpr double kMostRateFactor = 1000.0;

/// The choice of this name among `all`.
template <typename Choice, std::size_t kCount>
Choice choice_in(const json& in, const char* key, const std::array<Choice, kCount>& all) {
  const std::string name = in.at(key).get<std::string>();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](Choice choice) { return name == name_of(choice); });
  check(found != all.end(), "'{}' is no {}.", printable(name, 40), key);
  return *found;
}

json edit_json(const VariantBefore& before) {
  const CellVariant& v = before.variant;
  return {{"kind", before.kind},
          {"forget_gate", name_of(v.forget_gate)},
          {"stabilizer", v.stabilizer},
          {"input_gate", name_of(v.input_gate)},
          {"normalizer", v.normalizer},
          {"denominator_floor", name_of(v.denominator_floor)},
          {"scale", name_of(v.scale)},
          {"eps", v.eps},
          {"gate_soft_cap", v.gate_soft_cap},
          {"number_format", name_of(v.number_format)},
          {"without_numbers", before.without_numbers}};
}

VariantBefore variant_in(const json& in, const Run& of, bool trained) {
  VariantBefore before{.kind = in.at("kind").get<std::string>(), .variant = {}, .numbers = {}};
  const auto cards = of.model->cards();
  check(std::any_of(cards.begin(), cards.end(),
                    [&](const BlockCard& card) { return card.kind == before.kind; }),
        "This model has no blocks of kind '{}'.", printable(before.kind, 40));
  using enum NumberFormat;
  before.variant = {
      .forget_gate =
          choice_in(in, "forget_gate", std::array{ForgetGate::sigmoid, ForgetGate::exponential}),
      .stabilizer = in.at("stabilizer").get<bool>(),
      // Earlier versions had no choice of these two.
      .input_gate =
          in.contains("input_gate")
              ? choice_in(in, "input_gate", std::array{InputGate::exponential, InputGate::sigmoid})
              : InputGate::exponential,
      .normalizer = in.value("normalizer", true),
      .denominator_floor = choice_in(
          in, "denominator_floor", std::array{DenominatorFloor::stabilizer, DenominatorFloor::one}),
      .scale = choice_in(in, "scale", std::array{Scaled::keys, Scaled::queries}),
      .eps = number_in<double>(in, "eps", 0.0, 1.0),
      .gate_soft_cap = number_in<double>(in, "gate_soft_cap", 0.0, 1e9),
      .number_format = choice_in(in, "number_format", std::array{native, fp64, fp32, bf16, fp16})};
  // What was trained since by another program had no weights of before to keep.
  before.without_numbers = trained || in.at("without_numbers").get<bool>();
  return before;
}

json edit_json(const TokensBefore& before) {
  return {{"list", before.tokens},
          {"prompt_length", before.prompt_length},
          {"cursor", before.cursor},
          {"samples", before.samples_taken}};
}

TokensBefore tokens_before_in(const json& in, const Run& of) {
  TokensBefore before;
  before.tokens = tokens_in(in.at("list"));
  const int most = of.model->spec().vocab_size;
  check(std::all_of(before.tokens.begin(), before.tokens.end(),
                    [&](int token) { return token < most; }),
        "It holds tokens that this model does not have.");
  const int length = static_cast<int>(before.tokens.size());
  before.prompt_length = number_in<int>(in, "prompt_length", 0, length);
  before.cursor = number_in<int>(in, "cursor", -1, length - 1);
  before.samples_taken = number_in<int>(in, "samples", 0, 1e9);
  return before;
}

json edit_json(const HeldBefore& before) {
  json out = {{"clamps", json_of(before.clamps)}, {"variants", json::array()}};
  for (const VariantBefore& variant : before.variants)
    out["variants"].push_back(edit_json(variant));
  if (before.tokens) out["tokens"] = edit_json(*before.tokens);
  return out;
}

std::vector<Clamp> clamps_before_in(const json& in) {
  std::vector<Clamp> clamps = clamps_in(in);
  check(clamps.size() <= Sequence::kMostClamps, "There are {} clamps; at most {} are possible.",
        clamps.size(), Sequence::kMostClamps);
  return clamps;
}

HeldBefore held_before_in(const json& in, const Run& of) {
  HeldBefore before{.clamps = clamps_before_in(in.at("clamps")), .variants = {}, .tokens = {}};
  const json& variants = in.at("variants");
  check(variants.is_array() && variants.size() <= of.model->cards().size(),
        "It holds more equations than there are blocks.");
  for (const json& variant : variants) before.variants.push_back(variant_in(variant, of, true));
  if (in.contains("tokens")) before.tokens = tokens_before_in(in.at("tokens"), of);
  return before;
}

/// The edit as it is saved; nothing for one that needs weights, runs or other runs.
std::optional<json> edit_json(const Edit& edit) {
  json out = {{"name", edit.name}, {"at", edit.at}};
  if (!edit.about.empty()) out["about"] = edit.about;
  if (const auto* tokens = std::get_if<TokensBefore>(&edit.before)) {
    out["tokens"] = edit_json(*tokens);
  } else if (const auto* clamps = std::get_if<std::vector<Clamp>>(&edit.before)) {
    out["clamps"] = json_of(*clamps);
  } else if (const auto* held = std::get_if<HeldBefore>(&edit.before)) {
    out["held"] = edit_json(*held);
  } else if (const auto* sampler = std::get_if<SamplerSettings>(&edit.before)) {
    out["sampler"] = json_of(*sampler);
  } else if (const auto* scale = std::get_if<double>(&edit.before)) {
    out["scale"] = *scale;
  } else if (const auto* title = std::get_if<std::string>(&edit.before)) {
    out["title"] = *title;
  } else if (const auto* variant = std::get_if<VariantBefore>(&edit.before);
             variant && !variant->numbers) {
    out["variant"] = edit_json(*variant);
  } else {
    return {};
  }
  return out;
}

Edit edit_in(const json& in, const Run& of, int run, bool trained) {
  Edit edit{.name = in.at("name").get<std::string>(), .before = 0.0, .run = run};
  check(!edit.name.empty() && edit.name.size() <= kMostLabelBytes &&
            printable(edit.name) == edit.name,
        "An edit has no usable name.");
  edit.at = number_in<std::uint64_t>(in, "at", 0, 1e15);
  edit.about = in.value("about", std::string());
  check(edit.about.size() <= kMostLabelBytes && printable(edit.about) == edit.about,
        "What an edit was made to is no usable text.");
  if (in.contains("tokens")) {
    edit.before = tokens_before_in(in.at("tokens"), of);
  } else if (in.contains("clamps")) {
    edit.before = clamps_before_in(in.at("clamps"));
  } else if (in.contains("held")) {
    edit.before = held_before_in(in.at("held"), of);
  } else if (in.contains("sampler")) {
    edit.before = sampler_in(in.at("sampler"));
  } else if (in.contains("scale")) {
    edit.before = number_in<double>(in, "scale", 0.0, kMostRateFactor);
  } else if (in.contains("title")) {
    std::string title = in.at("title").get<std::string>();
    check(title.size() <= Run::kMostNameBytes && !find_invalid_utf8(title),
          "A name is no text, or too long.");
    edit.before = std::move(title);
  } else {
    edit.before = variant_in(in.at("variant"), of, trained);
  }
  return edit;
}

/// Edits of one run from the next one on, as far as they can be saved.
std::vector<json> saved(const std::deque<Edit>& edits, int run) {
  std::vector<json> out;
  for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
    if (const auto* follow = std::get_if<FollowBefore>(&edit->before)) {
      // What was shared is of several runs.
      if (std::any_of(follow->groups.begin(), follow->groups.end(),
                      [&](const auto& group) { return group.first == run; }))
        break;
    }
    if (edit->run != run) continue;
    std::optional<json> one = edit_json(*edit);
    if (!one || out.size() == kMostSavedEdits) break;
    out.push_back(*std::move(one));
  }
  return out;
}

std::deque<Edit> read(const json& in, const Run& of, int run, bool trained) {
  check(in.is_array() && in.size() <= kMostSavedEdits, "It must hold at most {} edits.",
        kMostSavedEdits);
  std::deque<Edit> edits;
  for (const json& edit : in) edits.push_front(edit_in(edit, of, run, trained));
  return edits;
}

/// Of whichever run.
bool beyond_holding(const Edit& edit) {
  if (const auto* clamps = std::get_if<std::vector<Clamp>>(&edit.before))
    return any_beyond_holding(*clamps);
  return std::holds_alternative<HeldBefore>(edit.before);
}

}  // namespace

std::string history_text(const std::deque<Edit>& past, const std::deque<Edit>& future, int run,
                         std::int64_t step) {
  std::vector<json> undo = saved(past, run), redo = saved(future, run);
  const bool newer =
      std::ranges::any_of(past, beyond_holding) || std::ranges::any_of(future, beyond_holding);
  while (!undo.empty() || !redo.empty()) {
    std::string text = json_text({{"format", newer ? kEditsHistoryFormat : kHistoryFormat},
                                  {"step", step},
                                  {"past", undo},
                                  {"future", redo}});
    if (text.size() <= kMostHistoryBytes) return text;
    // Half of them at once: to look at each text would take long.
    std::vector<json>& longer = undo.size() >= redo.size() ? undo : redo;
    longer.resize(longer.size() / 2);
  }
  return {};
}

Edits edits_in(const std::string& text, const Run& of, int run) {
  check(text.size() <= kMostHistoryBytes, "It is longer than {} bytes.", kMostHistoryBytes);
  const json in = parse_json(text, "It");
  try {
    const int format = number_in<int>(in, "format");
    check(format == kHistoryFormat || format == kEditsHistoryFormat,
          "It has the format {}, but this version reads formats {} and {}.", format, kHistoryFormat,
          kEditsHistoryFormat);
    const bool trained = number_in<std::int64_t>(in, "step") != of.trainer->steps_done();
    return {read(in.at("past"), of, run, trained), read(in.at("future"), of, run, trained)};
  } catch (const json::exception& e) {
    // The library's words after its own "[json.exception...] ".
    const std::string_view what = e.what();
    throw Error(printable(what.substr(what.find("] ") + 2), 200) + ".");
  }
}

}  // namespace xlab
