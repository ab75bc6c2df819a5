// What the weights of a model folder are held in while it is only read, and whether this computer
// has room for them.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/available_memory.hpp"
#include "core/files/hf_folder.hpp"
#include "core/files/load_parameters.hpp"
#include "core/utf8.hpp"
#include "kernels/device/device.hpp"

namespace xlab {
namespace {

// Of this computer's memory, for weights that are read.
constexpr double kShareForWeights = 0.9;
/// Matrices with fewer rows are the gates': they take little, and each of their numbers counts.
constexpr std::int64_t kFewRows = 64;

/// What a token is, and what its number is read from, pass through no other layer.
bool is_at_an_end(const ParamInfo& info) {
  return info.name == "backbone.embeddings.weight" || info.name == "lm_head.weight";
}

/// What a parameter of a model that is only read becomes in memory.
DType type_in_memory(const ParamInfo& info, StoredType stored, FolderUse use) {
  if (info.shape.rank() != 2) return DType::f32;
  if (const std::optional<DType> rounded = rounded_type(info, use)) return *rounded;
  return use == FolderUse::read_halves || stored == StoredType::bf16 ? DType::bf16 : DType::f32;
}

}  // namespace

std::string name_of_blocks(FolderUse use) {
  return use == FolderUse::read_8bit ? "8 bits" : use == FolderUse::read_4bit ? "4 bits" : "";
}

std::optional<DType> rounded_type(const ParamInfo& info, FolderUse use) {
  const bool blocks = use == FolderUse::read_8bit || use == FolderUse::read_4bit;
  if (!blocks || info.shape.rank() != 2 || info.shape[0] < kFewRows || info.shape[1] % kBlock != 0)
    return {};
  const bool fine = use == FolderUse::read_8bit || is_at_an_end(info);
  return fine ? DType::block8 : DType::block4;
}

std::vector<DType> ModelFolder::types_in_memory(FolderUse use) const {
  if (use == FolderUse::train || !(spec_.large || spec_.series)) return {};
  const std::vector<ParamInfo> infos = Model::parameters_of(spec_);
  if (spec_.series) return std::vector<DType>(infos.size(), DType::f32);
  const std::vector<ParameterPlace> places = find_parameters(infos, tensors_, "");
  std::vector<DType> types;
  for (std::size_t p = 0; p < infos.size(); ++p)
    types.push_back(type_in_memory(infos[p], places[p].entry->type, use));
  return types;
}

double ModelFolder::bytes_in_memory(FolderUse use) const {
  const std::vector<DType> types = types_in_memory(use);
  const std::vector<ParamInfo> infos = Model::parameters_of(spec_);
  double bytes = 0.0;
  for (std::size_t p = 0; p < infos.size(); ++p)
    bytes += static_cast<double>(
        bytes_of(types.empty() ? DType::f32 : types[p], infos[p].shape.elements()));
  return bytes;
}

void ModelFolder::check_types(const std::vector<DType>& types, FolderUse use) const {
  const std::string blocks = name_of_blocks(use);
  const bool any =
      std::any_of(types.begin(), types.end(), [](DType type) { return block_of(type) > 1; });
  check(spec_.large || use == FolderUse::train || use == FolderUse::read,
        "The model in '{}' is of the {} family; only weights of the large family can be held in "
        "fewer "
        "bits.",
        shown_path(folder_), spec_.series ? "forecasting" : "paper's");
  check(blocks.empty() || any,
        "No matrix of the model in '{}' can be held in {}: that takes {} rows at least, whose "
        "length is a multiple of {}.",
        shown_path(folder_), blocks, kFewRows, kBlock);
  if (types.empty()) return;
  const double bytes = bytes_in_memory(use);
  const std::string no_room =
      why_no_room(bytes, static_cast<double>(devices().front().memory_bytes),
                  static_cast<double>(available_memory()));
  if (no_room.empty()) return;
  std::string less;
  if (spec_.large && (use == FolderUse::read || use == FolderUse::read_halves))
    less = fmt::format(" In 8 bits they take {:.1f} GB, in 4 bits {:.1f} GB.",
                       bytes_in_memory(FolderUse::read_8bit) / 1e9,
                       bytes_in_memory(FolderUse::read_4bit) / 1e9);
  throw Error(fmt::format("The weights in '{}' would take {:.1f} GB; {}{}", shown_path(folder_),
                          bytes / 1e9, no_room, less));
}

void ModelFolder::check_room(FolderUse use) const {
  const std::vector<DType> types = types_in_memory(use);
  check_types(types, use);
  if (types.empty()) validate(spec_);
}

std::string why_no_room(double bytes, double memory, double available) {
  const double most = kShareForWeights * memory;
  if (bytes > most) return fmt::format("this computer has room for {:.1f} GB.", most / 1e9);
  if (bytes > available)
    return fmt::format(
        "{:.1f} GB of this computer's memory are free: close other programs, or a "
        "large model that is open here, first.",
        available / 1e9);
  return {};
}

double room_for_weights() {
  return std::min(kShareForWeights * static_cast<double>(devices().front().memory_bytes),
                  static_cast<double>(available_memory()));
}

}  // namespace xlab
