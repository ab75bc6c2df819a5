// Joins Qt and Dear ImGui: a widget that shows what a draw function draws with ImGui.
#pragma once

#include <imgui.h>

#include <QElapsedTimer>
#include <QImage>
#include <QTimer>
#include <QWidget>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "ui/colour.hpp"
#include "ui/image.hpp"
#include "ui/stops.hpp"

namespace xlab::app {

class Presenter;
struct FontAtlas;
struct Frame;

/// Who turns triangles into pixels.
enum class CanvasKind { gl, software };

/// What OpenGL is like here.
struct GlProbe {
  bool usable = false;
  bool on_cpu = false;   ///< the renderer is Mesa's software rasteriser
  std::string renderer;  ///< its name
  std::string problem;   ///< why it is not usable
};

/// Tries OpenGL without making a window. Needs a QGuiApplication. A QOpenGLWidget must not be made
/// when this says no: Qt 6.4 crashes then.
GlProbe probe_gl();

/// Everything a canvas is painted with besides its contents.
struct CanvasLook {
  ui::PaletteName palette = ui::PaletteName::light;
  float scale = 1.0f;  ///< size of text and lines on the screen, 1 = 100 %
};

/// A drawing surface with its own ImGui context. Draws only when something changed: three frames
/// after an event or `refresh`, because ImGui settles hovering and sizes late, then none. Works in
/// device pixels: the draw function gets the size of the surface in them and a scale that contains
/// the density of the screen, so that text and lines are crisp on every screen. Mouse and wheel go
/// to ImGui, keys stay with Qt, but for Tab and what presses and turns the control it has reached.
/// GUI thread only, as everything that touches ImGui.
class Canvas : public QWidget {
  Q_OBJECT

 public:
  /// Called inside an ImGui window that covers the canvas.
  using Draw = std::function<void(ui::Images& images, ImVec2 size, float scale)>;

  Canvas(CanvasKind kind, Draw draw, QWidget* parent = nullptr);
  ~Canvas() override;

  void set_look(const CanvasLook& look);
  /// Keeps drawing, thirty frames a second at most, until switched off.
  void set_animating(bool animating);
  /// Asks for a redraw; `settle` frames follow each other until things are at rest.
  void refresh(int settle = 3);
  /// Whether any part is on the screen: behind a tab a widget counts as visible and is never
  /// painted.
  bool seen() const;
  /// Whether a canvas that is seen still has frames to draw.
  bool busy() const;
  /// The controls in the drawing, as the keyboard goes through them; for the draw function.
  ui::Stops& stops() { return stops_; }
  /// Whether this key is for the control that has been reached, not for the window.
  bool needs(int key) const;
  /// Time the last frame took to make and to paint, in milliseconds.
  double frame_ms() const { return frame_ms_; }
  /// Frames drawn so far.
  std::uint64_t frames() const { return frames_; }

  QSize sizeHint() const override { return {360, 240}; }
  QSize minimumSizeHint() const override { return {80, 60}; }

  /// The same drawing as a picture of `size` logical pixels with `density` pixels each, made by the
  /// CPU. Needs no window; the mouse is elsewhere.
  static QImage picture(const Draw& draw, QSize size, const CanvasLook& look, double density = 1.0);

 signals:
  /// A frame was drawn.
  void drawn();
  /// The mouse left the canvas.
  void left();
  /// The canvas was reached by the keyboard, or is no longer.
  void reached(bool by_keyboard);

 protected:
  bool eventFilter(QObject* object, QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  bool focusNextPrevChild(bool next) override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;

 private:
  struct Input {
    enum class Kind { move, button, wheel } kind;
    ImVec2 value;  ///< position or wheel steps
    int button = 0;
    bool down = false;
    Qt::KeyboardModifiers modifiers;
  };
  Frame make_frame(int width, int height);
  void frame_done();
  void queue(const Input& input);
  void feed_inputs();
  void put_mouse_away();

  Draw draw_;
  CanvasLook look_;
  ImGuiContext* context_;
  std::shared_ptr<FontAtlas> fonts_;
  Presenter* presenter_;
  std::deque<Input> inputs_;
  ui::Stops stops_;
  QTimer timer_;
  QElapsedTimer clock_;
  std::int64_t last_frame_ns_ = 0;
  int pending_ = 0;
  bool urgent_ = true;
  bool animating_ = false;
  double frame_ms_ = 0.0;
  std::uint64_t frames_ = 0;
};

}  // namespace xlab::app
