// Looks one value up in a snapshot.
#include "ui/inspected.hpp"

#include <fmt/format.h>

#include <cstddef>

#include "core/analysis/activity.hpp"
#include "core/equations/latex.hpp"
#include "core/equations/torch_code.hpp"
#include "ui/number.hpp"
#include "ui/values.hpp"

namespace xlab::ui {
namespace {

/// The number of a matrix at the cursor, which the snapshot has; elsewhere it is replayed.
std::optional<float> number_in_image(const Snapshot& snapshot, const BlockCard* block,
                                     const ValueCard& card, const ValueRef& ref) {
  const MemoryImage* image = snapshot.memory.get();
  if (!image || !block || card.name != block->values->memory.state || image->step != ref.step)
    return std::nullopt;
  const auto& blocks = snapshot.model->blocks;
  if (image->block < 0 || image->block >= static_cast<int>(blocks.size()) ||
      &blocks[static_cast<std::size_t>(image->block)] != block || ref.head < 0 || ref.unit < 0) {
    return std::nullopt;
  }
  const std::size_t i = static_cast<std::size_t>(ref.head) *
                            static_cast<std::size_t>(image->key_dim * image->value_dim) +
                        static_cast<std::size_t>(ref.unit);
  return i < image->C.size() ? std::optional(image->C[i]) : std::nullopt;
}

/// "m, t = 7, head 2": which value it is, in a message.
std::string named(const Snapshot& snapshot, const ValueRef& ref, const Inspected& inspected) {
  const std::string symbol = inspected.next   ? inspected.next->symbol
                             : inspected.card ? inspected.card->symbol
                                              : value_name(ref.path);
  return symbol + ", " + (inspected.next ? inspected.next->place : place_of(snapshot, ref));
}

}  // namespace

const BlockCard* block_of(const Snapshot& snapshot, const ValueRef& ref) {
  return snapshot.model ? snapshot.model->block_at(ref.path) : nullptr;
}

const ValueCard* card_of(const Snapshot& snapshot, const ValueRef& ref) {
  if (ref.path == kResidualNorm) return &residual_card();
  return snapshot.model ? snapshot.model->value_at(ref.path) : nullptr;
}

bool has_number(const Snapshot& snapshot, const ValueRef& ref) {
  if (ref.path == kNextProbability) return next_probability(snapshot, ref).has_value();
  if (!snapshot.trace) return false;
  const ValueCard* card = card_of(snapshot, ref);
  if (!card || card->recorded) return number_at(snapshot.trace.get(), ref) != nullptr;
  const BlockCard* block = block_of(snapshot, ref);
  return block && ref.step >= 0 && ref.step < snapshot.trace->length() && ref.head >= 0 &&
         ref.head < block->heads && ref.unit >= 0 && ref.unit < block->numbers(card->extent);
}

std::string place_of(const Snapshot& snapshot, const ValueRef& ref) {
  std::string text = fmt::format("t = {}, head {}", ref.step, ref.head);
  const BlockCard* block = block_of(snapshot, ref);
  const ValueCard* card = card_of(snapshot, ref);
  const Recorded* r = snapshot.trace ? snapshot.trace->find(ref.step, ref.path) : nullptr;
  if (card && card->extent == Extent::key_by_value && block && block->value_dim > 0) {
    text +=
        fmt::format(", key {}, value {}", ref.unit / block->value_dim, ref.unit % block->value_dim);
  } else if (r && r->dim > 1) {
    text += fmt::format(", unit {}", ref.unit);
  }
  const auto& tokens = snapshot.sequence.tokens;
  if (ref.step >= 0 && ref.step < static_cast<int>(tokens.size())) {
    text +=
        ", token " + token_label(snapshot.model.get(), tokens[static_cast<std::size_t>(ref.step)]);
  }
  return text;
}

std::string why_missing(const Snapshot& snapshot, const ValueRef& ref) {
  const int length = snapshot.trace ? snapshot.trace->length() : 0;
  if (length == 0) return "Nothing is recorded yet.";
  if (ref.step >= length) {
    return fmt::format("Not computed yet: the sequence has {} step{} so far.", length,
                       length == 1 ? "" : "s");
  }
  return fmt::format("This value is not recorded at step {}.", ref.step);
}

Inspected inspect(const Snapshot& snapshot, const ValueRef& ref) {
  Inspected found;
  found.model = snapshot.model;
  if (ref.path == kNextProbability) {
    found.next = next_card(snapshot, ref);
    found.value = next_probability(snapshot, ref);
    return found;
  }
  found.block = block_of(snapshot, ref);
  found.card = card_of(snapshot, ref);
  const Trace* trace = snapshot.trace.get();
  if (!trace) return found;
  if (found.block) {
    found.live = live_equation(*trace, *found.block, ref.path, ref.step, ref.head, ref.unit);
    found.inputs = inputs_of(*trace, *found.block, {ref.path, ref.step, ref.head, ref.unit});
  }
  if (found.card && !found.card->recorded) {
    found.value = number_in_image(snapshot, found.block, *found.card, ref);
    if (!found.value && found.live.complete) found.value = static_cast<float>(found.live.value);
  } else if (const float* number = number_at(trace, ref)) {
    found.value = *number;
  }
  return found;
}

std::string why_not_offered(const Inspected& inspected, Copied copied) {
  if (!inspected.card && !inspected.next) return "There is no explanation for this value.";
  switch (copied) {
    case Copied::value:
      return inspected.value ? "" : "There is no number at this place.";
    case Copied::equation:
    case Copied::latex:
      return "";
    case Copied::code:
      break;
  }
  if (inspected.next) return "";
  if (inspected.card->inputs.empty())
    return "What this value is computed from is not recorded: it comes from outside the cell.";
  return inspected.live.complete ? ""
                                 : "Not everything that this value is computed from is recorded.";
}

Offer offer(const Snapshot& snapshot, const ValueRef& ref, Copied copied) {
  const Inspected inspected = inspect(snapshot, ref);
  if (const std::string why = why_not_offered(inspected, copied); !why.empty()) return {{}, why};
  const std::string name = named(snapshot, ref, inspected);
  const std::string& equation =
      inspected.next ? inspected.next->equation : inspected.card->equation;
  const std::string& numbers = inspected.next ? inspected.next->with_numbers : inspected.live.text;
  switch (copied) {
    case Copied::value:
      return {{Request::Kind::copy, "the value of " + name, full_number(*inspected.value)}, {}};
    case Copied::equation:
      return {{Request::Kind::copy, "the equation of " + name,
               numbers.empty() ? equation : equation + "\n" + numbers},
              {}};
    case Copied::latex:
      return {{Request::Kind::copy, "as LaTeX the equation of " + name,
               aligned_latex(equation, numbers)},
              {}};
    case Copied::code:
      break;
  }
  const TorchCode code =
      inspected.next
          ? softmax_code(snapshot.next->logits, ref.unit, *inspected.value)
          : torch_code(*snapshot.trace, *inspected.block, {ref.path, ref.step, ref.head, ref.unit});
  return {{Request::Kind::show, name, code.text}, code.why_not};
}

}  // namespace xlab::ui
