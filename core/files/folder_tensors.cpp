// Opening and reading the files of a model folder.
#include "core/files/folder_tensors.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "core/files/json_text.hpp"
#include "core/utf8.hpp"
#include "kernels/device/threads.hpp"

namespace xlab {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMostIndexBytes = 16u << 20;
constexpr std::size_t kMostFiles = 4096;
// Numbers are read in pieces of this size, and converted in parts of them side by side. Both hold
// whole blocks.
constexpr std::int64_t kPiece = 1 << 20, kPart = 1 << 16;
// And bytes compared.
constexpr std::uint64_t kCompared = 4u << 20;
// Bytes read between two looks at whether anybody still wants them.
constexpr std::size_t kAtATime = 16u << 20;

/// A file of the folder itself, and nothing else.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos && name.front() != '.' &&
         name.ends_with(".safetensors");
}

/// Whether two files hold the same bytes there.
bool same_pieces(const InputFile& a, std::uint64_t a_begin, const InputFile& b,
                 std::uint64_t b_begin, std::uint64_t bytes, const Reading* reading) {
  std::vector<std::byte> ours, theirs;
  for (std::uint64_t at = 0; at < bytes; at += kCompared) {
    if (reading) reading->look();
    const auto part = static_cast<std::size_t>(std::min(kCompared, bytes - at));
    ours.resize(part);
    theirs.resize(part);
    if (a.read_at(a_begin + at, ours) != part || b.read_at(b_begin + at, theirs) != part ||
        ours != theirs)
      return false;
  }
  return true;
}

/// What torch.save writes.
bool is_pickle(const std::string& name) {
  constexpr std::array<std::string_view, 5> kEndings = {".bin", ".pt", ".pth", ".ckpt", ".pkl"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

/// The first few of them, in quotes.
std::string named_files(const std::vector<std::string>& files) {
  constexpr std::size_t kMostNamed = 5;
  std::string list;
  for (std::size_t i = 0; i < std::min(files.size(), kMostNamed); ++i)
    list += fmt::format("{}'{}'", i == 0 ? "" : ", ", printable(files[i]));
  return files.size() > kMostNamed ? fmt::format("{} and {} more", list, files.size() - kMostNamed)
                                   : list;
}

}  // namespace

FolderTensors::FolderTensors(const fs::path& folder, Reading* reading)
    : folder_(folder), reading_(reading) {
  std::error_code error;
  const bool single = fs::exists(folder / kSingleWeights, error);
  if (fs::exists(folder / kWeightsIndex, error)) {
    indexed_ = true;
    add_indexed_files();
    sort();
    if (single && std::find(files_.begin(), files_.end(), kSingleWeights) == files_.end()) {
      check_stray_file();
      choices_.push_back(fmt::format("'{}' was read; '{}' beside it holds the same numbers.",
                                     kWeightsIndex, kSingleWeights));
    }
  } else if (single) {
    add_file(kSingleWeights);
  } else {
    add_only_file();
  }
  drop_wrappers();
  drop_shared_prefix();
  sort();
  drop_aliases();
}

void FolderTensors::sort() {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
}

void FolderTensors::add_only_file() {
  std::vector<std::string> named, pickled;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (is_plain_name(name)) named.push_back(name);
    if (is_pickle(name)) pickled.push_back(name);
  }
  std::sort(named.begin(), named.end());
  std::sort(pickled.begin(), pickled.end());
  if (named.size() == 1) {
    add_file(named.front());
    choices_.push_back(fmt::format("The weights are those of '{}'.", printable(named.front())));
    return;
  }
  const std::string neither = fmt::format("The folder '{}' holds neither '{}' nor '{}'",
                                          shown_path(folder_), kSingleWeights, kWeightsIndex);
  if (!named.empty()) {
    throw Error(fmt::format(
        "{}, but {} files of weights: {}. Rename the one that is meant to '{}', or write an index "
        "where they belong together.",
        neither, named.size(), named_files(named), kSingleWeights));
  }
  if (pickled.empty()) throw Error(neither + ".");
  // A pickle can run code, so it is not read here. Nor may its name: people copy these lines.
  const std::string& name = pickled.front();
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_' || c == ' ';
  });
  throw Error(fmt::format(
      "{}. '{}' is a PyTorch file, which can run code when it is opened. Where you trust it, turn "
      "it into safetensors with Python:\n"
      "  import torch\n"
      "  from safetensors.torch import save_file\n"
      "  weights = torch.load(\"{}\", map_location=\"cpu\", weights_only=True)\n"
      "  weights = weights.get(\"state_dict\", weights)\n"
      "  save_file({{k: v.clone().contiguous() for k, v in weights.items()}}, \"{}\")",
      neither, printable(name), plain ? name : "NAME OF THE FILE", kSingleWeights));
}

void FolderTensors::check_stray_file() const {
  const fs::path path = folder_ / kSingleWeights;
  const InputFile stray(path);
  const HeaderOfFile opened = read_safetensors_header(stray, path.string());
  const auto differ = [&](const std::string& what) {
    throw Error(fmt::format(
        "The folder '{}' holds '{}' and '{}', and {}. Take away the one that is not meant.",
        shown_path(folder_), kSingleWeights, kWeightsIndex, what));
  };
  if (opened.header.tensors.size() != entries_.size()) differ("they name different tensors");
  for (const AnnouncedTensor& tensor : opened.header.tensors) {
    const auto place = places_.find(tensor.name);
    const Entry* entry = find(tensor.name);
    if (place == places_.end() || !entry || entry->type != tensor.type ||
        entry->shape != tensor.shape)
      differ(fmt::format("'{}' is another tensor in each", printable(tensor.name)));
    if (!same_pieces(*place->second.file, place->second.begin, stray,
                     opened.data_begin + tensor.begin, tensor.end - tensor.begin, reading_))
      differ(fmt::format("'{}' has other numbers in each", printable(tensor.name)));
  }
}

void FolderTensors::rename(const std::string& from, const std::string& to) {
  auto place = places_.extract(from);
  place.key() = to;
  places_.insert(std::move(place));
}

/// Parts of names that programs put where they wrap a module: torch.compile, distributed training,
/// recomputed activations.
void FolderTensors::drop_wrappers() {
  constexpr std::array<std::string_view, 4> kWrappers = {
      "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_forward_module."};
  std::set<std::string_view> dropped;
  for (Entry& entry : entries_) {
    std::string name = entry.name;
    for (const std::string_view wrapper : kWrappers) {
      for (auto at = name.find(wrapper); at != name.npos; at = name.find(wrapper, at)) {
        if (at > 0 && name[at - 1] != '.') {
          at += wrapper.size();
          continue;
        }
        name.erase(at, wrapper.size());
        dropped.insert(wrapper);
      }
    }
    if (name == entry.name) continue;
    check(!places_.contains(name), "The folder '{}' holds the tensor '{}' twice, once as '{}'.",
          shown_path(folder_), printable(name), printable(entry.name));
    rename(entry.name, name);
    entry.name = std::move(name);
  }
  for (const std::string_view wrapper : dropped)
    renamings_.push_back(fmt::format("'{}' was left out of the tensors' names.", wrapper));
}

void FolderTensors::drop_shared_prefix() {
  // One of these is in every model; what stands before it is the prefix.
  constexpr std::array<std::string_view, 3> kFirst = {
      "token_embedding.weight", "backbone.embeddings.weight", "embedding.weight"};
  constexpr std::string_view kHead = "lm_head.weight";  // wrappers may leave it outside
  for (const std::string_view first : kFirst) {
    if (places_.contains(std::string(first))) return;
    std::string prefix;
    for (const Entry& entry : entries_) {
      if (!entry.name.ends_with(fmt::format(".{}", first))) continue;
      if (!prefix.empty()) return;  // two models
      prefix = entry.name.substr(0, entry.name.size() - first.size());
    }
    if (prefix.empty()) continue;
    const bool shared = std::all_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.name.starts_with(prefix) || entry.name == kHead;
    });
    if (!shared ||
        (places_.contains(std::string(kHead)) && places_.contains(prefix + std::string(kHead))))
      return;
    for (Entry& entry : entries_) {
      if (!entry.name.starts_with(prefix)) continue;
      const std::string name = entry.name.substr(prefix.size());
      rename(entry.name, name);
      entry.name = name;
    }
    renamings_.push_back(fmt::format("'{}', with which all names of tensors begin, was left out.",
                                     printable(prefix)));
    return;
  }
}

void FolderTensors::add_file(const std::string& name) {
  if (reading_) reading_->look();
  const fs::path path = folder_ / name;
  const auto file = std::make_shared<const InputFile>(path);
  const HeaderOfFile opened = read_safetensors_header(*file, path.string());
  files_.push_back(name);
  for (const AnnouncedTensor& tensor : opened.header.tensors) {
    const auto [place, fresh] =
        places_.emplace(tensor.name, Place{file, name, opened.data_begin + tensor.begin});
    check(fresh, "The folder '{}' holds the tensor '{}' twice, in '{}' and in '{}'.",
          shown_path(folder_), printable(tensor.name), place->second.file_name, name);
    entries_.push_back({tensor.name, tensor.type, tensor.shape});
    bytes_ += tensor.end - tensor.begin;
  }
}

void FolderTensors::add_indexed_files() {
  const fs::path path = folder_ / kWeightsIndex;
  const std::string what = fmt::format("'{}'", shown_path(path));
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
          "The folder '{}' is incomplete: '{}', which its index names, is missing.",
          shown_path(folder_), printable(name));
  }
  for (const std::string& name : names) add_file(name);
  for (const auto& [tensor, file] : map->items()) {
    const auto found = places_.find(tensor);
    check(found != places_.end() && found->second.file_name == file.get<std::string>(),
          "{} says that '{}' lies in '{}', but it does not.", what, printable(tensor),
          printable(file.get<std::string>()));
  }
}

/// FlashRNN keeps its tensors under two names, and forecasting models a cell for both directions;
/// where both say the same, ours is enough.
void FolderTensors::drop_aliases() {
  constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
      {"recurrent_kernel", "_recurrent_kernel_"}, {"bias", "_bias_"}};
  constexpr std::string_view kForward = ".fwd_cell.", kBackward = ".rev_cell.";
  std::set<std::string> dropped;
  for (const Entry& entry : entries_) {
    std::string ours = entry.name;
    for (const auto& [alias, name] : kAliases)
      if (ours.ends_with(fmt::format(".{}", alias)))
        ours.replace(ours.size() - alias.size(), alias.size(), name);
    if (const auto at = ours.find(kBackward); at != ours.npos)
      ours.replace(at, kBackward.size(), kForward);
    const Entry* twin = ours == entry.name ? nullptr : find(ours);
    if (twin && same_bytes(entry, *twin)) dropped.insert(entry.name);
  }
  if (!dropped.empty())
    renamings_.push_back(fmt::format(
        "'{}'{} left out: the same numbers stand there under another name.",
        printable(*dropped.begin()),
        dropped.size() == 1 ? " was" : fmt::format(" and {} more were", dropped.size() - 1)));
  std::erase_if(entries_, [&](const Entry& entry) { return dropped.contains(entry.name); });
  for (const std::string& name : dropped) places_.erase(name);
}

bool FolderTensors::same_bytes(const Entry& a, const Entry& b) const {
  if (a.type != b.type || a.shape != b.shape) return false;
  std::uint64_t bytes = size_of(a.type);
  for (const std::int64_t extent : a.shape) bytes *= static_cast<std::uint64_t>(extent);
  const Place &first = places_.at(a.name), &second = places_.at(b.name);
  return same_pieces(*first.file, first.begin, *second.file, second.begin, bytes, reading_);
}

void FolderTensors::begin_counting() {
  counts_ = true;
  if (reading_) reading_->total = bytes_;
}

void FolderTensors::read(const Entry& entry, std::int64_t first, const Tensor& out) const {
  const Place& place = places_.at(entry.name);
  const std::size_t size = size_of(entry.type);
  const std::uint64_t begin = place.begin + static_cast<std::uint64_t>(first) * size;
  const auto fill = [&](std::uint64_t offset, std::span<std::byte> target) {
    while (!target.empty()) {
      if (reading_) reading_->look();
      const auto part = target.first(std::min(target.size(), kAtATime));
      check(place.file->read_at(offset, part) == part.size(),
            "Cannot read '{}': it became shorter while it was read.",
            shown_path(folder_ / place.file_name));
      if (reading_ && counts_) reading_->bytes += part.size();
      offset += part.size();
      target = target.subspan(part.size());
    }
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
    parallel_ranges(end - at, kPart, [&](std::int64_t first_of_part, std::int64_t end_of_part) {
      const auto begins = static_cast<std::size_t>(first_of_part) * size,
                 ends = static_cast<std::size_t>(end_of_part) * size;
      convert_numbers(entry.type, std::span(piece).subspan(begins, ends - begins),
                      flat.slice(at + first_of_part, at + end_of_part));
    });
  }
}

}  // namespace xlab
