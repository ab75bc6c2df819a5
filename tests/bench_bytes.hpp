// The file of a bench from the files of its runs, without the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace xlab::tests {

/// Puts the files of runs together as the file of a bench, by what the format says of itself.
inline std::string bench_of(const std::vector<std::string>& runs) {
  nlohmann::json header = nlohmann::json::object(), list = nlohmann::json::array();
  std::string numbers;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::string prefix = "run" + std::to_string(i + 1) + "/";
    std::uint64_t length = 0;
    std::memcpy(&length, runs[i].data(), sizeof length);
    const nlohmann::json one = nlohmann::json::parse(runs[i].substr(8, length));
    for (const auto& [name, tensor] : one.items()) {
      if (name == "__metadata__") {
        header[name][prefix + "xlab"] = tensor["xlab"];
        continue;
      }
      const std::uint64_t begin = tensor["data_offsets"][0], end = tensor["data_offsets"][1];
      nlohmann::json moved = tensor;
      moved["data_offsets"] = {numbers.size(), numbers.size() + end - begin};
      numbers += runs[i].substr(8 + length + begin, end - begin);
      header[prefix + name] = moved;
    }
    list.push_back({{"colour", i}, {"shown", true}});
  }
  header["__metadata__"]["xlab"] =
      nlohmann::json{{"format", 2}, {"focus", 2}, {"runs", list}}.dump();
  std::string text = header.dump();
  while (text.size() % 8 != 0) text += ' ';
  const std::uint64_t length = text.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text + numbers;
}

}  // namespace xlab::tests
