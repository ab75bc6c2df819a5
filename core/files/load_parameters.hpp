// Stored tensors into a model's parameters, by name.
#pragma once

#include <string>
#include <vector>

#include "core/files/tensor_source.hpp"
#include "core/model.hpp"

namespace xlab {

/// What a parameter is read from: rows of a stored tensor, under its own name or another program's.
struct ParameterPlace {
  const TensorSource::Entry* entry = nullptr;
  std::int64_t first_row = 0;  ///< where a stored tensor holds several parameters
  bool transposed = false;     ///< a recurrent kernel (heads, in, 4 * out), or a bias beside one
};

/// Where every parameter lies among the tensors `prefix` + name. Throws a sentence with the first
/// ten mismatches unless they are exactly the parameters, in their shapes: a tied head may be
/// missing; recurrent kernels may lie as (heads, 4 * out, in), (heads, in, 4 * out) or (heads, in,
/// 4, out) with a bias (heads, 4, out), under the names of FlashRNN too; and the names and the
/// joined matrices of the large family's programs will do. What `left_out` names is no mismatch.
/// Reads no numbers.
std::vector<ParameterPlace> find_parameters(const std::vector<ParamInfo>& infos,
                                            const TensorSource& source, const std::string& prefix);

/// Sentences about tensors that have another name or form than their parameters: those of other
/// programs, matrices stored below one another, recurrent kernels that lie the other way round.
/// `places` are those of `infos`, found without a prefix.
std::vector<std::string> taken_otherwise(const std::vector<ParamInfo>& infos,
                                         const std::vector<ParameterPlace>& places);

/// A sentence about tensors that belong to no parameter and that the model does without, or
/// nothing: those that join several series, of a forecasting model.
std::vector<std::string> left_out(const std::vector<ParamInfo>& infos, const TensorSource& source);

/// Loads the parameters; when it throws for their names, types or shapes, nothing was changed.
/// Throws too where NaN or infinity would go into a block with other numbers.
void load_parameters(Model& model, const TensorSource& source, const std::string& prefix);
void load_parameters(Model& model, const SafetensorsFile& file, const std::string& prefix);

}  // namespace xlab
