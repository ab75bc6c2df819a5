// The stories of the gate explorer: what is held, and what can be seen. Each sentence says what
// tests/core_explorer_test.cpp computes.
#include <cmath>
#include <cstddef>

#include "core/explorer.hpp"

namespace xlab::explorer {
namespace {

constexpr std::size_t kLength = kSteps;

std::vector<float> flat(float value) {
  return std::vector<float>(kLength, value);
}

/// z for what is written: tanh(z) is that.
float writing(double what) {
  return static_cast<float>(std::atanh(what));
}

/// Nothing is written, all is kept, everything may leave, and all is about one item.
Story quiet(const char* name, const char* title, const char* look) {
  return {.name = name,
          .title = title,
          .look = look,
          .i = flat(kShut),
          .f = flat(kOpen),
          .z = flat(0.0f),
          .o = flat(kOpen),
          .item = std::vector<int>(kLength, 0),
          .asked = std::vector<int>(kLength, 0)};
}

void write(Story& story, std::size_t step, double what, float input, int item = 0) {
  story.i[step] = input;
  story.z[step] = writing(what);
  story.item[step] = item;
}

Story remember() {
  Story story = quiet("remember", "Remember",
                      "0.8 is written at step 5, then the input gate stays shut and the forget "
                      "gate open: 18 steps later every cell still holds what it wrote.");
  story.f = flat(8.0f);
  write(story, 5, 0.8, 3.0f);
  return story;
}

Story overwrite() {
  Story story = quiet("overwrite", "Overwrite",
                      "At step 12 the forget gate shuts for one step while −0.5 is written: 0.8 is "
                      "gone from every cell, and only −0.5 is left.");
  write(story, 4, 0.8, 3.0f);
  write(story, 12, -0.5, 3.0f);
  story.f[12] = kShut;
  return story;
}

Story slow_leak() {
  Story story = quiet("slow leak", "Slow leak",
                      "The forget gate stands at 3, σ(3) = 0.953: every 14.3 steps half of the "
                      "cell is gone. The LSTM fades; with a normalizer that leaks as fast, the "
                      "answers of the other two stay at 0.8.");
  story.f = flat(3.0f);
  write(story, 5, 0.8, 3.0f);
  return story;
}

Story diluted() {
  Story story = quiet("diluted", "Diluted",
                      "The same leak, but the input gate is open at every step: what was written "
                      "at step 5 is 18.8 % of the average then, and 3.9 % at step 19. To forget, "
                      "something else must be written.");
  story.f = flat(3.0f);
  story.i = flat(0.0f);
  write(story, 5, 0.8, 0.0f);
  return story;
}

Story change_your_mind() {
  Story story = quiet("change your mind", "Change your mind",
                      "0.8 at step 4, then −0.8 with an input gate that is 4.6 higher: the "
                      "exponential gate gives it 1 / (1 + exp(−4.6)) = 99 % of the average. The "
                      "LSTM adds at most 1, and is left with nearly nothing.");
  write(story, 4, 0.8, 3.0f);
  write(story, 12, -0.8, 7.6f);
  return story;
}

Story saturation() {
  Story story = quiet("saturation", "Saturation",
                      "Every fourth step another item is written, 0.8 and −0.8 in turn, each with "
                      "2 more at the input gate. σ(i) is stuck at 1, so the LSTM goes up and down "
                      "for ever; exp(i) gives the newest item 86 % of the average each time.");
  for (std::size_t write_number = 0; write_number < 6; ++write_number)
    write(story, 2 + 4 * write_number, write_number % 2 == 0 ? 0.8 : -0.8,
          2.0f * static_cast<float>(write_number));
  return story;
}

Story two_items() {
  Story story = quiet("two items", "Two items",
                      "0.8 is written under one key, −0.5 under another. A unit has one number "
                      "and mixes the two; the matrix answers for the key that is asked for: "
                      "the first from step 15 on, the second from step 19 on.");
  write(story, 4, 0.8, 3.0f, 0);
  write(story, 10, -0.5, 3.0f, 1);
  for (std::size_t step = 10; step < kLength; ++step) story.asked[step] = step < 15 ? 1 : 0;
  for (std::size_t step = 19; step < kLength; ++step) story.asked[step] = 1;
  return story;
}

/// The input gate climbs by 0.1 a step; what was before is dropped at every step, so that a single
/// exponential decides.
Story overflow(const char* name, const char* title, const char* look, double first,
               NumberFormat format) {
  Story story = quiet(name, title, look);
  for (std::size_t step = 0; step < kLength; ++step)
    write(story, step, 0.8, static_cast<float>(first + 0.1 * static_cast<double>(step)));
  story.f = flat(kShut);
  story.stabilizer = false;
  story.format = format;
  return story;
}

}  // namespace

const std::vector<Story>& stories() {
  static const std::vector<Story> all = {
      remember(),
      overwrite(),
      slow_leak(),
      diluted(),
      change_your_mind(),
      saturation(),
      two_items(),
      overflow("overflow", "Overflow",
               "The stabilizer is off. The input gate climbs by 0.1 a step: exp(88.7) at step 11 "
               "is still a float32, exp(88.8) at step 12 is not, and every answer from there on "
               "is no number. The LSTM does not notice.",
               87.6, NumberFormat::fp32),
      overflow("overflow in fp16", "Overflow in fp16",
               "The same in 16 bits: exp(11) at step 11 is a number there, exp(11.1) at step 12 "
               "is none; the limit is 11.09.",
               9.9, NumberFormat::fp16)};
  return all;
}

}  // namespace xlab::explorer
