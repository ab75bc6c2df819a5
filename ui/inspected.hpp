// Everything that is known of one value at one place: what the inspector draws, and what of it can
// be copied.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/equations/inputs.hpp"
#include "core/live_equation.hpp"
#include "core/snapshot.hpp"
#include "ui/focus.hpp"
#include "ui/next_token.hpp"
#include "ui/request.hpp"

namespace xlab::ui {

/// Whose block and which card; null where the model has no such value.
const BlockCard* block_of(const Snapshot& snapshot, const ValueRef& ref);
const ValueCard* card_of(const Snapshot& snapshot, const ValueRef& ref);
/// Whether there is a number at the place, without computing it.
bool has_number(const Snapshot& snapshot, const ValueRef& ref);
/// "t = 7, head 2, unit 11, token b".
std::string place_of(const Snapshot& snapshot, const ValueRef& ref);
/// Why there is no number to show, as a sentence.
std::string why_missing(const Snapshot& snapshot, const ValueRef& ref);

struct Inspected {
  std::shared_ptr<const ModelCard> model;  ///< holds what the pointers point to
  const BlockCard* block = nullptr;        ///< null for what belongs to none
  const ValueCard* card = nullptr;         ///< null: not described, or a probability
  std::optional<NextCard> next;            ///< of a probability of the next token
  std::optional<float> value;
  LiveEquation live;  ///< without a text where there is none
  std::vector<EquationInput> inputs;
};
Inspected inspect(const Snapshot& snapshot, const ValueRef& ref);

/// What can be had of a value outside the program.
enum class Copied { value, equation, latex, code };

/// The request, or why there is none.
struct Offer {
  Request request;
  std::string why_not;  ///< a sentence; empty where there is a request
};
/// Whether there is one, without making it.
std::string why_not_offered(const Inspected& inspected, Copied copied);
Offer offer(const Snapshot& snapshot, const ValueRef& ref, Copied copied);

}  // namespace xlab::ui
