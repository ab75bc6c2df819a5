// How the data of a run stands in its file: the task's name, a text, and the tokenizer.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/safetensors.hpp"
#include "core/tasks/task.hpp"

namespace xlab {

/// A task as it stands in files. What is large of it, a text, is made once and kept: saving a run
/// again costs no more than writing it. May be asked by several threads.
class StoredTask {
 public:
  explicit StoredTask(std::shared_ptr<const Task> task) : task_(std::move(task)) {}

  const std::shared_ptr<const Task>& task() const { return task_; }
  /// What is needed to have the task again: d/text, or d/tokens and d/tokenizer where a text alone
  /// would not tell its tokens. Empty for tasks that make their own data.
  const std::vector<StoredTensor>& tensors() const;
  /// Adds "task", "title" and "tokenizer" to the description of a run.
  void describe(nlohmann::json& description) const;
  /// A name for the tensors that other tensors do not have: a hash and their size. Empty where
  /// there are none.
  const std::string& name() const;

 private:
  std::shared_ptr<const Task> task_;
  mutable std::once_flag made_, named_;
  mutable std::vector<StoredTensor> tensors_;
  mutable std::string name_;
};

/// The name that tensors have, see `StoredTask::name`.
std::string name_of_data(const std::vector<StoredTensor>& tensors);

/// The task that a file holds, for a model of so many tokens. Throws `Error`, or what the JSON
/// library throws, where the description is damaged.
std::unique_ptr<Task> stored_task(const nlohmann::json& description, const SafetensorsFile& file,
                                  int vocabulary);

}  // namespace xlab
