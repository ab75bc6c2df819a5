// What a view drew, in words and numbers, so that a drawing can be held against its snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ui/colour.hpp"
#include "ui/paint.hpp"
#include "ui/plot.hpp"

namespace xlab::ui {

/// Kept by whoever draws a scene with one (`Scene::log`); a window draws without. Everything is
/// listed in the order in which it was drawn; `order` counts over all lists together, so that one
/// can tell what lies on top. Places are pixels of the canvas.
struct DrawLog {
  struct Text {
    std::string shown;   ///< as drawn
    std::string wanted;  ///< before it was shortened to its room
    Box box;             ///< what the letters cover
    Box clip;            ///< nothing outside was drawn
    ImU32 colour = 0;
    Weight weight = Weight::regular;
    bool upwards = false;  ///< turned to read upwards
    bool on_top = false;   ///< on a hover card, above everything
    int order = 0;
    float ascent = 0.0f;  ///< from the top of the letters to the line they stand on
  };
  struct Fill {
    Box box, clip;
    ImU32 colour = 0;
    bool on_top = false;
    int order = 0;
    float rounding = 0.0f;
    bool listed = false;  ///< what it stands for is listed as other shapes too
  };
  struct Outline {
    Box box, clip;
    ImU32 colour = 0;
    int order = 0;
    float width = 1.0f, rounding = 0.0f;
  };
  /// A filled shape without dents.
  struct Polygon {
    std::vector<ImVec2> points;
    ImU32 colour = 0;
    Box clip;
    int order = 0;
  };
  struct Circle {
    ImVec2 centre;
    float radius = 0.0f;
    ImU32 colour = 0;
    float width = 0.0f;  ///< of the line; 0: filled
    Box clip;
    int order = 0;
  };
  /// Points in pixels, as given to `Painter::curve` or `Painter::line`.
  struct Line {
    std::vector<ImVec2> points;
    Stroke stroke;
    Box clip;
    int order = 0;
  };
  /// Values against an axis, as given to `draw_curve`.
  struct Curve {
    Box box;
    Axis axis;
    std::vector<float> xs;  ///< pixels
    std::vector<float> ys;  ///< values
    Stroke stroke;
    Box clip;  ///< of what the box stands in
    int order = 0;
  };
  /// A heat map: (rows, columns) values, first row on top, and the colours they got.
  struct Heat {
    std::string key;
    Box box;
    std::vector<float> values;
    int rows = 0, columns = 0;
    MapName map = MapName::signed_values;
    double low = 0.0, high = 0.0;
    int width = 0, height = 0;  ///< of `pixels`
    std::vector<std::uint32_t> pixels;
    int order = 0;
    Box clip = {{-1e9f, -1e9f}, {1e9f, 1e9f}};
  };
  struct Hatch {
    Box box;
    int order = 0;
    bool listed = false;  ///< its lines are listed too
    Box clip = {{-1e9f, -1e9f}, {1e9f, 1e9f}};
  };

  std::vector<Text> texts;
  std::vector<Fill> fills;
  std::vector<Outline> outlines;
  std::vector<Line> lines;
  std::vector<Curve> curves;
  std::vector<Heat> heats;
  std::vector<Hatch> hatches;
  std::vector<Polygon> polygons;
  std::vector<Circle> circles;
  int drawn = 0;  ///< things drawn so far

  void clear() { *this = {}; }
};

}  // namespace xlab::ui
