// Work on all cores, in fixed chunks so that results do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <functional>

namespace xlab {

/// How many threads work together, the calling one included. 0 means one per core.
void set_threads(int count);
int threads();

/// Calls `body(chunk)` once for every chunk in [0, chunks), on several threads; returns when all
/// are done. Chunks must not depend on each other, and the caller cuts the work by its size alone,
/// never by the number of threads: that is what makes one thread and many give the same bits. The
/// first exception thrown by a chunk is rethrown here. A nested or concurrent call runs on its own
/// thread.
void parallel_for(std::int64_t chunks, const std::function<void(std::int64_t)>& body);

/// Cuts [0, size) into pieces of at most `grain` and calls `body(begin, end)` for each.
void parallel_ranges(std::int64_t size, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace xlab
