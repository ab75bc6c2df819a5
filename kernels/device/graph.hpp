// Work of a card that is recorded once and repeated as a whole, so that the host need not ask for
// every single operation again.
#pragma once

#include <functional>

#include "kernels/device/memory_reserve.hpp"

namespace xlab {

class DeviceGraph {
 public:
  /// Calls `work`, and records what it asks of the card; nothing of it is done before `launch`.
  /// The work must ask for the same on every call: numbers that change have to lie in memory that
  /// was there before, and what it makes has to be gone when it returns. Throws what `work` throws,
  /// and an `Error` where something cannot be recorded, like waiting for the card.
  DeviceGraph(Device card, const std::function<void()>& work);
  ~DeviceGraph();
  DeviceGraph(const DeviceGraph&) = delete;
  DeviceGraph& operator=(const DeviceGraph&) = delete;

  /// Asks for all of it, after what was asked of the card before.
  void launch() const;

 private:
  Device card_;
  /// Intermediate results: the recorded work writes to these places every time.
  MemoryReserve memory_;
  void* recording_ = nullptr;
};

}  // namespace xlab
