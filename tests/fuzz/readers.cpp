// What is read from strangers: safetensors, configurations (YAML too), tokenizers, runs, columns of
// numbers.
#include "tests/fuzz/readers.hpp"

#include <algorithm>
#include <string_view>

#include "core/bench_file.hpp"
#include "core/files/safetensors.hpp"
#include "core/files/wrapped_config.hpp"
#include "core/files/yaml_text.hpp"
#include "core/model.hpp"
#include "core/series/csv_column.hpp"
#include "core/spec.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "kernels/check.hpp"

namespace xlab::tests {
namespace {

using Bytes = std::span<const std::byte>;

std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void read_tensors(Bytes bytes) {
  const SafetensorsFile file = parse_safetensors(bytes, "fuzz");
  std::int64_t elements = 0;
  for (const StoredTensor& tensor : file.tensors()) elements += tensor.elements();
  check(elements >= 0, "A file holds fewer numbers than none.");
}

void read_config_text(const std::string& text) {
  ReadKeys keys;
  const UnwrappedConfig config = unwrapped_config(text, keys);
  const ModelSpec spec = model_spec_from_config(config.text, keys);
  // Sizes alone: nothing is made.
  const auto infos = Model::parameters_of(spec);
  check(!infos.empty(), "A model has no parameters.");
  Model::cards_of(spec);
  // What is written of it is read again, and is the same.
  if (spec.vocab_size > 0) {
    const std::string again = to_json(model_spec_from_json(to_json(spec)));
    if (again != to_json(spec)) throw std::string("another model is read than was written");
  }
}

void read_config(Bytes bytes) {
  read_config_text(text_of(bytes));
}

void read_yaml(Bytes bytes) {
  read_config_text(json_of_yaml(text_of(bytes), "fuzz"));
}

void read_spec(Bytes bytes) {
  RunSpec spec = run_spec_from_json(text_of(bytes));
  if (!spec.model) return;
  if (spec.model->vocab_size == 0) spec.model->vocab_size = 5;  // a task says how many
  Model::cards_of(*spec.model);
}

void read_tokenizer(Bytes bytes) {
  const auto tokenizer = tokenizer_from_json(text_of(bytes), "fuzz");
  for (const std::string_view text : {"", "a b", "the 12 cats \xE2\x82\xAC\n\tx", "\xFF\x80"}) {
    const std::vector<std::int32_t> ids = tokenizer->encode(text);
    StreamDecoder stream(*tokenizer);
    for (const std::int32_t id : ids) {
      if (id < 0 || id >= tokenizer->vocab_size()) throw std::string("a token outside");
      stream.push(id);
    }
    stream.finish();
  }
}

void read_csv(Bytes bytes) {
  const CsvColumn column = csv_column_of(text_of(bytes), "2", "fuzz");
  if (column.numbers.empty()) throw std::string("a column without numbers");
}

void read_run(Bytes bytes) {
  const SafetensorsFile file = parse_safetensors(bytes, "fuzz");
  if (holds_bench(file.metadata(), "fuzz")) {
    load_bench(file);
  } else {
    load_run(file);
  }
}

}  // namespace

const std::vector<Reader>& readers() {
  static const std::vector<Reader> list = {{"safetensors", read_tensors},
                                           {"config", read_config},
                                           {"yaml", read_yaml},
                                           {"spec", read_spec},
                                           {"tokenizer", read_tokenizer},
                                           {"run", read_run},
                                           {"csv", read_csv}};
  return list;
}

void read_as(const std::string& name, std::span<const std::byte> bytes) {
  const auto reader = std::find_if(readers().begin(), readers().end(),
                                   [&](const Reader& one) { return one.name == name; });
  check(reader != readers().end(), "There is no reader '{}'.", name);
  try {
    reader->read(bytes);
  } catch (const Error&) {
    // A sentence about what is wrong.
  }
}

}  // namespace xlab::tests
