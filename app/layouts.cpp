// Which docks each room shows, where they stand and how large.
#include "app/layouts.hpp"

namespace xlab::app {
namespace {

using enum DockPlace::How;
using enum Measure;

// Places and rows are read in their order.
RoomLayout explore() {
  return {
      .places = {{"time"},
                 {"gates", below, "time"},
                 {"memory", right_of, "gates"},
                 {"next", right_of, "memory"},
                 {"inspector", below, "memory"},
                 {"prompt", below, "next"},
                 {"health", behind, "inspector"},
                 {"loss", behind, "health"},
                 {"model", behind, "prompt"},
                 {"task", behind, "model"},
                 {"trainer", behind, "task"},
                 {"runs", behind, "trainer"},
                 {"text", behind, "runs"}},
      .shown = {"time", "gates", "memory", "next", "inspector", "health", "prompt", "model"},
      .in_front = {"gates", "memory", "prompt", "inspector"},
      .rows = {{Qt::Vertical, {{"time", time_bar}, {"gates", below_time_bar}}},
               {Qt::Horizontal,
                {{"gates", beside_forms, 55}, {"memory", beside_forms, 45}, {"next", forms}}},
               {Qt::Vertical, {{"memory", below_time_bar, 53}, {"inspector", below_time_bar, 47}}},
               {Qt::Vertical, {{"next", below_time_bar, 53}, {"prompt", below_time_bar, 47}}}},
      .forms = {"prompt", "model"},
      .forms_percent = 24,
      .left = {"gates", "inspector", "health", "loss"},
      .right = {"memory", "next", "prompt", "model", "task", "trainer", "runs", "text"},
      .columns_in_front = {"gates", "memory"},
      .time_bar_left = true};
}

RoomLayout train() {
  return {
      .places = {{"trainer"},
                 {"time", right_of, "trainer"},
                 {"loss", below, "time"},
                 {"gates", below, "loss"},
                 {"memory", right_of, "gates"},
                 {"task", below, "trainer"},
                 {"next", right_of, "loss"},
                 {"runs", behind, "trainer"},
                 {"model", behind, "task"},
                 {"prompt", behind, "model"},
                 {"text", behind, "prompt"},
                 {"inspector", behind, "memory"},
                 {"health", behind, "inspector"}},
      .shown = {"trainer", "runs", "time", "loss", "gates", "memory", "next", "task", "model"},
      .in_front = {"trainer", "task", "memory"},
      .rows = {{Qt::Horizontal, {{"trainer", forms}, {"time", beside_forms}}},
               {Qt::Vertical,
                {{"time", time_bar}, {"loss", below_time_bar, 45}, {"gates", below_time_bar, 55}}},
               {Qt::Horizontal, {{"gates", beside_forms, 54}, {"memory", beside_forms, 46}}},
               {Qt::Horizontal, {{"loss", beside_forms, 68}, {"next", beside_forms, 32}}},
               {Qt::Vertical, {{"trainer", of_height, 52}, {"task", of_height, 48}}}},
      .forms = {"trainer", "task", "model"},
      .forms_percent = 26,
      // The step and the loss of a run stand beside its name.
      .wide_form = "runs",
      .wide_form_percent = 30,
      .left = {"trainer", "runs", "task", "model", "prompt", "text"},
      .right = {"loss", "gates", "memory", "next", "inspector", "health"},
      .columns_in_front = {"trainer", "loss"}};
}

RoomLayout generate() {
  return {
      .places = {{"text"},
                 {"time", right_of, "text"},
                 {"next", below, "time"},
                 {"memory", right_of, "next"},
                 {"inspector", below, "memory"},
                 {"prompt", below, "text"},
                 {"model", behind, "prompt"},
                 {"task", behind, "model"},
                 {"trainer", behind, "task"},
                 {"runs", behind, "trainer"},
                 {"gates", behind, "memory"},
                 {"loss", behind, "inspector"},
                 {"health", behind, "loss"}},
      .shown = {"text", "prompt", "time", "next", "memory", "inspector", "model"},
      .in_front = {"prompt"},
      .rows = {{Qt::Horizontal, {{"text", forms}, {"time", beside_forms}}},
               {Qt::Vertical, {{"time", time_bar}, {"next", below_time_bar}}},
               {Qt::Horizontal, {{"next", beside_forms, 45}, {"memory", beside_forms, 55}}},
               {Qt::Vertical, {{"memory", below_time_bar, 53}, {"inspector", below_time_bar, 47}}},
               {Qt::Vertical, {{"text", of_height, 48}, {"prompt", of_height, 52}}}},
      .forms = {"text", "prompt", "model"},
      .forms_percent = 27,
      .left = {"text", "prompt", "model", "task", "trainer", "runs"},
      .right = {"next", "memory", "inspector", "gates", "loss", "health"},
      .columns_in_front = {"text", "next"}};
}

}  // namespace

QString name_of(Room room) {
  switch (room) {
    case Room::explore:
      return "explore";
    case Room::train:
      return "train";
    case Room::generate:
      break;
  }
  return "generate";
}

std::optional<Room> room_named(const QString& name) {
  for (int room = 0; room < kRooms; ++room)
    if (name_of(static_cast<Room>(room)) == name) return static_cast<Room>(room);
  return {};
}

const RoomLayout& layout_of(Room room) {
  static const RoomLayout all[kRooms] = {explore(), train(), generate()};
  return all[static_cast<int>(room)];
}

}  // namespace xlab::app
