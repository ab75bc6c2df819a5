// Parts of a run's description as JSON.
#include "core/run_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

#include "core/files/json_text.hpp"
#include "core/generation/sampler.hpp"
#include "core/utf8.hpp"

namespace xlab {

using nlohmann::json;

std::vector<int> tokens_in(const json& in) {
  check(in.is_array(), "The run description's 'tokens' must be a list.");
  std::vector<int> tokens;
  for (const json& token : in) {
    check(token.is_number_integer() && token.get<double>() >= 0 &&
              token.get<double>() <= std::numeric_limits<int>::max(),
          "The run description's 'tokens' holds {}, which is no token.",
          printable(json_text(token), 40));
    tokens.push_back(token.get<int>());
  }
  return tokens;
}

namespace {

/// Files of before there were others say nothing.
Change change_in(const json& in) {
  if (!in.contains("change")) return Change::set;
  const auto name = in.at("change").get<std::string>();
  for (const Change change : {Change::set, Change::add, Change::scale})
    if (name == name_of(change)) return change;
  throw Error(fmt::format(
      "The run description has a clamp that is to '{}' a value; \"set\", \"add\" and \"scale\" are "
      "known.",
      printable(name, 40)));
}

std::vector<float> curve_in(const json& in) {
  std::vector<float> curve;
  if (!in.contains("curve")) return curve;
  check(in.at("curve").is_array(), "The run description's 'curve' must be a list.");
  for (const json& number : in.at("curve")) {
    check(number.is_number(), "The run description's 'curve' holds {}, which is no number.",
          printable(json_text(number), 40));
    curve.push_back(number.get<float>());
  }
  return curve;
}

}  // namespace

bool any_beyond_holding(const std::vector<Clamp>& clamps) {
  return std::ranges::any_of(clamps, [](const Clamp& clamp) {
    return clamp.change != Change::set || !clamp.curve.empty() || clamp.head == Clamp::kAll ||
           clamp.unit == Clamp::kAll;
  });
}

void check_clamp(const Clamp& clamp) {
  const bool finite =
      std::isfinite(clamp.value) &&
      std::ranges::all_of(clamp.curve, [](float value) { return std::isfinite(value); });
  check(finite, "A clamp needs a finite number.");
  check(clamp.head >= Clamp::kAll && clamp.unit >= Clamp::kAll && clamp.begin >= 0,
        "A clamp is on head {}, unit {} from step {} on; these count from 0.", clamp.head,
        clamp.unit, clamp.begin);
  check(clamp.begin < clamp.end, "A clamp from step {} to step {} holds nothing.", clamp.begin,
        std::int64_t{clamp.end} - 1);
  const std::int64_t steps = std::int64_t{clamp.end} - clamp.begin;
  check(clamp.curve.empty() || std::ssize(clamp.curve) == steps,
        "A clamp of {} steps has a curve of {} values.", steps, clamp.curve.size());
}

std::vector<Clamp> clamps_in(const json& in) {
  check(in.is_array(), "The run description's 'clamps' must be a list.");
  std::vector<Clamp> clamps;
  for (const json& c : in) {
    clamps.push_back({.path = c.at("path").get<std::string>(),
                      .head = number_in<int>(c, "head"),
                      .unit = number_in<int>(c, "unit"),
                      .begin = number_in<int>(c, "begin"),
                      .end = number_in<int>(c, "end"),
                      .value = number_in<float>(c, "value"),
                      .enabled = c.at("enabled").get<bool>(),
                      .change = change_in(c),
                      .curve = curve_in(c)});
    check_clamp(clamps.back());
  }
  return clamps;
}

json json_of(const Clamp& clamp) {
  json out = {{"path", clamp.path},      {"head", clamp.head}, {"unit", clamp.unit},
              {"begin", clamp.begin},    {"end", clamp.end},   {"value", clamp.value},
              {"enabled", clamp.enabled}};
  if (clamp.change != Change::set) out["change"] = name_of(clamp.change);
  if (!clamp.curve.empty()) out["curve"] = clamp.curve;
  return out;
}

json json_of(const std::vector<Clamp>& clamps) {
  json out = json::array();
  for (const Clamp& clamp : clamps) out.push_back(json_of(clamp));
  return out;
}

SamplerSettings sampler_in(const json& in) {
  const SamplerSettings sampler = {
      in.at("greedy").get<bool>(),          number_in<double>(in, "temperature"),
      number_in<int>(in, "top_k"),          number_in<double>(in, "top_p"),
      number_in<std::uint64_t>(in, "seed"), in.value("past_end", false)};
  validate(sampler);
  return sampler;
}

json json_of(const SamplerSettings& sampler) {
  return {{"greedy", sampler.greedy}, {"temperature", sampler.temperature},
          {"top_k", sampler.top_k},   {"top_p", sampler.top_p},
          {"seed", sampler.seed},     {"past_end", sampler.past_end}};
}

}  // namespace xlab
