// A view: a function from a snapshot and a focus to a drawing, and to a table of the same numbers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <imgui.h>

#include "core/command.hpp"
#include "core/snapshot.hpp"
#include "ui/colour.hpp"
#include "ui/focus.hpp"
#include "ui/image.hpp"
#include "ui/request.hpp"
#include "ui/table.hpp"

namespace xlab::ui {

struct DrawLog;
class Stops;

/// Everything a view may look at, and the two things it may change: the focus, and the engine by
/// commands. What it wants copied or shown it asks of the window.
struct Scene {
  const Snapshot& snapshot;
  Focus& focus;
  Images& images;
  const Palette& palette;
  std::function<void(Command)> send;
  float scale = 1.0f;      ///< size of text and lines, 1 = 100 %
  DrawLog* log = nullptr;  ///< where what is drawn is written down; null: nowhere
  Stops* stops = nullptr;  ///< how the keyboard reaches the controls; null: it does not
  /// A picture for a paper or a slide: nothing in it can be pressed, so no button is drawn. What a
  /// row of tabs has chosen is written as plain text.
  bool exporting = false;
  /// A table to look at lists about so many rows at most, those at the time cursor, and says so; 0:
  /// all there are.
  std::size_t most_rows = 0;
  /// Takes what only the window can do; empty: nobody does.
  std::function<void(const Request&)> ask = {};
};

/// One panel. Keeps its own folding and zoom, and what it says in `kept`.
class View {
 public:
  virtual ~View() = default;
  /// Short name without spaces, used in files and on the command line, e.g. "gates".
  virtual std::string name() const = 0;
  /// Title of the dock, e.g. "Gates".
  virtual std::string title() const = 0;
  /// The same with what is shown now.
  virtual std::string title_now(const Snapshot&) const { return title(); }
  /// Name of the view behind which it stands, as a tab that is shown when it is asked for, in every
  /// layout that does not name it.
  virtual std::string neighbour() const { return "inspector"; }
  /// Draws into the current ImGui window, filling `size` (logical pixels).
  virtual void draw(Scene& scene, ImVec2 size) = 0;
  /// The same numbers as text, full precision. They follow from the scene and from what `kept`
  /// says, so another view of the kind, on another thread, lists the same.
  virtual Table table(const Scene& scene) const = 0;
  /// Whether it says something in sentences, and these, one a line, to be copied as text.
  virtual bool has_sentences() const { return false; }
  virtual std::string sentences(const Scene&) const { return {}; }
  /// Smallest useful size in logical pixels at 100 %.
  virtual ImVec2 minimum_size() const { return {240, 120}; }
  /// What of the view is saved with a run, as a text of its own; empty: nothing.
  virtual std::string kept() const { return {}; }
  /// Shows what `kept` said when the run that has just been opened was saved. A text that is none
  /// of those, as from a stranger, changes nothing.
  virtual void restore(const std::string& /*kept*/) {}
  /// What has to be computed before it has anything to show, and has not been: whoever brings it on
  /// the screen sends that, once for each run. Nothing for views that draw what there is.
  virtual std::optional<Command> wants(const Snapshot&, const Focus&) const { return {}; }
  /// Whether the drawing moves by itself just now, so that it has to be drawn again and again.
  virtual bool animating(const Scene&) const { return false; }
};

/// Every view, in the order of the Window menu; view_list.hpp names them.
std::vector<std::unique_ptr<View>> make_views();

}  // namespace xlab::ui
