// Which docks each room shows, where they stand and how large.
#include "app/layouts.hpp"

#include <cstddef>

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
                 {"stabilizer", behind, "gates"},
                 {"map", behind, "stabilizer"},
                 {"mixing", behind, "map"},
                 {"faces", behind, "memory"},
                 {"budget", behind, "faces"},
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
      .left = {"gates", "stabilizer", "map", "mixing", "inspector", "health", "loss"},
      .right = {"memory", "faces", "budget", "next", "prompt", "model", "task", "trainer", "runs",
                "text"},
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

/// Docks below one another, with their share of the height below the time bar.
struct Column {
  struct Part {
    QString dock;
    int percent;
    std::vector<QString> behind = {};
  };
  std::vector<Part> parts;
  int percent = 0;  ///< of the width that the last column leaves; that one is as wide as forms are
};

/// Columns below the time bar, the first of which is what the perspective is about.
RoomLayout columns_of(const std::vector<Column>& columns, int last_percent) {
  RoomLayout layout;
  layout.places = {{"time"}};
  layout.shown = {"time"};
  layout.forms_percent = last_percent;
  layout.time_bar_left = true;
  DockRow across{Qt::Horizontal, {}};
  const QString first = columns.front().parts.front().dock;
  QString before;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const bool last = c + 1 == columns.size();
    const QString top = columns[c].parts.front().dock;
    DockRow down{Qt::Vertical, {}};
    QString above;
    for (const Column::Part& part : columns[c].parts) {
      if (above.isEmpty()) {
        layout.places.push_back(c == 0 ? DockPlace{part.dock, below, "time"}
                                       : DockPlace{part.dock, right_of, before});
      } else {
        layout.places.push_back({part.dock, below, above});
      }
      above = part.dock;
      layout.shown.push_back(part.dock);
      layout.in_front.push_back(part.dock);
      down.sizes.push_back({part.dock, below_time_bar, part.percent});
    }
    for (const Column::Part& part : columns[c].parts) {
      std::vector<QString>& tabs = last ? layout.right : layout.left;
      tabs.push_back(part.dock);
      tabs.insert(tabs.end(), part.behind.begin(), part.behind.end());
    }
    across.sizes.push_back({top, last ? forms : beside_forms, columns[c].percent});
    if (down.sizes.size() > 1) layout.rows.push_back(down);
    before = top;
  }
  layout.rows.insert(layout.rows.begin(),
                     {{Qt::Vertical, {{"time", time_bar}, {first, below_time_bar}}}, across});
  // Last: beside a dock that has tabs already, Qt would make another tab instead of a column.
  for (const Column& column : columns) {
    for (const Column::Part& part : column.parts) {
      QString in_front = part.dock;
      for (const QString& other : part.behind) {
        layout.places.push_back({other, behind, in_front});
        in_front = other;
      }
    }
  }
  layout.columns_in_front = {layout.left.front(), layout.right.front()};
  return layout;
}

const std::vector<QString> kForms = {"prompt", "model", "task", "trainer", "runs", "text"};

RoomLayout stabilizer() {
  RoomLayout layout =
      columns_of({{{{"stabilizer",
                     100,
                     {"gates", "mixing", "faces", "memory", "budget", "map", "loss", "health"}}},
                   100},
                  {{{"model", 55, {"prompt", "task", "trainer", "runs", "text"}},
                    {"inspector", 45, {"next"}}}}},
                 25);
  layout.forms = {"model"};
  return layout;
}

RoomLayout faces() {
  return columns_of(
      {{{{"faces",
          100,
          {"gates", "mixing", "memory", "stabilizer", "budget", "map", "loss", "health"}}},
        100},
       {{{"inspector", 55}, {"next", 45, kForms}}}},
      25);
}

RoomLayout budget() {
  return columns_of({{{{"budget", 100, {"memory", "faces", "map", "loss", "health"}}}, 60},
                     {{{"gates", 100, {"stabilizer", "mixing"}}}, 40},
                     {{{"inspector", 55}, {"next", 45, kForms}}}},
                    25);
}

RoomLayout map() {
  return columns_of({{{{"map", 100, {"loss", "health"}}}, 30},
                     {{{"gates", 100, {"stabilizer", "mixing"}}}, 37},
                     {{{"memory", 100, {"faces", "budget"}}}, 33},
                     {{{"inspector", 55}, {"next", 45, kForms}}}},
                    23);
}

RoomLayout mixing() {
  return columns_of({{{{"mixing", 100, {"map", "loss", "health"}}}, 62},
                     {{{"gates", 100, {"stabilizer", "memory", "faces", "budget"}}}, 38},
                     {{{"inspector", 55}, {"next", 45, kForms}}}},
                    25);
}

/// What is drawn by hand, and what three cells make of it.
RoomLayout explorer() {
  RoomLayout layout = columns_of(
      {{{{"explorer", 100, {"gates", "memory", "faces", "budget", "stabilizer", "map", "health"}}},
        100},
       {{{"inspector", 60}, {"model", 40, {"prompt", "task", "runs", "text"}}}}},
      23);
  layout.forms = {"model"};
  return layout;
}

struct NamedPerspective {
  const char* name;
  RoomLayout (*layout)();
};
constexpr NamedPerspective kAllPerspectives[kPerspectives] = {
    {"memory", explore}, {"stabilizer", stabilizer}, {"faces", faces},      {"budget", budget},
    {"map", map},        {"mixing", mixing},         {"explorer", explorer}};

}  // namespace

QString name_of(Perspective perspective) {
  return kAllPerspectives[static_cast<int>(perspective)].name;
}

std::optional<Perspective> perspective_named(const QString& name) {
  for (int one = 0; one < kPerspectives; ++one)
    if (name_of(static_cast<Perspective>(one)) == name) return static_cast<Perspective>(one);
  return {};
}

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

const RoomLayout& layout_of(Room room, Perspective perspective) {
  static const std::vector<RoomLayout> perspectives = [] {
    std::vector<RoomLayout> all;
    for (const NamedPerspective& one : kAllPerspectives) all.push_back(one.layout());
    return all;
  }();
  static const RoomLayout others[kRooms - 1] = {train(), generate()};
  if (room == Room::explore) return perspectives[static_cast<std::size_t>(perspective)];
  return others[static_cast<int>(room) - 1];
}

}  // namespace xlab::app
