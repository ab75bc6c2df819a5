// Commands in words, so that a table can name them and a failure can be read.
#pragma once

#include <cxxabi.h>

#include <QString>
#include <QStringList>
#include <algorithm>
#include <cstdlib>
#include <string>
#include <typeinfo>
#include <variant>
#include <vector>

#include "core/command.hpp"

namespace xlab::tests {

/// "SetCursor 3", "NewRun recall", "SetClamp block0/mlstm/forget_gate_pre head 1 unit 0 3..5 =
/// -2.5". Of a kind without words of its own only the name.
inline QString words_of_command(const Command& command) {
  using namespace command;
  const auto name = [&] {
    return std::visit(
        [](const auto& c) {
          int status = 0;
          char* text = abi::__cxa_demangle(typeid(c).name(), nullptr, nullptr, &status);
          const QString full = QString::fromLatin1(text);
          std::free(text);
          return full.section("::", -1);
        },
        command);
  }();
  const auto with = [&](const QString& rest) { return rest.isEmpty() ? name : name + " " + rest; };
  const auto words = [](const std::string& text) { return QString::fromStdString(text); };
  const auto clamp = [&](const Clamp& c) {
    const char* change = c.change == Change::add ? "+=" : c.change == Change::scale ? "*=" : "=";
    return QString("%1 head %2 unit %3 %4..%5 %8 %6%7")
        .arg(words(c.path))
        .arg(c.head)
        .arg(c.unit)
        .arg(c.begin)
        .arg(c.end)
        .arg(static_cast<double>(c.value))
        .arg(c.enabled ? "" : " off")
        .arg(change);
  };
  const auto beside = [](const auto& c) { return QString(c.beside ? " beside" : ""); };
  if (const auto* c = std::get_if<OpenRun>(&command))
    return with((c->bytes ? "bytes" : words(c->path)) + beside(*c));
  if (const auto* c = std::get_if<OpenText>(&command)) {
    return with((words(c->path) +
                 (c->tokenizer == "characters" ? "" : " by " + words(c->tokenizer)) +
                 (c->from_model ? " from the model" : "") + beside(*c))
                    .trimmed());
  }
  if (const auto* c = std::get_if<OpenFolder>(&command)) return with(words(c->path) + beside(*c));
  if (const auto* c = std::get_if<ExportFolder>(&command)) return with(words(c->path));
  if (const auto* c = std::get_if<NewRun>(&command))
    return with(words(c->task) + (c->from_model ? " from the model" : "") + beside(*c));
  if (const auto* c = std::get_if<UseDevice>(&command)) return with(words(c->id));
  if (const auto* c = std::get_if<FocusRun>(&command)) return with(QString::number(c->run));
  if (const auto* c = std::get_if<RemoveRun>(&command)) return with(QString::number(c->run));
  if (const auto* c = std::get_if<DuplicateRun>(&command))
    return with(QString::number(c->run) + (c->other_seed ? " with another seed" : ""));
  if (const auto* c = std::get_if<RenameRun>(&command))
    return with(QString::number(c->run) + " " + words(c->name));
  if (const auto* c = std::get_if<TrainRun>(&command))
    return with(QString::number(c->run) + (c->on ? " on" : " off"));
  if (const auto* c = std::get_if<TrainAll>(&command)) return with(c->on ? "on" : "off");
  if (const auto* c = std::get_if<FollowSequence>(&command))
    return with(QString::number(c->run) + (c->on ? " on" : " off"));
  if (const auto* c = std::get_if<ShowCurve>(&command))
    return with(QString::number(c->run) + (c->shown ? " on" : " off"));
  if (const auto* c = std::get_if<Save>(&command)) return with(words(c->path));
  if (const auto* c = std::get_if<SaveBench>(&command)) return with(words(c->path));
  if (const auto* c = std::get_if<SetLearningRateScale>(&command))
    return with(QString::number(c->scale, 'g', 6));
  if (const auto* c = std::get_if<SetStepLimit>(&command)) return with(QString::number(c->steps));
  if (const auto* c = std::get_if<SetPrompt>(&command)) return with(words(c->text));
  if (const auto* c = std::get_if<SetCursor>(&command)) return with(QString::number(c->step));
  if (const auto* c = std::get_if<SetPlaySpeed>(&command))
    return with(QString::number(c->tokens_per_second, 'g', 6));
  if (const auto* c = std::get_if<TakeToken>(&command)) return with(QString::number(c->token));
  if (const auto* c = std::get_if<Focus>(&command)) return with(QString::number(c->block));
  if (const auto* c = std::get_if<SetVariant>(&command)) {
    const CellVariant& v = c->variant;
    return with(QString("%1 i=%2 N=%3 f=%4 m=%5 floor=%6 scale=%7 eps=%8 cap=%9 %10")
                    .arg(words(c->kind), name_of(v.input_gate), v.normalizer ? "on" : "off",
                         name_of(v.forget_gate), v.stabilizer ? "on" : "off",
                         name_of(v.denominator_floor), name_of(v.scale))
                    .arg(v.eps)
                    .arg(v.gate_soft_cap)
                    .arg(name_of(v.number_format)));
  }
  if (const auto* c = std::get_if<SetClamp>(&command)) return with(clamp(c->clamp));
  if (const auto* c = std::get_if<AddClamps>(&command)) {
    if (c->clamps.empty()) return with("nothing");
    const QString more =
        c->clamps.size() > 1 ? QString(" and %1 more").arg(c->clamps.size() - 1) : "";
    return with(clamp(c->clamps[0]) + " as " + words(c->name) + more);
  }
  if (const auto* c = std::get_if<MoveClamp>(&command))
    return with(QString("%1 to %2").arg(c->index).arg(c->to));
  if (const auto* c = std::get_if<ReplaceClamp>(&command))
    return with(QString::number(c->index) + " " + clamp(c->clamp));
  if (const auto* c = std::get_if<RemoveClamp>(&command)) return with(QString::number(c->index));
  if (const auto* c = std::get_if<EnableClamp>(&command))
    return with(QString("%1 %2").arg(c->index).arg(c->enabled ? "on" : "off"));
  return name;
}

/// Without what the window says by itself: how it looks, before a run is saved; and when another
/// run opens, a check and the block shown.
inline QStringList words_of_commands(const std::vector<Command>& commands) {
  QStringList words;
  bool opened = false;
  for (const Command& command : commands) {
    opened = opened || std::holds_alternative<command::Selfcheck>(command);
    if (std::holds_alternative<command::Selfcheck>(command)) continue;
    if (std::holds_alternative<command::SetScreen>(command)) continue;
    words.append(words_of_command(command));
  }
  if (opened) {
    words.erase(std::remove_if(words.begin(), words.end(),
                               [](const QString& w) { return w.startsWith("Focus "); }),
                words.end());
  }
  return words;
}

}  // namespace xlab::tests
