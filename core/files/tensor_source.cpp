// Tensors that are read one by one.
#include "core/files/tensor_source.hpp"

#include <algorithm>

namespace xlab {

const TensorSource::Entry* TensorSource::find(std::string_view name) const {
  const auto found =
      std::lower_bound(entries().begin(), entries().end(), name,
                       [](const Entry& entry, std::string_view want) { return entry.name < want; });
  return found != entries().end() && found->name == name ? &*found : nullptr;
}

TensorsInMemory::TensorsInMemory(const SafetensorsFile& file) : file_(&file) {
  for (const StoredTensor& tensor : file.tensors())
    entries_.push_back({tensor.name, tensor.type, tensor.shape});
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
}

void TensorsInMemory::read(const Entry& entry, std::int64_t first, const Tensor& out) const {
  const std::size_t size = size_of(entry.type);
  const auto bytes = file_->at(entry.name).bytes;
  convert_numbers(entry.type,
                  bytes.subspan(static_cast<std::size_t>(first) * size,
                                static_cast<std::size_t>(out.elements()) * size),
                  out);
}

}  // namespace xlab
