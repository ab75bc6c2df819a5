// The gate explorer's tokens: plain steps, with no question. What happens at a step is held by
// hand.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/explorer.hpp"
#include "core/spec.hpp"
#include "core/tasks/task.hpp"

namespace xlab {
namespace {

class ExplorerTask : public Task {
 public:
  ExplorerTask() {
    for (int step = 0; step < explorer::kMostSteps; ++step) labels_.push_back(std::to_string(step));
  }
  std::string name() const override { return explorer::kTask; }
  std::string title() const override { return "Gate explorer"; }
  std::string description() const override {
    return "One unit or one head of each cell; every pre-activation is held by hand, step by step.";
  }
  std::string must_remember() const override {
    return "Nothing is asked: what is to be remembered is drawn.";
  }
  const std::vector<std::string>& vocabulary() const override { return labels_; }
  bool has_data() const override { return false; }
  std::string why_nothing_to_learn() const override {
    return "The gate explorer is not trained: everything in it is held by hand, so its weights "
           "decide nothing. Begin another run to train one.";
  }
  int shortest() const override { return 1; }

  void sample(std::uint64_t /*seed*/, std::uint64_t /*index*/, std::span<int> inputs,
              std::span<int> targets) const override {
    for (std::size_t t = 0; t < inputs.size(); ++t)
      inputs[t] = static_cast<int>(t % labels_.size());
    for (int& target : targets) target = -1;
  }
  std::vector<int> first_look() const override {
    std::vector<int> steps(explorer::kSteps);
    for (int step = 0; step < explorer::kSteps; ++step)
      steps[static_cast<std::size_t>(step)] = step;
    return steps;
  }
  std::vector<Clamp> first_edits(const std::vector<BlockCard>& blocks) const override {
    return explorer::clamps_of(explorer::stories().front(), blocks);
  }
  ModelSpec default_model() const override {
    return *run_spec_from_json(explorer::spec_of_width(explorer::kWidth)).model;
  }
  TrainSpec default_training() const override {
    return {.batch_size = 1, .sequence_length = explorer::kSteps};
  }

 private:
  std::vector<std::string> labels_;
};

}  // namespace

std::unique_ptr<Task> make_explorer_task() {
  return std::make_unique<ExplorerTask>();
}

}  // namespace xlab
