// Comparing with the reference numbers: reading them, and the distance to them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/disk.hpp"
#include "core/files/safetensors.hpp"
#include "core/params.hpp"

namespace xlab::tests {

inline nlohmann::json read_json(const std::filesystem::path& path) {
  return nlohmann::json::parse(read_text_file(path, 1 << 22));
}

inline std::vector<double> to_doubles(const Tensor& t) {
  const Tensor wide = t.to(Device::cpu()).to(DType::f64);
  return {wide.data<double>(), wide.data<double>() + wide.elements()};
}

inline Tensor ids_of(const SafetensorsFile& file, const std::string& name) {
  const StoredTensor& stored = file.at(name);
  const std::vector<std::int32_t> values = file.values_as<std::int32_t>(name);
  return Tensor::from<std::int32_t>({stored.shape.at(0), stored.shape.at(1)}, values);
}

/// max |t - r| / max |r|, the second maximum not below `floor`.
inline double error(const std::vector<double>& t, const std::vector<double>& r,
                    double floor = 0.0) {
  EXPECT_EQ(t.size(), r.size());
  double worst = 0.0, largest = floor;
  for (std::size_t i = 0; i < std::min(t.size(), r.size()); ++i) {
    const double e = std::abs(t[i] - r[i]);
    if (!(e <= worst)) worst = e;
    largest = std::max(largest, std::abs(r[i]));
  }
  return largest > 0.0 ? worst / largest : worst;
}

/// The worst error of all gradients, against "grad." + name; each must keep to `limit`.
inline double gradient_error(const Params& params, const SafetensorsFile& golden, double limit) {
  double largest = 0.0;
  for (const StoredTensor& tensor : golden.tensors())
    if (tensor.name.starts_with("grad."))
      for (const double g : golden.values_as<double>(tensor.name))
        largest = std::max(largest, std::abs(g));
  double worst = 0.0;
  for (std::size_t p = 0; p < params.infos().size(); ++p) {
    const std::string name = "grad." + params.infos()[p].name;
    if (!golden.contains(name)) {
      ADD_FAILURE() << "no " << name;
      continue;
    }
    const double e = error(to_doubles(params[static_cast<int>(p)].grad),
                           golden.values_as<double>(name), 1e-3 * largest);
    EXPECT_LE(e, limit) << name;
    worst = std::max(worst, e);
  }
  return worst;
}

}  // namespace xlab::tests
