// Runs: making, saving and loading them.
#include "core/run.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files/json_text.hpp"
#include "core/files/load_parameters.hpp"
#include "core/files/safetensors_header.hpp"
#include "core/generation/generation.hpp"
#include "core/run_data.hpp"
#include "core/run_json.hpp"
#include "core/series/read_series.hpp"
#include "kernels/adamw.hpp"
#include "kernels/device/device.hpp"
#include "kernels/route.hpp"

namespace xlab {
namespace {

using nlohmann::json;

constexpr double kSmoothing = 0.1;  // share of the newest loss in the exponential mean
constexpr std::size_t kMostLossPoints = 1 << 18;
/// Why a model without gradients is not trained.
const char* only_read(const Model& model) {
  const Params& weights = model.params();
  if (model.spec().series)
    return "Models that foretell series are not trained here: it is only read.";
  return held_in_blocks(weights)
             ? "This model's weights are held in fewer bits than training needs: it is only read."
             : "This model is too large to be trained on this computer: it is only read.";
}
/// Of a description that is to hold the history too; a file takes a little more.
constexpr std::size_t kMostWords = kMostValueBytes / 8;
constexpr double kMostSteps = 1e12, kMostSeconds = 1e12, kMostScale = 1000.0;

void run_parts(Run& run, std::unique_ptr<Model> model, const TrainSpec& train) {
  run.model = std::move(model);
  run.trainer = std::make_unique<Trainer>(*run.model, *run.task, train);
  run.sequence = std::make_unique<Sequence>(*run.model);
}

void show_first_look(Run& run) {
  std::vector<int> tokens = run.task->first_look();
  tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(run.sequence->most_tokens())));
  run.sequence->set_tokens(std::move(tokens));
  run.prompt_length = run.sequence->length();
  run.sequence->set_clamps(run.task->first_edits(run.model->cards()));
  // What is held is looked at from its end.
  if (!run.sequence->clamps().empty()) run.cursor = run.prompt_length - 1;
}

/// Models that foretell series are made by open_series_run alone.
void refuse_series(const ModelSpec& spec) {
  check(!spec.series,
        "A model that foretells a series is read from its folder: it is not trained here.");
}

ModelSpec sized_for(const Task& task, ModelSpec spec) {
  refuse_series(spec);
  const int needed = static_cast<int>(task.vocabulary().size());
  if (spec.vocab_size == 0) spec.vocab_size = needed;
  check(spec.vocab_size >= needed,
        "The specification's 'vocab_size' is {}, but the data has {} different tokens.",
        spec.vocab_size, needed);
  return spec;
}

json session_json(const Run& run) {
  json sequence = {{"tokens", run.sequence->tokens()},
                   {"prompt_length", run.prompt_length},
                   {"clamps", json_of(run.sequence->clamps())},
                   {"sampler", json_of(run.sampler)}};
  if (run.cursor >= 0) sequence["cursor"] = run.cursor;
  return sequence;
}

void restore_session(Run& run, const json& in) {
  std::vector<int> tokens = tokens_in(in.at("tokens"));
  // What is free says nothing: another run may be open, and give way to this one.
  constexpr double kShare = 0.6;
  const double all = kShare * static_cast<double>(host_device().memory_bytes);
  const auto most = static_cast<std::size_t>(std::max(
      run.sequence->most_tokens(), run.sequence->most_tokens_in(static_cast<std::size_t>(all))));
  if (tokens.size() > most) {
    run.remark = fmt::format(
        "The saved sequence has {} tokens, but this computer has memory for {} tokens of this "
        "model: the first {} are shown.",
        tokens.size(), most, most);
    tokens.resize(most);
  }
  run.sequence->put_back(std::move(tokens));
  run.prompt_length = std::clamp(number_in<int>(in, "prompt_length"), 0, run.sequence->length());
  run.sequence->set_clamps(clamps_in(in.at("clamps")));
  run.sampler = sampler_in(in.at("sampler"));
  if (in.contains("cursor"))
    run.cursor = std::clamp(number_in<int>(in, "cursor"), -1, run.sequence->length() - 1);
}

/// The window's words. Where they are none, it is the window that says so: nothing here reads them.
std::string screen_of(const json& meta) {
  const auto found = meta.find("screen");
  if (found == meta.end()) return {};
  std::string screen = found->is_string() ? found->get<std::string>() : found->dump();
  return screen.size() <= Run::kMostScreenBytes ? screen : std::string("too long");
}

/// The optimizer's moments; they are stored in our layout only.
void load_moments(Trainer& trainer, const Params& params, const SafetensorsFile& file) {
  for (const auto& [prefix, block] :
       {std::pair{"m/", trainer.first_moment()}, std::pair{"v/", trainer.second_moment()}}) {
    for (const ParamInfo& info : params.infos()) {
      const Tensor moment = file.tensor(prefix + info.name, params.dtype());
      check(moment.shape() == info.shape, "'{}': '{}{}' has shape {}, but {} is needed.",
            file.name(), prefix, info.name, moment.shape().text(), info.shape.text());
      block.slice(info.offset, info.offset + info.shape.elements()).copy_from(moment);
    }
    check(kernels::all_finite(block),
          "'{}' holds optimizer moments that are not finite: training cannot go on from it.",
          file.name());
  }
  const Tensor second = trainer.second_moment().to(Device::cpu());
  const auto squares = second.span<float>();
  check(std::all_of(squares.begin(), squares.end(), [](float x) { return x >= 0.0f; }),
        "'{}' holds second moments that are negative: training cannot go on from it.", file.name());
}

}  // namespace

StepResult Run::train_step() {
  const auto start = std::chrono::steady_clock::now();
  const StepResult result = trainer->step();
  seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (result.finite) {
    last_step = result;
    const auto loss = static_cast<float>(result.loss);
    // The weights of all losses so far sum to one: the first one is not counted again and again.
    const double seen = static_cast<double>(losses.size()) + 1.0;
    const double share = kSmoothing / (1.0 - std::pow(1.0 - kSmoothing, seen));
    const float smoothed =
        losses.empty()
            ? loss
            : static_cast<float>(losses.back().smoothed + share * (loss - losses.back().smoothed));
    if (losses.size() >= kMostLossPoints) {
      // Bounded history: keep every second point of the past.
      std::size_t kept = 0;
      for (std::size_t i = 1; i < losses.size(); i += 2) losses[kept++] = losses[i];
      losses.resize(kept);
    }
    losses.push_back({result.step, loss, smoothed});
  }
  return result;
}

std::unique_ptr<Run> make_run(std::shared_ptr<const Task> task, const RunSpec& spec) {
  auto run = std::make_unique<Run>();
  run->task = std::move(task);
  TrainSpec train = spec.train.value_or(run->task->default_training());
  ModelSpec model = sized_for(*run->task, spec.model.value_or(run->task->default_model()));
  if (model.context_length == 0) model.context_length = train.sequence_length;
  validate(model);
  validate(train);
  validate(model, train);
  run_parts(*run, std::make_unique<Model>(model), train);
  run->model->params().initialise(train.seed);
  show_first_look(*run);
  return run;
}

std::unique_ptr<Run> make_run(std::shared_ptr<const Task> task, std::unique_ptr<Model> model,
                              const TrainSpec& train) {
  auto run = std::make_unique<Run>();
  run->task = std::move(task);
  run_parts(*run, std::move(model), train);
  show_first_look(*run);
  return run;
}

std::unique_ptr<Run> make_run_from(const Run& run, std::shared_ptr<const Task> task,
                                   const std::optional<TrainSpec>& train) {
  const Params& weights = run.model->params();
  check(weights.trainable(), "{}", only_read(*run.model));
  ModelSpec spec = run.model->spec();
  // Other data, other tokens.
  if (spec.large) spec.large->force_bos_token_insert = false;
  std::unique_ptr<Run> fresh =
      make_run(std::move(task), RunSpec{.model = std::move(spec), .train = train});
  fresh->model->params().values().copy_from(weights.values().to(Device::cpu()));
  fresh->came_with_weights = run.came_with_weights || run.trainer->steps_done() > 0;
  fresh->was_read = run.was_read;
  return fresh;
}

std::unique_ptr<Run> restart_run(const Run& run, std::uint64_t seed) {
  if (!run.task->has_data() && !run.came_with_weights)
    throw Error(run.task->why_nothing_to_learn());
  check(run.task->has_data() && !run.came_with_weights,
        "This model came with its weights: untrained it would be of no use. To have them again, "
        "use Undo, or open again what they came from.");
  RunSpec spec;
  spec.model = run.model->spec();
  spec.train = run.trainer->spec();
  spec.train->seed = seed;
  std::unique_ptr<Run> fresh = make_run(run.task, spec);
  fresh->stored_task = run.stored_task;
  fresh->sequence->take_over(*run.sequence);
  fresh->prompt_length = run.prompt_length;
  fresh->sampler = run.sampler;
  fresh->screen = run.screen;
  move_run(*fresh, run.model->device());
  return fresh;
}

void move_run(Run& run, Device device) {
  MovedStates moved;
  Sequence sequence = run.sequence->on(device, moved);
  run.trainer->move_to(device);
  *run.sequence = std::move(sequence);
}

RunRecord record_of(const Run& run) {
  const Params& params = run.model->params();
  if (const std::string reason = why_not_saved(run); !reason.empty()) throw Error(reason);
  if (!run.stored_task || run.stored_task->task() != run.task)
    run.stored_task = std::make_shared<const StoredTask>(run.task);
  const bool newer = any_beyond_holding(run.sequence->clamps());
  json meta = {{"format", newer ? kEditsFormat : kRunFormat},
               {"model", parse_json(to_json(run.model->spec()), "The specification")},
               {"train", parse_json(to_json(run.trainer->spec()), "The specification")},
               {"step", run.trainer->steps_done()},
               {"seconds", run.seconds},
               {"learning_rate_scale", run.trainer->learning_rate_scale},
               {"came_with_weights", run.came_with_weights},
               {"name", run.name},
               {"session", session_json(run)}};
  if (run.last_step.gradient_norm > 0.0)
    meta["last_step"] = {{"accuracy", run.last_step.accuracy},
                         {"gradient_norm", run.last_step.gradient_norm}};
  if (!run.screen.empty()) meta["screen"] = run.screen;
  std::string description = json_text(meta);
  // Rather without it than not at all.
  if (!run.history.empty() && description.size() + 2 * run.history.size() < kMostWords) {
    meta["history"] = run.history;
    description = json_text(meta);
  }
  RunRecord record{.task = run.stored_task,
                   .parameters = params.infos(),
                   .values = params.values(),
                   .first_moment = {},
                   .second_moment = {},
                   .losses = run.losses,
                   .description = std::move(description)};
  if (run.trainer->steps_done() > 0) {
    record.first_moment = run.trainer->first_moment();
    record.second_moment = run.trainer->second_moment();
  }
  return record;
}

RecordFile file_of(const RunRecord& record) {
  RecordFile file;
  for (const ParamInfo& info : record.parameters) {
    const std::int64_t end = info.offset + info.shape.elements();
    const auto add = [&](const char* prefix, const Tensor& block) {
      if (block.defined())
        file.tensors.push_back(
            stored(prefix + info.name, block.slice(info.offset, end).reshape(info.shape)));
    };
    add("p/", record.values);
    add("m/", record.first_moment);
    add("v/", record.second_moment);
  }
  std::vector<std::int64_t> steps;
  std::vector<float> losses, smoothed;
  for (const LossPoint& point : record.losses) {
    steps.push_back(point.step);
    losses.push_back(point.loss);
    smoothed.push_back(point.smoothed);
  }
  const auto count = static_cast<std::int64_t>(steps.size());
  if (count > 0) {
    file.tensors.push_back(stored("c/step", {count}, std::move(steps)));
    file.tensors.push_back(stored("c/loss", {count}, std::move(losses)));
    file.tensors.push_back(stored("c/smoothed", {count}, std::move(smoothed)));
  }
  json meta = parse_json(record.description, "The description of a run");
  record.task->describe(meta);
  file.description = json_text(meta);
  return file;
}

void save_run(const Run& run, const std::filesystem::path& path) {
  save_run(record_of(run), path);
}

void save_run(const RunRecord& record, const std::filesystem::path& path) {
  RecordFile file = file_of(record);
  const std::vector<StoredTensor>& data = record.task->tensors();
  file.tensors.insert(file.tensors.end(), data.begin(), data.end());
  write_safetensors(path, std::move(file.tensors), {{"format", "pt"}, {"xlab", file.description}});
}

std::unique_ptr<Run> load_run(const std::filesystem::path& path) {
  return load_run(read_safetensors(path));
}

std::unique_ptr<Run> load_run(const SafetensorsFile& file, const SharedData& data) {
  const auto found = file.metadata().find("xlab");
  check(found != file.metadata().end(),
        "'{}' holds tensors but no run: it was not saved by xLSTM Lab.", file.name());
  const json meta = parse_json(found->second, fmt::format("The run in '{}'", file.name()));
  try {
    const int format = number_in<int>(meta, "format");
    check(format != kBenchFormat, "'{}' holds several runs, and it is not said which one is meant.",
          file.name());
    check(format == kRunFormat || format == kEditsFormat,
          "'{}' has run format {}, but this version reads formats {} and {}: open it with a newer "
          "version.",
          file.name(), format, kRunFormat, kEditsFormat);
    const ModelSpec model = model_spec_from_json(json_text(meta.at("model")));
    refuse_series(model);
    const TrainSpec train = train_spec_from_json(json_text(meta.at("train")));
    const auto step = number_in<std::int64_t>(meta, "step", 0, kMostSteps);
    // Before any memory is asked for: the file itself must hold the model that it describes.
    validate(model);
    const std::vector<ParamInfo> infos = Model::parameters_of(model);
    const TensorsInMemory source(file);
    find_parameters(infos, source, "p/");
    if (step > 0) {
      find_parameters(infos, source, "m/");
      find_parameters(infos, source, "v/");
    }
    auto run = std::make_unique<Run>();
    run->task =
        data.task ? data.task : stored_task(meta, data.file ? *data.file : file, model.vocab_size);
    run_parts(*run, std::make_unique<Model>(model), train);
    load_parameters(*run->model, file, "p/");
    if (step > 0) {
      load_moments(*run->trainer, run->model->params(), file);
      run->trainer->resume_at(step);
    }
    // Runs that do not say it have their weights from here, unless there is nothing to learn from.
    run->came_with_weights = meta.value("came_with_weights", !run->task->has_data());
    run->name = meta.value("name", std::string());
    check(run->name.size() <= Run::kMostNameBytes && !find_invalid_utf8(run->name),
          "the name of the run is no text, or too long.");
    run->seconds = number_in<double>(meta, "seconds", 0, kMostSeconds);
    run->trainer->learning_rate_scale =
        number_in<double>(meta, "learning_rate_scale", 0, kMostScale);
    if (meta.contains("last_step")) {
      const json& last = meta.at("last_step");
      run->last_step.accuracy = number_in<double>(last, "accuracy", 0, 1);
      run->last_step.gradient_norm = number_in<double>(last, "gradient_norm", 0);
    }
    if (file.contains("c/step")) {
      const auto steps = file.values_as<std::int64_t>("c/step");
      const auto losses = file.values_as<float>("c/loss");
      const auto smoothed = file.values_as<float>("c/smoothed");
      check(losses.size() == steps.size() && smoothed.size() == steps.size(),
            "'{}': the parts of the loss curve have different lengths.", file.name());
      for (std::size_t i = 0; i < steps.size(); ++i)
        run->losses.push_back({steps[i], losses[i], smoothed[i]});
    }
    restore_session(*run, meta.at("session"));
    run->screen = screen_of(meta);
    if (const auto history = meta.find("history"); history != meta.end())
      run->history = history->is_string() ? history->get<std::string>() : history->dump();
    return run;
  } catch (const json::exception& e) {
    // The library's words after its own "[json.exception...] ".
    const std::string_view what = e.what();
    throw Error(fmt::format("'{}' holds a run description that cannot be read: {}.", file.name(),
                            printable(what.substr(what.find("] ") + 2), 200)));
  }
}

std::string why_not_trained(const Run& run) {
  if (!run.model->params().trainable()) return only_read(*run.model);
  if (!run.task->has_data()) return run.task->why_nothing_to_learn();
  return {};
}

std::string why_not_saved(const Run& run) {
  if (run.model->params().trainable()) return {};
  if (run.model->spec().series)
    return "A forecast is not saved as a run: the model is only read. Open its folder and the "
           "series "
           "again.";
  if (held_in_blocks(run.model->params()))
    return "A model whose weights are held in fewer bits cannot be saved as a run: it is only "
           "read. "
           "Its weights are those of the folder it came from, rounded.";
  return "This model is too large to be saved as a run: it is only read. Its weights are those of "
         "the folder it came from.";
}

std::string why_no_samples(const Run& run) {
  if (run.task->has_data()) return {};
  return "This model came without data: there are no samples to take. Write a prompt instead.";
}

std::vector<int> prompt_tokens(const Run& run, const std::string& text) {
  std::vector<int> tokens = run.task->encode(text);
  const ModelSpec& spec = run.model->spec();
  if (!spec.large || !spec.large->force_bos_token_insert) return tokens;
  const int first = spec.large->bos_token_id;
  if (first < spec.vocab_size && (tokens.empty() || tokens.front() != first))
    tokens.insert(tokens.begin(), first);
  return tokens;
}

std::shared_ptr<const ModelCard> model_card(const Run& run) {
  auto card = std::make_shared<ModelCard>();
  const ModelSpec& spec = run.model->spec();
  card->name = title_of(spec);
  card->spec_json = to_json(spec);
  for (const ParamInfo& info : run.model->params().infos())
    card->parameters += info.shape.elements();
  card->embedding_dim = spec.embedding_dim;
  card->context_length = spec.context_length;
  card->blocks = run.model->cards();
  card->vocabulary = run.task->vocabulary();
  // A model may know more tokens than its task uses.
  for (int token = static_cast<int>(card->vocabulary.size()); token < spec.tokens(); ++token)
    card->vocabulary.push_back(fmt::format("<{}>", token));
  WritableTokens tokens = writable_tokens(*run.task, spec);
  card->writable = std::move(tokens.writable);
  card->ends = std::move(tokens.ends);
  card->came_with_weights = run.came_with_weights;
  card->was_read = run.was_read;
  return card;
}

std::shared_ptr<const DataCard> data_card(const Run& run) {
  constexpr int kExamples = 10, kLongest = 40;
  auto card = std::make_shared<DataCard>();
  card->task = run.task->name();
  card->title = run.task->title();
  card->description = run.task->description();
  card->must_remember = run.task->must_remember();
  const auto tokenizer = run.task->tokenizer();
  card->tokens_are_text = tokenizer && tokenizer->between().empty();
  if (const TextData* text = run.task->text()) {
    card->length = static_cast<std::int64_t>(text->ids.size());
    card->unit = text->tokenizer->kind() == "bpe" ? "tokens" : text->tokenizer->kind();
    card->tokenizer = tokenizer_label(*text);
  }
  if (const ReadSeries* series = run.task->series()) card->series = series->card;
  if (run.task->has_data())
    card->examples = example_rows(*run.task, run.trainer->spec(), kExamples,
                                  std::min(run.trainer->spec().sequence_length, kLongest));
  return card;
}

}  // namespace xlab
