// Runs around the model of a folder.
#include "core/folder_run.hpp"

namespace xlab {

std::unique_ptr<Task> folder_task(const ModelFolder& folder) {
  return make_tokens_task(folder.spec().vocab_size);
}

std::unique_ptr<Run> open_folder_run(const std::filesystem::path& path,
                                     std::optional<FolderUse> use) {
  const ModelFolder folder(path);
  if (!use) use = folder.trainable() ? FolderUse::train : FolderUse::read;
  return make_run(folder_task(folder), folder.read(*use), TrainSpec{});
}

std::unique_ptr<Run> train_folder_run(std::unique_ptr<Task> task,
                                      const std::optional<TrainSpec>& train,
                                      const std::filesystem::path& path) {
  const ModelFolder folder(path);
  ModelSpec spec = folder.spec();
  // Other data, other tokens.
  if (spec.large) spec.large->force_bos_token_insert = false;
  std::unique_ptr<Run> run = make_run(std::move(task), RunSpec{.model = spec, .train = train});
  folder.load_into(*run->model);
  return run;
}

}  // namespace xlab
