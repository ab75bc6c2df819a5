// Opening and reading the files of a model folder.
#include "core/files/folder_tensors.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files/json_text.hpp"
#include "core/utf8.hpp"

namespace xlab {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMostIndexBytes = 16u << 20;
constexpr std::size_t kMostFiles = 4096;
// Numbers are converted in pieces of this size.
constexpr std::int64_t kPiece = 1 << 18;

/// A file of the folder itself, and nothing else.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos && name.front() != '.' &&
         name.ends_with(".safetensors");
}

}  // namespace

FolderTensors::FolderTensors(const fs::path& folder) : folder_(folder) {
  std::error_code error;
  if (fs::exists(folder / kSingleWeights, error)) {
    add_file(kSingleWeights);
  } else if (fs::exists(folder / kWeightsIndex, error)) {
    add_indexed_files();
  } else {
    const bool pickled = fs::exists(folder / "pytorch_model.bin", error) ||
                         fs::exists(folder / "pytorch_model.bin.index.json", error);
    throw Error(fmt::format("The folder '{}' holds neither '{}' nor '{}'.{}", shown(folder),
                            kSingleWeights, kWeightsIndex,
                            pickled ? " Its weights are Python pickles, which can run code: "
                                      "convert them to safetensors where you trust them."
                                    : ""));
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
}

void FolderTensors::add_file(const std::string& name) {
  const fs::path path = folder_ / name;
  const auto file = std::make_shared<const InputFile>(path);
  const HeaderOfFile opened = read_safetensors_header(*file, path.string());
  files_.push_back(name);
  for (const AnnouncedTensor& tensor : opened.header.tensors) {
    const auto [place, fresh] =
        places_.emplace(tensor.name, Place{file, name, opened.data_begin + tensor.begin});
    check(fresh, "The folder '{}' holds the tensor '{}' twice, in '{}' and in '{}'.",
          shown(folder_), printable(tensor.name), place->second.file_name, name);
    entries_.push_back({tensor.name, tensor.type, tensor.shape});
    bytes_ += tensor.end - tensor.begin;
  }
}

void FolderTensors::add_indexed_files() {
  const fs::path path = folder_ / kWeightsIndex;
  const std::string what = fmt::format("'{}'", shown(path));
  const nlohmann::json index = parse_json(read_text_file(path, kMostIndexBytes), what);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  check(index.is_object() && map != index.end() && map->is_object(),
        "{} has no 'weight_map' that says which file holds which tensor.", what);
  std::set<std::string> names;
  for (const auto& [tensor, file] : map->items()) {
    check(file.is_string() && is_plain_name(file.get<std::string>()),
          "{} says that '{}' lies in {}, which is no safetensors file of the same folder.", what,
          printable(tensor), printable(json_text(file)));
    names.insert(file.get<std::string>());
  }
  check(names.size() <= kMostFiles, "{} names {} files; at most {} are read.", what, names.size(),
        kMostFiles);
  for (const std::string& name : names) {
    std::error_code error;
    check(fs::exists(folder_ / name, error),
          "The folder '{}' is incomplete: '{}', which its index names, is missing.", shown(folder_),
          printable(name));
  }
  for (const std::string& name : names) add_file(name);
  for (const auto& [tensor, file] : map->items()) {
    const auto found = places_.find(tensor);
    check(found != places_.end() && found->second.file_name == file.get<std::string>(),
          "{} says that '{}' lies in '{}', but it does not.", what, printable(tensor),
          printable(file.get<std::string>()));
  }
}

void FolderTensors::read(const Entry& entry, std::int64_t first, const Tensor& out) const {
  const Place& place = places_.at(entry.name);
  const std::size_t size = size_of(entry.type);
  const std::uint64_t begin = place.begin + static_cast<std::uint64_t>(first) * size;
  const auto fill = [&](std::uint64_t offset, std::span<std::byte> target) {
    check(place.file->read_at(offset, target) == target.size(),
          "Cannot read '{}': it became shorter while it was read.",
          shown(folder_ / place.file_name));
  };
  const bool same = (entry.type == StoredType::f32 && out.dtype() == DType::f32) ||
                    (entry.type == StoredType::f64 && out.dtype() == DType::f64) ||
                    (entry.type == StoredType::bf16 && out.dtype() == DType::bf16);
  if (same) {
    fill(begin, {static_cast<std::byte*>(out.raw()), out.bytes()});
    return;
  }
  const Tensor flat = out.reshape({out.elements()});
  std::vector<std::byte> piece;
  for (std::int64_t at = 0; at < flat.elements(); at += kPiece) {
    const std::int64_t end = std::min(flat.elements(), at + kPiece);
    piece.resize(static_cast<std::size_t>(end - at) * size);
    fill(begin + static_cast<std::uint64_t>(at) * size, piece);
    convert_numbers(entry.type, piece, flat.slice(at, end));
  }
}

}  // namespace xlab
