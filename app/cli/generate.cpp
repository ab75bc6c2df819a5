// xlstm generate: continues a prompt.
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/command.hpp"
#include "core/generation/generation.hpp"
#include "core/generation/sampler.hpp"
#include "core/generation/stepper.hpp"
#include "core/known_token.hpp"
#include "core/tokenizer/tokenizer.hpp"

namespace xlab::app {
namespace {

constexpr std::int64_t kMostTokens = 1'000'000'000'000;

struct GenerateArguments {
  RunPlace run;
  std::optional<std::string> prompt;
  std::vector<std::string> ids;
  WeightsHeld weights;
  bool bf16 = false;
  std::int64_t tokens = 200;
  SamplerSettings sampler{.greedy = false, .temperature = 0.8};
  Computing computing{.threads = 1};
};

/// Writes tokens as they come.
class Writer {
 public:
  explicit Writer(const Task& task) : task_(task), tokenizer_(task.tokenizer()) {
    if (tokenizer_) stream_.emplace(*tokenizer_, true);
  }
  void write(int token) {
    if (stream_) {
      // A model may begin with a token that its tokenizer does not have.
      if (token < tokenizer_->vocab_size()) fmt::print("{}", stream_->push(token));
    } else {
      fmt::print("{}{}", first_ ? "" : " ", task_.decode({&token, 1}));
    }
    first_ = false;
  }
  void end() { fmt::print("{}\n", stream_ ? stream_->finish() : ""); }

 private:
  const Task& task_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::optional<StreamDecoder> stream_;
  bool first_ = true;
};

int generate(GenerateArguments args) {
  if (args.ids.empty() == !args.prompt)
    throw UsageError("Give either --prompt TEXT or --ids NUMBERS.");
  const std::vector<int> numbers = token_numbers(args.ids);
  const Device device = args.computing.use();
  args.sampler.greedy = args.sampler.temperature == 0.0;
  try {
    validate(args.sampler);
  } catch (const Error& e) {
    throw UsageError(e.what());
  }
  if (args.bf16) args.weights.in = "bf16";
  const std::unique_ptr<Run> run = open_run(args.run, args.weights.use(FolderUse::read));
  std::vector<int> tokens = numbers.empty() ? prompt_tokens(*run, *args.prompt) : numbers;
  check(!tokens.empty(), "The prompt is empty: give at least one token with --prompt.");
  // Before any of them is written.
  for (const int token : tokens) check_token(run->model->spec(), token);
  move_run(*run, device);
  stop_on_signals();
  const WritableTokens writable = writable_tokens(*run->task, run->model->spec());
  Writer writer(*run->task);
  for (const int token : tokens) writer.write(token);
  std::fflush(stdout);
  Stepper stepper(*run->model);
  std::vector<float> logits = stepper.feed(tokens);
  DrawnToken next;
  for (std::int64_t n = 0; n < args.tokens && !interrupted; ++n) {
    next = next_token(logits, writable, args.sampler, static_cast<std::uint64_t>(tokens.size()));
    if (next.ends) break;
    tokens.push_back(next.token);
    writer.write(next.token);
    std::fflush(stdout);
    logits = stepper.feed({&next.token, 1});
  }
  writer.end();
  std::fflush(stdout);
  if (next.ends)
    say("{} With --past-end it goes on.\n",
        end_of_text(model_card(*run)->vocabulary[static_cast<std::size_t>(next.token)]));
  return 0;
}

}  // namespace

CliCommand generate_command(CLI::App& app) {
  const auto args = std::make_shared<GenerateArguments>();
  CLI::App& command = *app.add_subcommand("generate", "Continue a prompt with a trained run");
  args->run.add(command, "file", "Trained run (*.xlab) or model folder");
  command.add_option("--prompt", args->prompt, "Text to continue");
  command.add_option("--ids", args->ids,
                     "Token numbers to continue instead; - reads them from standard input");
  args->weights.add(command);
  command.add_flag("--bf16", args->bf16, "The same as --weights bf16")->excludes("--weights");
  command.add_option("--tokens", args->tokens, "Tokens to write (default 200)")
      ->check(whole_number(0, kMostTokens));
  command.add_flag("--past-end", args->sampler.past_end,
                   "Write on where the model ends its text, its end token included");
  command.add_option("--temperature", args->sampler.temperature,
                     "Sampling temperature, 0 for always the likeliest (default 0.8)");
  command.add_option("--top-k", args->sampler.top_k, "Draw from the K likeliest only (0: all)");
  command.add_option("--top-p", args->sampler.top_p, "Draw from the likeliest that make up P");
  command.add_option("--seed", args->sampler.seed, "Seed of the draws (default 1)")
      ->check(whole_number(0, kLargestSeed));
  args->computing.add_threads(command, "1");
  args->computing.add_device(command);
  args->computing.add_precision(command);
  return {&command, [args] { return generate(*args); }};
}

}  // namespace xlab::app
