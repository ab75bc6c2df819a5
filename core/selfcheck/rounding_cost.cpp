// Expectations with some of the weights rounded against those with the weights as they are.
#include "core/selfcheck/rounding_cost.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "core/known_token.hpp"
#include "core/tape.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace {

/// Logits (tokens, vocabulary) on the host.
Tensor expectations(const Model& model, const Params& params, std::span<const int> tokens,
                    const std::atomic<bool>* cancel) {
  const Tensor ids =
      Tensor::from<std::int32_t>({1, static_cast<std::int64_t>(tokens.size())},
                                 std::vector<std::int32_t>(tokens.begin(), tokens.end()));
  Tape tape(Tape::Mode::inference, nullptr, cancel);
  State after;
  const Tensor out = tape.value(model.forward(tape, params, ids, {}, after)).to(Device::cpu());
  return out.reshape({out.extent(1), out.extent(2)});
}

/// log sum exp of a row.
double log_of_sum(std::span<const float> logits) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float x : logits) sum += std::exp(x - most);
  return most + std::log(sum);
}

/// KL(p || q) of the distributions that two rows of logits stand for.
double divergence_of(std::span<const float> p, std::span<const float> q) {
  const double p_sum = log_of_sum(p), q_sum = log_of_sum(q);
  double divergence = 0.0;
  for (std::size_t j = 0; j < p.size(); ++j) {
    const double log_p = p[j] - p_sum, log_q = q[j] - q_sum;
    divergence += std::exp(log_p) * (log_p - log_q);
  }
  return std::isnan(divergence) ? divergence : std::max(divergence, 0.0);
}

void compare(const Tensor& p, const Tensor& q, RoundingCost& cost) {
  const auto rows = static_cast<std::size_t>(p.extent(0)),
             width = static_cast<std::size_t>(p.extent(1));
  std::size_t same = 0;
  for (std::size_t t = 0; t < rows; ++t) {
    const auto before = std::span<const float>(p.span<float>()).subspan(t * width, width),
               after = std::span<const float>(q.span<float>()).subspan(t * width, width);
    const double one = divergence_of(before, after);
    cost.divergence += one / static_cast<double>(rows);
    cost.largest = one > cost.largest || std::isnan(one) ? one : cost.largest;
    const auto first = [](std::span<const float> row) {
      return std::max_element(row.begin(), row.end()) - row.begin();
    };
    same += first(before) == first(after) ? 1 : 0;
  }
  cost.same_first = static_cast<double>(same) / static_cast<double>(rows);
}

}  // namespace

std::vector<RoundingCost> round_and_compare(Model& model, FolderUse use,
                                            std::span<const int> tokens,
                                            const std::function<void(const RoundingCost&)>& done,
                                            const std::atomic<bool>* cancel) {
  check(!name_of_blocks(use).empty(), "There is nothing to compare: no weights are rounded.");
  check(!model.params().trainable(), "What rounding costs is told of a model that is only read.");
  check(!tokens.empty(), "There is no token to compare expectations after.");
  for (const int token : tokens) check_token(model.spec(), token);

  Params& params = model.params();
  const std::vector<ParamInfo>& infos = params.infos();
  const Tensor before = expectations(model, params, tokens, cancel);
  std::vector<RoundingCost> costs;
  // Rounds the weights whose names begin so, or all others; returns those that were there.
  const auto round = [&](const std::string& prefix, bool others, RoundingCost& cost) {
    std::vector<std::pair<int, Tensor>> replaced;
    for (std::size_t p = 0; p < infos.size(); ++p) {
      const int index = static_cast<int>(p);
      const std::optional<DType> type = rounded_type(infos[p], use);
      if (infos[p].name.starts_with(prefix) == others || !type) continue;
      const Tensor value = params[index].value;
      cost.bytes_before += static_cast<double>(value.bytes());
      params.exchange(index, value.to(*type));
      cost.bytes_rounded += static_cast<double>(params[index].value.bytes());
      replaced.emplace_back(index, value);
    }
    return replaced;
  };
  const auto look = [&](RoundingCost cost) {
    compare(before, expectations(model, params, tokens, cancel), cost);
    if (done) done(cost);
    costs.push_back(std::move(cost));
  };
  const std::string blocks = "backbone.blocks.";
  for (int b = -1; b < model.spec().num_blocks; ++b) {
    RoundingCost cost{.rounded =
                          b < 0 ? std::string("embedding and head") : fmt::format("block {}", b)};
    const auto replaced = round(b < 0 ? blocks : fmt::format("{}{}.", blocks, b), b < 0, cost);
    look(std::move(cost));
    for (const auto& [index, value] : replaced) params.exchange(index, value);
  }
  // Now for good: each tensor gives way to its rounded one before the next is rounded.
  RoundingCost cost{.rounded = "all"};
  for (std::size_t p = 0; p < infos.size(); ++p) {
    const std::optional<DType> type = rounded_type(infos[p], use);
    if (!type) continue;
    const int index = static_cast<int>(p);
    cost.bytes_before += static_cast<double>(params[index].value.bytes());
    params.exchange(index, params[index].value.to(*type));
    cost.bytes_rounded += static_cast<double>(params[index].value.bytes());
  }
  look(std::move(cost));
  return costs;
}

}  // namespace xlab
