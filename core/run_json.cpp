// Parts of a run's description as JSON.
#include "core/run_json.hpp"

#include <cstdint>
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

std::vector<Clamp> clamps_in(const json& in) {
  check(in.is_array(), "The run description's 'clamps' must be a list.");
  std::vector<Clamp> clamps;
  for (const json& c : in)
    clamps.push_back({c.at("path").get<std::string>(), number_in<int>(c, "head"),
                      number_in<int>(c, "unit"), number_in<int>(c, "begin"),
                      number_in<int>(c, "end"), number_in<float>(c, "value"),
                      c.at("enabled").get<bool>()});
  return clamps;
}

json json_of(const std::vector<Clamp>& clamps) {
  json out = json::array();
  for (const Clamp& c : clamps)
    out.push_back({{"path", c.path},
                   {"head", c.head},
                   {"unit", c.unit},
                   {"begin", c.begin},
                   {"end", c.end},
                   {"value", c.value},
                   {"enabled", c.enabled}});
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
