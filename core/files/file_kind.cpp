// What a file that is not one of ours seems to be, judged by its first bytes.
#include "core/files/file_kind.hpp"

#include <algorithm>
#include <cstddef>

#include "core/utf8.hpp"

namespace xlab {
namespace {

/// UTF-8 of letters, spaces and line ends alone. The length that opens a safetensors file has bytes
/// of zero.
bool reads_as_text(std::string_view head) {
  constexpr std::size_t kCutOff = 4;  // the last character may go on behind the head
  if (head.size() < 8 || find_invalid_utf8(head).value_or(head.size()) + kCutOff < head.size())
    return false;
  return std::ranges::all_of(head, [](char letter) {
    const auto byte = static_cast<unsigned char>(letter);
    return (byte >= ' ' && byte != 0x7f) || letter == '\t' || letter == '\n' || letter == '\r';
  });
}

}  // namespace

std::optional<ForeignFile> recognise_foreign_file(std::string_view head) {
  const auto starts = [&](std::string_view magic) { return head.starts_with(magic); };
  const auto letters = head.find_first_not_of(" \t\r\n");
  const std::string_view text = letters == head.npos ? std::string_view{} : head.substr(letters);
  const auto text_starts = [&](std::string_view lower) {
    return text.size() >= lower.size() &&
           std::equal(lower.begin(), lower.end(), text.begin(), [](char want, char have) {
             return want ==
                    (have >= 'A' && have <= 'Z' ? static_cast<char>(have - 'A' + 'a') : have);
           });
  };
  if (starts("PK\x03\x04") || starts("PK\x05\x06")) {
    return ForeignFile{
        "it is a zip archive, as PyTorch (.pt, .pth) and NumPy (.npz) write; convert it with "
        "safetensors.torch.save_file"};
  }
  if (head.size() >= 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) {
    return ForeignFile{
        "it is a Python pickle, as old PyTorch files are; a pickle can run code, so convert it "
        "with safetensors.torch.save_file where you trust it"};
  }
  if (starts("GGUF") || starts("ggml") || starts("lmgg")) {
    return ForeignFile{"it is a GGUF file (llama.cpp); take the safetensors version of the model"};
  }
  if (starts("\x89HDF"))
    return ForeignFile{"it is an HDF5 file (Keras); take the safetensors version"};
  if (starts("\x93NUMPY"))
    return ForeignFile{"it is a NumPy array; convert it with safetensors.numpy.save_file"};
  if (head.size() >= 3 && head[0] == '\x08' && head[1] > 0 && head[1] < 0x20 && head[2] == '\x12') {
    return ForeignFile{"it is an ONNX model; take the safetensors version"};
  }
  if (starts("\x1f\x8b") || starts("BZh") ||
      starts("\xfd"
             "7zXZ") ||
      starts("\x28\xb5\x2f\xfd")) {
    return ForeignFile{"it is compressed; unpack it first"};
  }
  if (starts("\x7f"
             "ELF") ||
      starts("MZ"))
    return ForeignFile{"it is a program, not a model"};
  if (text_starts("version https://git-lfs")) {
    return ForeignFile{
        "it is a Git LFS pointer, a note standing for the real file; fetch that with 'git lfs "
        "pull'"};
  }
  if (text_starts("<!doctype") || text_starts("<html") || text_starts("<?xml")) {
    return ForeignFile{
        "it is a web page, perhaps saved instead of the model; download the file itself"};
  }
  if (text_starts("\xef\xbb\xbf")) return ForeignFile{"it is a text file", true};
  if (text_starts("{") || text_starts("["))
    return ForeignFile{"it is a JSON text, not a safetensors file", true};
  if (reads_as_text(head)) return ForeignFile{"it is a text file, not a safetensors file", true};
  return std::nullopt;
}

}  // namespace xlab
