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

std::vector<std::string> column_titles(const std::vector<std::string>& columns,
                                       const BlockCard& block) {
  std::vector<std::string> titles;
  for (const std::string& column : columns) {
    const ValueCard* card = block.values->find(column);
    titles.push_back(card ? fmt::format("{} ({})", card->title, card->symbol) : std::string());
  }
  return titles;
}

namespace {

/// The number of a head and unit in a recording, or null when it has none there.
const float* number_in(const Recorded* r, int head, int unit) {
  if (!r || head < 0 || head >= r->heads || unit < 0 || unit >= r->dim) return nullptr;
  const std::size_t i = static_cast<std::size_t>(head) * static_cast<std::size_t>(r->dim) +
                        static_cast<std::size_t>(unit);
  return i < r->values.size() ? &r->values[i] : nullptr;
}

}  // namespace

const float* number_at(const Trace* trace, const ValueRef& ref) {
  return trace ? number_in(trace->find(ref.step, ref.path), ref.head, ref.unit) : nullptr;
}

void TraceIndex::use(const std::shared_ptr<const Trace>& trace) {
  if (trace == trace_) return;
  if (!trace) paths_.clear();
  for (auto& [path, recorded] : paths_) {
    const std::size_t length = trace->steps.size();
    const std::size_t known = std::min(recorded.size(), length);
    recorded.resize(length);
    for (std::size_t i = 0; i < length; ++i) {
      const auto& token = trace->steps[i];
      if (i < known && token == trace_->steps[i]) continue;
      recorded[i] = token ? token->find(path) : nullptr;
    }
  }
  trace_ = trace;
}

std::span<const Recorded* const> TraceIndex::of(const std::string& path) {
  if (!trace_) return {};
  const auto [place, added] = paths_.try_emplace(path);
  if (added) {
    place->second.reserve(trace_->steps.size());
    for (const auto& token : trace_->steps) {
      place->second.push_back(token ? token->find(path) : nullptr);
    }
  }
  return place->second;
}

Series series(std::span<const Recorded* const> recorded, int head, int unit, int first, int count) {
  Series result;
  const int end = std::min(first + count, static_cast<int>(recorded.size()));
  for (int step = std::max(first, 0); step < end; ++step) {
    const float* number = number_in(recorded[static_cast<std::size_t>(step)], head, unit);
    if (!number) continue;
    result.steps.push_back(step);
    result.values.push_back(*number);
  }
  return result;
}

const float* value_at(const Series& series, int step) {
  const auto found = std::lower_bound(series.steps.begin(), series.steps.end(), step);
  if (found == series.steps.end() || *found != step) return nullptr;
  return &series.values[static_cast<std::size_t>(found - series.steps.begin())];
}

Strip strip(std::span<const Recorded* const> recorded, int head, int first, int count) {
  Strip result;
  const int end = std::min(first + count, static_cast<int>(recorded.size()));
  for (int step = std::max(first, 0); step < end; ++step) {
    const Recorded* r = recorded[static_cast<std::size_t>(step)];
    if (!r) continue;
    if (result.units == 0) {
      result.units = r->dim;
      result.steps = count;
      result.values.assign(static_cast<std::size_t>(r->dim) * static_cast<std::size_t>(count),
                           0.0f);
    }
    for (int unit = 0; unit < result.units; ++unit) {
      const float* number = number_in(r, head, unit);
      if (!number) break;
      result.values[static_cast<std::size_t>(unit) * static_cast<std::size_t>(count) +
                    static_cast<std::size_t>(step - first)] = *number;
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
