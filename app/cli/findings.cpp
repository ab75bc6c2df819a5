// xlstm findings: what a model does with a sequence, in sentences that are measured.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/command.hpp"
#include "core/analysis/findings.hpp"
#include "core/files/disk.hpp"
#include "core/files/json_text.hpp"
#include "core/generation/ablation.hpp"
#include "core/generation/recorded_step.hpp"
#include "core/known_token.hpp"
#include "core/short_number.hpp"
#include "core/tasks/task.hpp"
#include "core/utf8.hpp"

namespace xlab::app {
namespace {

using nlohmann::json;

/// Of assets/schema/findings.schema.json, which says what each member means.
constexpr int kFindingsSchema = 1;
constexpr std::uint64_t kMostProbeBytes = 64u << 20;
constexpr int kTaskLength = 64;

struct FindingsArguments {
  RunPlace model;
  std::string text, prompt, task;
  std::vector<std::string> ids;
  int tokens = 256;
  bool as_json = false, without_ablations = false;
  WeightsHeld weights;
  Computing computing;
};

/// One sequence of the task, which asks for answers.
Probe probe_of_task(const Task& task, const ModelSpec& model) {
  const int vocabulary = static_cast<int>(task.vocabulary().size());
  check(
      vocabulary == model.vocab_size,
      "The task '{}' has {} tokens, but the model was made for {}: give it a text or ids instead.",
      task.name(), vocabulary, model.vocab_size);
  const auto length = static_cast<std::size_t>(std::max(kTaskLength, task.shortest()));
  Probe probe{std::vector<int>(length), std::vector<int>(length)};
  task.sample(1, 0, probe.tokens, probe.targets);
  return probe;
}

Probe probe_of(const FindingsArguments& args, const Run& run) {
  check(!run.task->series(),
        "This model reads a series of numbers: what its gates do with one `xlstm trace` writes.");
  if (!args.task.empty()) return probe_of_task(*make_task(args.task), run.model->spec());
  std::vector<int> tokens = token_numbers(args.ids);
  if (!args.text.empty()) {
    const std::string text = read_text_file(args.text, kMostProbeBytes);
    tokens = prompt_tokens(run, std::string(without_byte_order_mark(text)));
  } else if (!args.prompt.empty()) {
    tokens = prompt_tokens(run, args.prompt);
  } else if (args.ids.empty()) {
    check(run.task->has_data(),
          "The model comes without data: give it --text FILE, --prompt TEXT or --ids NUMBERS.");
    if (!run.task->text()) return probe_of_task(*run.task, run.model->spec());
    const auto length = static_cast<std::size_t>(args.tokens);
    std::vector<int> inputs(length), targets(length);
    run.task->sample(1, 0, inputs, targets);
    tokens = std::move(inputs);
  }
  tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(args.tokens)));
  check(tokens.size() >= 2, "At least two tokens are needed: the loss is that of the next one.");
  for (const int token : tokens) check_token(run.model->spec(), token);
  return probe_of_tokens(*run.task, std::move(tokens));
}

/// The beginning of what was read, as people see it.
std::string beginning(const Run& run, const Probe& probe) {
  constexpr std::size_t kShown = 40;
  const std::size_t count = std::min(probe.tokens.size(), kShown);
  const std::string text = run.task->decode({probe.tokens.data(), count});
  return printable(text, 200) + (count < probe.tokens.size() ? " …" : "");
}

std::shared_ptr<const Trace> recordings(const Model& model, const std::vector<int>& tokens) {
  auto trace = std::make_shared<Trace>();
  State state;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    auto seen = std::make_shared<TokenTrace>();
    State after;
    recorded_step(model, tokens[t], static_cast<int>(t), {}, state, after, *seen, &interrupted);
    state = std::move(after);
    trace->steps.push_back(std::move(seen));
  }
  return trace;
}

/// What each head is worth, as findings; the one that costs most first.
std::vector<Finding> worth_of_heads(const Model& model, const Probe& probe, double loss) {
  const ModelCard card{.blocks = model.cards()};
  int done = 0;
  std::vector<Ablation> all = ablations(
      model, probe,
      [&](const Ablation&, int count) {
        ++done;
        if (done % 8 == 0 || done == count) say("{} of {} switched off in turn\n", done, count);
      },
      &interrupted);
  std::stable_sort(all.begin(), all.end(),
                   [](const Ablation& a, const Ablation& b) { return a.loss > b.loss; });
  std::vector<Finding> out;
  for (const Ablation& one : all) out.push_back(finding_of(card, one, loss));
  return out;
}

json number_or_null(double number) {
  return std::isfinite(number) ? json(number) : json(nullptr);
}

json findings_json(const std::vector<Finding>& all, const Probe& probe, double loss) {
  json list = json::array();
  for (const Finding& finding : all) {
    json numbers = json::array(), evidence = nullptr;
    for (const auto& [name, number] : finding.numbers)
      numbers.push_back({{"name", name}, {"value", number_or_null(number)}});
    if (finding.evidence)
      evidence = {{"path", finding.evidence->path},
                  {"step", finding.evidence->step},
                  {"head", finding.evidence->head},
                  {"unit", finding.evidence->unit}};
    list.push_back({{"about", finding.about},
                    {"block", finding.block},
                    {"sentence", mended_utf8(finding.sentence)},
                    {"numbers", numbers},
                    {"evidence", evidence}});
  }
  return {{"schema_version", kFindingsSchema},
          {"tokens", probe.tokens.size()},
          {"loss", number_or_null(loss)},
          {"findings", list}};
}

int tell_findings(const FindingsArguments& args) {
  const int ways = (args.ids.empty() ? 0 : 1) + (args.prompt.empty() ? 0 : 1) +
                   (args.text.empty() ? 0 : 1) + (args.task.empty() ? 0 : 1);
  if (ways > 1)
    throw UsageError("Give one of --text FILE, --task NAME, --prompt TEXT and --ids NUMBERS.");
  const Device device = args.computing.use();
  const std::unique_ptr<Run> run = open_run(args.model, args.weights.use(FolderUse::read));
  const Probe probe = probe_of(args, *run);
  const auto& clamps = run->sequence->clamps();
  if (const auto edits = std::ranges::count_if(clamps, &Clamp::enabled); edits > 0)
    fmt::print(stderr, "The file holds {} edit{} by hand; findings are of the model without {}.\n",
               edits, edits == 1 ? "" : "s", edits == 1 ? "it" : "them");
  move_run(*run, device);
  stop_on_signals();
  std::vector<Finding> all;
  double loss = 0.0;
  try {
    all = findings(*model_card(*run), recordings(*run->model, probe.tokens), probe.tokens,
                   asks_every_token(probe) ? -1 : last_asked(probe));
    loss = probe_loss(*run->model, probe, {}, &interrupted);
    if (!args.without_ablations) {
      std::vector<Finding> worth = worth_of_heads(*run->model, probe, loss);
      all.insert(all.end(), worth.begin(), worth.end());
    }
  } catch (const Cancelled&) {
    throw Error("Stopped; nothing was found out.");
  }
  if (args.as_json) {
    fmt::print("{}\n", json_text(findings_json(all, probe, loss), 2));
  } else {
    fmt::print("Read {} tokens: {}\nLoss {} nats {}\n", probe.tokens.size(), beginning(*run, probe),
               short_number(loss),
               asks_every_token(probe) ? "a token, over every next token"
                                       : "an answer, over what the task asks for");
    for (const Finding& finding : all) fmt::print("{}\n", finding.sentence);
  }
  return std::isfinite(loss) ? 0 : kNotFinite;
}

}  // namespace

CliCommand findings_command(CLI::App& app) {
  const auto args = std::make_shared<FindingsArguments>();
  CLI::App& command = *app.add_subcommand(
      "findings",
      "Say what a model does with a sequence, in measured sentences: how long its memories last, "
      "what it writes, what its last answer hangs on, what each head is worth. Exit code 3: the "
      "loss is not finite");
  args->model.add(command, "model", "Run (*.xlab) or model folder");
  command.add_option("--text", args->text, "File with a text to read")->check(not_empty());
  command.add_option("--task", args->task,
                     "A task whose first sequence is read (default: the run's own data)");
  command.add_option("--prompt", args->prompt, "Text to read")->check(not_empty());
  command.add_option(
      "--ids", args->ids,
      "Token numbers instead, separated by commas; - reads them from standard input");
  command.add_option("--tokens", args->tokens, "Of a text so many tokens (default 256)")
      ->check(whole_number(2, 1 << 20));
  command.add_flag("--no-ablations", args->without_ablations,
                   "Leave out what each head is worth, which takes a pass for each");
  command.add_flag("--json", args->as_json, "As JSON, see assets/schema/findings.schema.json");
  args->weights.add(command);
  args->computing.add_threads(command, "one per core");
  args->computing.add_device(command);
  args->computing.add_precision(command);
  return {&command, [args] { return tell_findings(*args); }};
}

}  // namespace xlab::app
