// The recurrent matrix of one head, a map for each gate: rows are the units it writes to, columns
// those it reads from.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ui/heat.hpp"
#include "ui/mixing_frame.hpp"

namespace xlab::ui {

class MixingMaps {
 public:
  /// Draws the maps of the focused head and the legend of all of them. A click chooses the unit
  /// that is written to and the one that is read from.
  void draw(MixingFrame& frame, Painter& painter, Box rest);
  /// What the maps make of a box: the side of one of them, and the height that all of them and the
  /// legend take.
  struct Size {
    float side = 0.0f, height = 0.0f;
  };
  static Size size_in(const Painter& painter, Box box, int gates);
  /// Whether R of the head is nothing but zeros; known after `prepare`.
  bool all_zeros() const { return zeros_; }
  void prepare(const MixingFrame& frame);

 private:
  struct Key {
    std::shared_ptr<const MixingImage> image;
    std::shared_ptr<const Trace> trace;
    int head = -1, step = -1;
    bool products = false;
    bool operator==(const Key&) const = default;
  };
  struct Map {
    std::vector<float> values;  ///< (to, from)
    HeatPixels heat;
    int width = -1, height = -1;  ///< of the box that `heat` was made for
    PaletteName palette = PaletteName::light;
  };
  void draw_map(MixingFrame& frame, Painter& painter, int gate, const Box& box,
                const ColourScale& scale);
  void interact(MixingFrame& frame, Painter& painter, int gate, const Box& box);
  const HeatPixels& pixels(Map& map, int units, const Box& box, const Painter& painter,
                           const ColourScale& scale) const;

  Key key_;
  std::vector<Map> maps_;
  double largest_ = 0.0;
  Outside outside_;
  bool zeros_ = false;
};

}  // namespace xlab::ui
