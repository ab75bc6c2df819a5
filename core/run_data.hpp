// How the data of a run stands in its file: the task's name, a text, and the tokenizer.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/checkpoint.hpp"
#include "core/task.hpp"

namespace xlab {

/// Adds what is needed to have the task again: tensors d/text, or d/tokens and d/tokenizer where a
/// text alone would not tell its tokens, and "task", "title" and "tokenizer" of the description.
void store_task(const Task& task, std::vector<StoredTensor>& tensors, nlohmann::json& description);

/// The task that a file holds, for a model of so many tokens. Throws `Error`, or what the JSON
/// library throws, where the description is damaged.
std::unique_ptr<Task> stored_task(const nlohmann::json& description, const SafetensorsFile& file,
                                  int vocabulary);

}  // namespace xlab
