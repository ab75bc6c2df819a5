// What can be said of a model's weights as a whole.
#include "core/training/weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace xlab {

WeightsGlance glance_at(const Params& params) {
  WeightsGlance glance;
  for (std::size_t p = 0; p < params.infos().size(); ++p) {
    const Tensor stored = params[static_cast<int>(p)].value.to(Device::cpu());
    const Tensor value = block_of(stored.dtype()) > 1 ? stored.to(DType::f32) : stored;
    bool finite = true;
    const auto look = [&](const auto& numbers) {
      for (const auto number : numbers) {
        const double x = std::abs(static_cast<double>(static_cast<float>(number)));
        if (std::isfinite(x)) {
          glance.largest = std::max(glance.largest, x);
        } else {
          finite = false;
        }
      }
    };
    if (value.dtype() == DType::bf16) {
      look(value.span<Bf16>());
    } else if (value.dtype() == DType::f64) {
      look(value.span<double>());
    } else {
      look(value.span<float>());
    }
    if (!finite && glance.not_finite.empty()) glance.not_finite = params.infos()[p].name;
  }
  return glance;
}

}  // namespace xlab
