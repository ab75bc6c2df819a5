// Which docks each room shows, where they stand and how large: as data.
#pragma once

#include <QString>
#include <Qt>
#include <optional>
#include <vector>

namespace xlab::app {

/// The rooms of the window: what a person is at.
enum class Room { explore, train, generate };
constexpr int kRooms = 3;
/// As settings and files name them.
QString name_of(Room room);
/// Nothing when no room has that name.
std::optional<Room> room_named(const QString& name);

/// Arrangements of the first room, each about one thing; the first one is how it opens.
enum class Perspective { memory, stabilizer, faces, budget, map, mixing, explorer };
constexpr int kPerspectives = 7;
/// As settings and files name them.
QString name_of(Perspective perspective);
/// Nothing when none has that name.
std::optional<Perspective> perspective_named(const QString& name);

/// Where a dock stands; `beside` was placed before. A dock that no room places stands behind its
/// neighbour (`ui::View::neighbour`).
struct DockPlace {
  enum class How { first, right_of, below, behind };
  QString dock;  ///< name of a view or of a panel: "gates", "trainer"
  How how = How::first;
  QString beside;
};

/// What a part of a row or column is measured by.
enum class Measure {
  time_bar,        ///< the height that the time bar needs
  forms,           ///< the width that the room's forms need
  of_height,       ///< percent of the docks'
  beside_forms,    ///< percent of the width that the forms leave
  below_time_bar,  ///< percent of the height that the time bar leaves
};
struct DockSize {
  QString dock;
  Measure measure;
  int percent = 100;
};
/// Docks side by side or one below the other, with their sizes.
struct DockRow {
  Qt::Orientation direction;
  std::vector<DockSize> sizes;
};

struct RoomLayout {
  std::vector<DockPlace> places;
  std::vector<QString> shown;     ///< the others are there to be shown
  std::vector<QString> in_front;  ///< of those that share a place
  std::vector<DockRow> rows;
  /// The forms whose longest row must fit, and their least width in percent of the window's.
  std::vector<QString> forms;
  int forms_percent = 0;
  /// A panel that would like more, and may have it up to this share.
  QString wide_form;
  int wide_form_percent = 0;
  /// Where there is less room: two columns of tabs below the time bar, which is one of the tabs on
  /// the right, or on the left of the first room, where there is very little.
  std::vector<QString> left, right;
  std::vector<QString> columns_in_front;
  bool time_bar_left = false;
};

/// The perspective counts in the first room alone.
const RoomLayout& layout_of(Room room, Perspective perspective);

}  // namespace xlab::app
