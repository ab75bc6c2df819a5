// Names of values and tokens, and slices of a trace as views draw them.
#include "ui/values.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/utf8.hpp"

namespace xlab::ui {

std::string value_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string value_prefix(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string token_label(const ModelCard* model, int token) {
  if (!model || token < 0 || token >= static_cast<int>(model->vocabulary.size())) {
    return fmt::format("#{}", token);
  }
  const std::string& raw = model->vocabulary[static_cast<std::size_t>(token)];
  if (raw.empty()) return fmt::format("#{}", token);
  std::string label;
  for (std::size_t i = 0; i < raw.size();) {
    const auto character = decode_utf8(raw, i);
    const auto byte = static_cast<unsigned char>(raw[i]);
    const std::size_t bytes = character ? character->bytes : 1;
    if (byte == ' ') {
      label += "·";
    } else if (byte == '\n') {
      label += "↵";
    } else if (byte == '\t') {
      label += "→";
    } else if (!character || byte < 0x20 || byte == 0x7f) {
      label += fmt::format("\\x{:02x}", static_cast<unsigned>(byte));
    } else {
      label += raw.substr(i, bytes);
    }
    i += bytes;
  }
  return label;
}

const float* number_at(const Trace* trace, const ValueRef& ref) {
  const Recorded* r = trace ? trace->find(ref.step, ref.path) : nullptr;
  if (!r || ref.head < 0 || ref.head >= r->heads || ref.unit < 0 || ref.unit >= r->dim) {
    return nullptr;
  }
  const std::size_t i = static_cast<std::size_t>(ref.head) * static_cast<std::size_t>(r->dim) +
                        static_cast<std::size_t>(ref.unit);
  return i < r->values.size() ? &r->values[i] : nullptr;
}

Series series(const Trace& trace, const std::string& path, int head, int unit, int first,
              int count) {
  Series result;
  for (int step = std::max(first, 0); step < std::min(first + count, trace.length()); ++step) {
    if (const float* number = number_at(&trace, {path, step, head, unit})) {
      result.steps.push_back(step);
      result.values.push_back(*number);
    }
  }
  return result;
}

Strip strip(const Trace& trace, const std::string& path, int head, int first, int count) {
  Strip result;
  for (int i = 0; i < count; ++i) {
    const Recorded* recorded = trace.find(first + i, path);
    if (!recorded || head >= recorded->heads) continue;
    if (result.units == 0) {
      result.units = recorded->dim;
      result.steps = count;
      result.values.assign(
          static_cast<std::size_t>(recorded->dim) * static_cast<std::size_t>(count), 0.0f);
    }
    for (int unit = 0; unit < std::min(result.units, recorded->dim); ++unit) {
      result.values[static_cast<std::size_t>(unit) * static_cast<std::size_t>(count) +
                    static_cast<std::size_t>(i)] = recorded->at(head, unit);
    }
  }
  return result;
}

const BlockCard* focused_block(const Snapshot& snapshot, const Focus& focus) {
  if (!snapshot.model || snapshot.model->blocks.empty()) return nullptr;
  const int last = static_cast<int>(snapshot.model->blocks.size()) - 1;
  return &snapshot.model->blocks[static_cast<std::size_t>(std::clamp(focus.block, 0, last))];
}

int focused_head(const BlockCard& block, const Focus& focus) {
  return std::clamp(focus.head, 0, std::max(block.heads - 1, 0));
}

void Hover::set(Focus& focus, const std::optional<ValueRef>& now) {
  if (now) {
    focus.hovered = now;
  } else if (mine_ && focus.hovered == mine_) {
    // Another view may have set its own by now; only what this view said is taken back.
    focus.hovered.reset();
  }
  mine_ = now;
}

}  // namespace xlab::ui
