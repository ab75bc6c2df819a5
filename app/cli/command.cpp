// What the commands of the command line have in common.
#include "app/cli/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

#include "app/cli/progress_line.hpp"
#include "core/bench_file.hpp"
#include "core/bytes_text.hpp"
#include "core/files/openable.hpp"
#include "core/short_number.hpp"
#include "core/utf8.hpp"
#include "kernels/device/device.hpp"
#include "kernels/device/threads.hpp"
#include "kernels/product/precision.hpp"

namespace xlab::app {
namespace {

const std::map<std::string, FolderUse>& held_in() {
  static const std::map<std::string, FolderUse> all = {{"bf16", FolderUse::read_halves},
                                                       {"8bit", FolderUse::read_8bit},
                                                       {"4bit", FolderUse::read_4bit}};
  return all;
}

const std::map<std::string, MatrixPrecision>& precisions() {
  static const std::map<std::string, MatrixPrecision> all = {{"exact", MatrixPrecision::exact},
                                                             {"tf32", MatrixPrecision::tf32},
                                                             {"bf16", MatrixPrecision::bf16}};
  return all;
}

}  // namespace

std::atomic<bool> interrupted = false;

void stop_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    std::signal(signal, [](int) { interrupted = true; });
}

void Computing::add_device(CLI::App& command) {
  command.add_option(
      "--device", device,
      "Where to compute: auto (a graphics card if there is one), cpu, cuda or cuda:N");
}

void Computing::add_precision(CLI::App& command) {
  command
      .add_option("--precision", precision,
                  "What a graphics card multiplies f32 numbers in: exact (default), tf32 or bf16")
      ->check(CLI::IsMember(precisions()));
}

void Computing::add_threads(CLI::App& command, const std::string& usually) {
  command.add_option("--threads", threads, "Threads to use (default: " + usually + ")")
      ->check(whole_number(0, 256));
}

Device Computing::use() const {
  set_threads(threads);
  set_matrix_precision(precisions().at(precision));
  try {
    return device_named(device);
  } catch (const Error& e) {
    throw UsageError(e.what());
  }
}

namespace {

/// The whole text as a number of this kind.
template <typename T>
std::optional<T> parsed(const std::string& text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

template <typename T, typename Fits>
CLI::Validator validator(const std::string& wanted, Fits fits) {
  return CLI::Validator(
      [=](const std::string& text) {
        const auto number = parsed<T>(text);
        return number && fits(*number) ? std::string()
                                       : fmt::format("'{}' is not {}", printable(text, 60), wanted);
      },
      "");
}

}  // namespace

CLI::Validator number_that(const std::string& wanted, bool (*fits)(double)) {
  return validator<double>(wanted, [fits](double x) { return std::isfinite(x) && fits(x); });
}

CLI::Validator not_empty() {
  return {[](const std::string& text) {
            return text.empty() ? std::string("It is empty.") : std::string();
          },
          "", "not empty"};
}

CLI::Validator whole_number(std::int64_t from, std::int64_t to) {
  return validator<std::int64_t>(fmt::format("a whole number from {} to {}", from, to),
                                 [=](std::int64_t x) { return x >= from && x <= to; });
}

std::filesystem::path model_folder(const std::string& path) {
  const auto folder = model_folder_of(path);
  check(folder.has_value(), "'{}' is no model folder: give a folder with a config.json.",
        printable(path, 512));
  return *folder;
}

void tell(const std::string& remark) {
  if (!remark.empty()) say("{}\n", remark);
}

void RunPlace::add(CLI::App& command, const std::string& place, const std::string& words) {
  command.add_option(place, path, words)->required();
  add_name(command);
}

void RunPlace::add_name(CLI::App& command) {
  command.add_option("--run", name, "Which one, of a file that holds several: its name or number")
      ->check(not_empty());
}

namespace {

/// Says how far reading is, while it lives, once it takes longer than a moment.
class ReadingTold {
 public:
  explicit ReadingTold(const Reading& reading)
      : watcher_([this, &reading](const std::stop_token& stop) { tell_until(stop, reading); }) {}

 private:
  void tell_until(const std::stop_token& stop, const Reading& reading) {
    using Clock = std::chrono::steady_clock;
    constexpr double kMoment = 1.0;
    ProgressLine line;
    bool told = false;
    const auto begun = Clock::now();
    std::mutex mutex;
    std::unique_lock lock(mutex);
    while (!wake_.wait_for(lock, stop, std::chrono::milliseconds(100), [] { return false; }) &&
           !stop.stop_requested()) {
      const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
      const auto bytes = static_cast<double>(reading.bytes),
                 total = static_cast<double>(reading.total);
      if (seconds < kMoment || bytes <= 0.0 || total < bytes) continue;
      line.show(fmt::format("Reading: {} of {}, {:.0f} s left", bytes_text(bytes),
                            bytes_text(total), std::ceil(seconds * (total - bytes) / bytes)),
                false);
      told = true;
    }
    if (told)
      line.show(fmt::format("Read {}.", bytes_text(static_cast<double>(reading.bytes))), true);
  }

  std::condition_variable_any wake_;
  std::jthread watcher_;
};

}  // namespace

void WeightsHeld::add(CLI::App& command) {
  command
      .add_option(
          "--weights", in,
          "Hold the weights of a model folder (large family) in bf16, 8bit or 4bit: a half, "
          "a quarter or an eighth of the memory of f32, and so much faster; sums stay f32")
      ->check(CLI::IsMember(held_in()));
}

std::optional<FolderUse> WeightsHeld::use(std::optional<FolderUse> otherwise) const {
  return in.empty() ? otherwise : held_in().at(in);
}

std::unique_ptr<Run> open_run(const RunPlace& place, std::optional<FolderUse> use) {
  const auto folder = model_folder_of(place.path);
  if (!folder && use && *use != FolderUse::train && *use != FolderUse::read)
    throw UsageError("Weights are held in fewer bits only of model folders of the large family.");
  if (folder && !place.name.empty())
    throw UsageError(
        fmt::format("'{}' is a model folder: leave --run away.", printable(place.path, 512)));
  std::unique_ptr<Run> run;
  if (folder) {
    Reading reading;
    const ReadingTold told(reading);
    run = open_folder_run(*folder, use, &reading);
  } else {
    run = load_named_run(read_safetensors(place.path), place.name);
  }
  tell(run->remark);
  return run;
}

namespace {

/// The numbers of one list with commas. Every place in it must hold one: nothing is no token.
void add_numbers(std::string_view list, std::vector<int>& numbers) {
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t comma = std::min(list.find(',', begin), list.size());
    const char *first = list.data() + begin, *last = list.data() + comma;
    while (first < last && *first == ' ') ++first;
    while (first < last && *(last - 1) == ' ') --last;
    int number = 0;
    const auto [end, error] = std::from_chars(first, last, number);
    if (error != std::errc() || end != last)
      throw UsageError(fmt::format(
          "--ids '{}': {}; give whole numbers with commas between them.",
          printable(std::string(list), 60),
          first == last ? "a number is missing"
                        : fmt::format("'{}' is no token", printable(std::string(first, last)))));
    numbers.push_back(number);
    begin = comma + 1;
  }
}

}  // namespace

std::vector<int> token_numbers(const std::vector<std::string>& lists) {
  std::vector<int> numbers;
  for (const std::string& list : lists) {
    if (list != "-") {
      add_numbers(list, numbers);
      continue;
    }
    // White space separates too, beside a comma or instead of one.
    for (std::string word; std::cin >> word;) {
      if (word.size() > 1 && word.ends_with(',')) word.pop_back();
      add_numbers(word, numbers);
    }
    if (numbers.empty()) throw UsageError("--ids -: the standard input holds no numbers.");
  }
  return numbers;
}

std::string loss_text(const LossPoint& point) {
  return fmt::format("{} nats per token (mean {})", short_number(point.loss),
                     short_number(point.smoothed));
}

}  // namespace xlab::app
