// The first scene: a trained model plays a sequence, and one sentence invites the first drag.
#pragma once

#include <QObject>

#include "app/stage.hpp"

namespace xlab::app {

class FirstRun : public QObject {
  Q_OBJECT

 public:
  explicit FirstRun(Stage& stage, QObject* parent = nullptr);

  /// Opens the preset (without one in the resources: a new recall run) and plays it once; may be
  /// called again for the way back.
  void begin();
  /// Goes to the end of the sequence at once.
  void skip();
  bool begun() const { return state_ != State::idle; }
  /// Whether the sequence was played and the sentence stands or has been answered.
  bool finished() const { return state_ == State::hinting || state_ == State::done; }

 private:
  enum class State { idle, opening, playing, hinting, done };
  void open_new();
  void play();
  void follow_snapshot();
  void end();

  Stage& stage_;
  State state_ = State::idle;
  bool preset_asked_ = false;  ///< a failure means that the preset cannot be read
  std::uint64_t run_before_ = 0;
  std::uint64_t run_ = 0;
};

}  // namespace xlab::app
