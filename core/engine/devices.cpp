// Where the engine computes, and what it does when a graphics card is lost.
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "core/engine/worker.hpp"

namespace xlab {
namespace {

DeviceCard card_from(const DeviceInfo& info) {
  return {name_of(info.device), info.name, info.memory_bytes};
}

}  // namespace

DeviceCard Engine::Worker::card_of(Device wanted) const {
  for (const DeviceCard& card : *draft.devices) {
    if (card.id == name_of(wanted)) return card;
  }
  return {name_of(wanted), name_of(wanted), 0};
}

void Engine::Worker::list_devices() {
  std::vector<DeviceCard> cards;
  for (const DeviceInfo& info : devices()) cards.push_back(card_from(info));
  draft.no_cuda = cards.size() > 1 ? "" : why_no_cuda();
  draft.devices = std::make_shared<const std::vector<DeviceCard>>(std::move(cards));
}

void Engine::Worker::use_device(const std::string& name) {
  const Device wanted = device_named(name);
  if (live) live->move_to(wanted);
  device = wanted;
  draft.device = card_of(wanted);
  note(fmt::format("Computing on: {}", draft.device.name));
}

void Engine::Worker::go_to_device(LiveRun& of) {
  guarded("device", [&] {
    of.move_to(device);
    LastCopy& copy = of.loop.copy;
    if (of.device() != Device::cpu() && copy.empty()) copy.take(of.run());
  });
  draft.device = card_of(live->device());
}

void Engine::Worker::leave_lost_device(const std::string& reason) {
  device = Device::cpu();
  list_devices();
  draft.device = card_of(device);
  std::vector<LiveRun*> lost;
  for (const auto& run : runs)
    if (run->device() != Device::cpu()) lost.push_back(run.get());
  std::string what = reason;
  for (LiveRun* of : lost) {
    const std::int64_t reached = of->run().trainer->steps_done();
    of->stop_refreshing();
    of->note_place();
    of->go_on_as(of->loop.revive(of->run()));
    use_trainer(*of);
    const std::int64_t step = of->run().trainer->steps_done(), steps = reached - step;
    what += fmt::format(" {} on on the CPU{}",
                        lost.size() == 1 ? "The run goes" : fmt::format("'{}' goes", of->name()),
                        steps == 0
                            ? "; nothing is lost."
                            : fmt::format(" from step {}: {} step{} of training {} lost.", step,
                                          steps, steps == 1 ? "" : "s", steps == 1 ? "is" : "are"));
  }
  fail("device", what);
}

void Engine::Worker::leave_device_guarded(const std::string& reason) {
  try {
    leave_lost_device(reason);
  } catch (const std::exception& e) {
    // There is no memory for the run on the CPU either: what the file holds is what is left.
    for (const auto& run : runs)
      if (run->device() != Device::cpu() && run->training()) run->state = TrainState::failed;
    fail("device", fmt::format("{} The run could not go on on the CPU: {}", reason, e.what()));
  }
}

}  // namespace xlab
