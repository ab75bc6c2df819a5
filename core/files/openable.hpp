// Looks at what is to be opened before anything is given up for it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace xlab {

/// Each throws the `Error` that opening would end in, as far as it can be told without building a
/// model: the file is there, is of the right kind and is complete. None changes anything, all may
/// be called from any thread. Of a run the header is read, of a text all of it. Of a run it returns
/// whether the file holds a bench: opened, that takes the place of all runs.
bool look_at_run(const std::filesystem::path& path);
/// `tokenizer` as for `tokenizer_named`.
void look_at_text(const std::filesystem::path& path, const std::string& tokenizer = "characters");
/// A model folder, or its config.json.
void look_at_folder(const std::filesystem::path& path);
/// What the weights of a large model take in memory, in bytes: to be asked before they are read.
struct WeightsToHold {
  double as_stored = 0.0, in_8_bits = 0.0, in_4_bits = 0.0;
  double room = 0.0;  ///< what this computer has for them
};
/// Of a model folder whose weights are only read here and can be held in fewer bits; nothing for
/// any other. `may_be_large` says without reading a file when there will be nothing.
std::optional<WeightsToHold> look_at_weights(const std::filesystem::path& path);
/// Whether the folder's configuration is that of a model that foretells a series of numbers.
bool reads_series(const std::filesystem::path& path);

bool may_be_large(const std::filesystem::path& path);
/// What names a tokenizer, as for `tokenizer_named`.
void look_at_tokenizer(const std::string& tokenizer);

}  // namespace xlab
