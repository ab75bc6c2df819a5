// Looks at what is to be opened before anything is given up for it.
#pragma once

#include <filesystem>
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
/// What names a tokenizer, as for `tokenizer_named`.
void look_at_tokenizer(const std::string& tokenizer);

}  // namespace xlab
