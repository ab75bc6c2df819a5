// Recording and repeating on CUDA devices. C++17 only, because nvcc reads it too.
#pragma once

namespace xlab::cuda {

/// From now on what this thread asks of the device in use is recorded instead of done. One thread
/// at a time.
void begin_recording();
/// Ends it and returns what was recorded, ready to be repeated; null when it is thrown away. Throws
/// when something cannot be recorded.
void* end_recording(bool keep);
/// Asks for all of it once more, in the device's stream.
void repeat(void* recording);
void discard(void* recording);

}  // namespace xlab::cuda
