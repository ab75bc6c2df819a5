// The choices in the equations of the recurrent cells that papers and programs make differently.
#pragma once

#include <cstdint>

namespace xlab::kernels {

/// What keeps the memory: sigmoid(f), or exp(f) (Beck et al. 2024, eq. 14 and 26 allow both).
enum class ForgetGate : std::uint8_t { sigmoid, exponential };

/// Which scalar memory stands behind the four gates of the sLSTM's scan.
enum class ScalarMemory : std::uint8_t {
  slstm,  ///< exponential input gate, normalizer and stabilizer
  lstm,   ///< sigmoid gates; neither normalizer nor stabilizer
};

/// The least denominator of the mLSTM's output, of the stabilised numbers.
enum class DenominatorFloor : std::uint8_t {
  stabilizer,  ///< exp(-m), which is 1 before stabilisation
  one,         ///< 1 whatever m is, which is exp(m) before stabilisation
};

/// What the arithmetic of a cell is rounded to, operation by operation. Anything but `native` runs
/// a plain loop that shows what the format does to the equations: it may overflow and underflow.
enum class NumberFormat : std::uint8_t {
  native,  ///< that of the tensors
  fp64,
  fp32,
  bf16,
  fp16
};

}  // namespace xlab::kernels
