// How the runs of a session stood side by side, as JSON.
#include "core/keeping/kept_bench.hpp"

#include <nlohmann/json.hpp>
#include <system_error>

#include "core/files/disk.hpp"
#include "core/files/json_text.hpp"
#include "kernels/check.hpp"

namespace xlab::kept {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kBench = "bench.json";
constexpr std::uint64_t kMostBytes = 64u << 10;

}  // namespace

void write_bench(const fs::path& folder, const KeptBench& bench) {
  json list = json::array();
  for (const BenchPlace& run : bench)
    list.push_back({{"run", run.number},
                    {"colour", run.colour},
                    {"shown", run.shown},
                    {"sequence", run.sequence},
                    {"focus", run.focus}});
  write_file_atomically(folder / kBench, list.dump());
}

KeptBench read_bench(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / kBench, error)) return {};
  try {
    KeptBench bench;
    for (const json& run : parse_json(read_text_file(folder / kBench, kMostBytes), "The bench"))
      bench.push_back({.number = run.at("run").get<int>(),
                       .colour = run.at("colour").get<int>(),
                       .shown = run.at("shown").get<bool>(),
                       .sequence = run.at("sequence").get<int>(),
                       .focus = run.at("focus").get<bool>(),
                       .place = bench.size()});
    return bench;
  } catch (const Error&) {
    return {};
  } catch (const json::exception&) {
    return {};
  }
}

}  // namespace xlab::kept
