// Copies of a run in host memory, and going on from them.
#include "core/training/last_copy.hpp"

#include <algorithm>
#include <iterator>

namespace xlab {
namespace {

/// The tensors that hold a model's weights.
std::vector<Tensor> weights_of(const Params& params) {
  if (params.trainable()) return {params.values()};
  std::vector<Tensor> all;
  for (std::size_t p = 0; p < params.infos().size(); ++p)
    all.push_back(params[static_cast<int>(p)].value);
  return all;
}

std::unique_ptr<Model> empty_like(const Model& model) {
  const Params& params = model.params();
  if (params.trainable()) return std::make_unique<Model>(model.spec(), params.dtype());
  std::vector<DType> types;
  for (const Tensor& weight : weights_of(params)) types.push_back(weight.dtype());
  return std::make_unique<Model>(model.spec(), types);
}

}  // namespace

void LastCopy::take(const Run& run) {
  LastCopy fresh;
  for (const Tensor& weights : weights_of(run.model->params()))
    fresh.values_.push_back(weights.to(Device::cpu()));
  fresh.first_moment_ = run.trainer->first_moment().to(Device::cpu());
  fresh.second_moment_ = run.trainer->second_moment().to(Device::cpu());
  fresh.step_ = run.trainer->steps_done();
  fresh.taken_ = std::chrono::steady_clock::now();
  *this = std::move(fresh);
}

bool LastCopy::due(const Run& run) const {
  const std::int64_t trained = run.trainer->steps_done() - step_;
  return trained >= kMostSteps ||
         (trained > 0 && std::chrono::steady_clock::now() - taken_ >= kLongest);
}

void LastCopy::put_into(RunRecord& record) const {
  record.values = values_.front();
  if (!record.first_moment.defined()) return;
  record.first_moment = first_moment_;
  record.second_moment = second_moment_;
}

std::unique_ptr<Run> LastCopy::revive(const Run& lost) const {
  check(!empty(), "There was no copy of the run in the computer's memory yet.");
  auto run = std::make_unique<Run>();
  run->model = empty_like(*lost.model);
  const std::vector<Tensor> weights = weights_of(run->model->params());
  for (std::size_t p = 0; p < weights.size(); ++p) weights[p].copy_from(values_[p]);
  run->trainer = std::make_unique<Trainer>(*run->model, *lost.task, lost.trainer->spec());
  if (first_moment_.defined()) {
    run->trainer->first_moment().copy_from(first_moment_);
    run->trainer->second_moment().copy_from(second_moment_);
  }
  run->trainer->resume_at(step_);
  run->trainer->learning_rate_scale = lost.trainer->learning_rate_scale;
  run->trainer->cancel = lost.trainer->cancel;
  run->sequence = std::make_unique<Sequence>(*run->model);
  run->sequence->take_over(*lost.sequence);
  run->prompt_length = lost.prompt_length;
  run->sampler = lost.sampler;
  run->seconds = lost.seconds;
  run->came_with_weights = lost.came_with_weights;
  run->cursor = lost.cursor;
  run->screen = lost.screen;
  run->name = lost.name;
  run->was_read = lost.was_read;
  run->kept_as = lost.kept_as;
  run->stored_task = lost.stored_task;
  std::copy_if(lost.losses.begin(), lost.losses.end(), std::back_inserter(run->losses),
               [this](const LossPoint& point) { return point.step < step_; });
  run->task = lost.task;
  return run;
}

std::unique_ptr<Run> duplicate(const Run& run) {
  LastCopy copy;
  copy.take(run);
  std::unique_ptr<Run> same = copy.revive(run);
  same->kept_as = 0;
  same->last_step = run.last_step;
  same->trainer->cancel = nullptr;
  return same;
}

}  // namespace xlab
