// What a model is read from its folder for, and so what its weights are held in.
#pragma once

#include <filesystem>
#include <string>

namespace xlab {

/// What a model from a folder is for.
enum class FolderUse {
  train,        ///< float32, with gradients
  read,         ///< without gradients; matrices stored in bf16 stay so, everything else is float32
  read_halves,  ///< the same, with every matrix rounded to bf16
  /// The same, with matrices in blocks of 8 bits, or of 4 bits but for embedding and head, which
  /// have 8 then. Those of few rows (the gates') and those whose rows are not made of whole blocks
  /// stay as they are.
  read_8bit,
  read_4bit
};
/// "8 bits" or "4 bits"; nothing where no blocks are made.
std::string name_of_blocks(FolderUse use);

/// Where a model that is only read came from.
struct FolderOrigin {
  std::filesystem::path folder;
  FolderUse use = FolderUse::read;
};

}  // namespace xlab
