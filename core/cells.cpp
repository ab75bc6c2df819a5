// The list of cells.
#include "core/cell.hpp"

namespace xlab {

std::unique_ptr<Cell> make_cell(const ModelSpec& spec, const BlockPlace& place, Params& params) {
  if (spec.large) return make_large_cell(spec, place, params);
  return spec.is_slstm(place.index) ? make_slstm_cell(spec, place, params)
                                    : make_mlstm_cell(spec, place, params);
}

bool decays(const ModelSpec& spec, const std::string& name) {
  if (name == "token_embedding.weight" || name == "backbone.embeddings.weight")
    return spec.weight_decay_on_embedding;
  return name.find("weight") != std::string::npos && name.find("norm") == std::string::npos;
}

}  // namespace xlab
