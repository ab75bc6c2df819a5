// A query put to a memory by hand, and what comes back.
#include "ui/read_shown.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <locale>
#include <span>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include "core/analysis/recorded_head.hpp"

namespace xlab::ui {
namespace {

/// A key has no more components than this in any model that is read.
constexpr std::size_t kMostKept = 4096;
constexpr std::size_t kClosest = 3;

std::vector<double> query_of(const Snapshot& snapshot, const BlockCard& block, ReadShown& shown,
                             const HandQuery& wanted) {
  const auto K = static_cast<std::size_t>(block.key_dim);
  shown.source = wanted.source;
  if (wanted.source == QuerySource::hand && wanted.drawn.size() == K)
    return {wanted.drawn.begin(), wanted.drawn.end()};
  if (wanted.source == QuerySource::key && wanted.token >= 0 && wanted.token <= shown.step)
    return key_as_query(*snapshot.trace, block, shown.head, wanted.token);
  shown.source = QuerySource::token;
  const float* q =
      recorded_head(*snapshot.trace, block, "q", shown.step, shown.head, block.key_dim);
  return q ? std::vector<double>(q, q + K) : std::vector<double>();
}

/// What the model itself read with this query.
void compare(const Snapshot& snapshot, const BlockCard& block, ReadShown& shown) {
  const float* h =
      recorded_head(*snapshot.trace, block, "h", shown.step, shown.head, block.value_dim);
  if (!h || shown.source != QuerySource::token) return;
  shown.recorded.assign(h, h + block.value_dim);
  double most = 0.0;
  for (std::size_t i = 0; i < shown.recorded.size(); ++i) {
    const double apart = std::abs(shown.recorded[i] - shown.answer.h[i]);
    // What is no number must not go unseen.
    if (!(apart <= most)) most = apart;
    if (std::isnan(most)) break;
  }
  shown.largest_difference = most;
}

}  // namespace

std::string HandQuery::kept() const {
  if (source == QuerySource::token) return "token";
  if (source == QuerySource::key) return fmt::format("key {}", token);
  return fmt::format("hand {}", fmt::join(drawn, " "));
}

bool HandQuery::restore(const std::string& kept) {
  std::istringstream in(kept);
  in.imbue(std::locale::classic());
  std::string word;
  HandQuery read;
  in >> word;
  if (word == "key") {
    read.source = QuerySource::key;
    if (!(in >> read.token) || read.token < 0) return false;
  } else if (word == "hand") {
    read.source = QuerySource::hand;
    for (std::string text; in >> text;) {
      float x = 0.0f;
      const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), x);
      if (fault != std::errc() || end != text.data() + text.size() || !std::isfinite(x) ||
          read.drawn.size() == kMostKept)
        return false;
      read.drawn.push_back(x);
    }
    if (read.drawn.empty()) return false;
  } else if (word != "token") {
    return false;
  }
  *this = read;
  return true;
}

ReadShown read_shown(const Snapshot& snapshot, int block, int head, const HandQuery& query) {
  const BlockCard& card = snapshot.model->blocks[static_cast<std::size_t>(block)];
  const MemoryImage* image = snapshot.memory.get();
  const auto size =
      static_cast<std::size_t>(card.key_dim) * static_cast<std::size_t>(card.value_dim);
  const auto first = size * static_cast<std::size_t>(head);
  if (!card.has_matrix || !snapshot.trace || !image || image->block != block ||
      image->key_dim != card.key_dim || image->value_dim != card.value_dim || size == 0 ||
      image->C.size() < first + size)
    return {};
  ReadShown shown;
  shown.step = image->step;
  shown.head = head;
  shown.query = query_of(snapshot, card, shown, query);
  if (shown.query.empty()) return {};
  shown.answer = read_memory(*snapshot.trace, card, head, shown.step,
                             std::span(image->C).subspan(first, size), shown.query);
  if (shown.empty()) return shown;
  for (const double x : shown.answer.h) shown.length += x * x;
  shown.length = std::sqrt(shown.length);
  shown.cosines = cosines_to_values(*snapshot.trace, card, head, shown.step, shown.answer.h);
  std::vector<int> order;
  for (int s = 0; s < static_cast<int>(shown.cosines.size()); ++s)
    if (std::isfinite(shown.cosines[static_cast<std::size_t>(s)])) order.push_back(s);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return shown.cosines[static_cast<std::size_t>(a)] > shown.cosines[static_cast<std::size_t>(b)];
  });
  order.resize(std::min(order.size(), kClosest));
  shown.closest = std::move(order);
  compare(snapshot, card, shown);
  return shown;
}

std::string reading_formula(const BlockCard& block) {
  const CellVariant& v = block.variant;
  const bool one = !v.stabilised() || v.denominator_floor == DenominatorFloor::one;
  const std::string floor = one ? "1" : "exp(−m)";
  if (!v.normalizer) return one ? "h = Cᵀ q" : "h = Cᵀ q / exp(−m)";
  return fmt::format("h = Cᵀ q / (max(|⟨q, n⟩|, {}) + ε)", floor);
}

}  // namespace xlab::ui
