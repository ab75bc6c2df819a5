// The tensors of a model folder: one safetensors file, or several with an index. Only the headers
// are held in memory; numbers are read from the files into the place where they are wanted.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/files/reading.hpp"
#include "core/files/tensor_source.hpp"

namespace xlab {

/// Names of the file with all tensors, and of the index where several files share them.
inline constexpr const char* kSingleWeights = "model.safetensors";
inline constexpr const char* kWeightsIndex = "model.safetensors.index.json";

class FolderTensors : public TensorSource {
 public:
  /// Opens model.safetensors; or every file that model.safetensors.index.json names; or, without
  /// either, the only *.safetensors file there is. Where the index stands beside a complete
  /// model.safetensors, both have to hold the same numbers. What programs that wrap a model put
  /// into its names is dropped: names of wrappers wherever they stand ("_orig_mod."), and a prefix
  /// that all names share. Throws a sentence when a file is missing or unsound, when the index
  /// names something outside the folder, when a tensor stands in two files, when the index and the
  /// files disagree, or when it is not plain which files are meant. `reading`, which has to outlive
  /// this, can have it given up, and all reading later.
  explicit FolderTensors(const std::filesystem::path& folder, Reading* reading = nullptr);

  std::string name() const override { return folder_.string(); }
  const std::vector<Entry>& entries() const override { return entries_; }
  void read(const Entry& entry, std::int64_t first, const Tensor& out) const override;
  /// From now on `read` counts in `reading` what it has read, of the bytes of all numbers.
  void begin_counting();

  /// Names of the files, sorted.
  const std::vector<std::string>& files() const { return files_; }
  /// Whether an index says which file holds what.
  bool indexed() const { return indexed_; }
  /// Sentences about which files were chosen, and about names that are others than they stand
  /// there.
  const std::vector<std::string>& choices() const { return choices_; }
  const std::vector<std::string>& renamings() const { return renamings_; }
  /// Bytes of all numbers.
  std::uint64_t bytes() const { return bytes_; }

 private:
  /// Where one tensor's numbers are.
  struct Place {
    std::shared_ptr<const InputFile> file;
    std::string file_name;
    std::uint64_t begin = 0;
  };
  void add_file(const std::string& name);
  void add_indexed_files();
  void add_only_file();
  void sort();
  /// The single file beside an index holds the same.
  void check_stray_file() const;
  void drop_wrappers();
  void drop_shared_prefix();
  void drop_aliases();
  bool same_bytes(const Entry& a, const Entry& b) const;
  void rename(const std::string& from, const std::string& to);

  std::filesystem::path folder_;
  std::vector<std::string> files_;
  std::vector<Entry> entries_;
  std::map<std::string, Place> places_;
  std::vector<std::string> choices_, renamings_;
  bool indexed_ = false;
  std::uint64_t bytes_ = 0;
  Reading* reading_ = nullptr;
  bool counts_ = false;
};

}  // namespace xlab
