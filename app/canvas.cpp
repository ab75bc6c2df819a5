// Feeds Qt's events to ImGui, decides when a frame is due, and makes it.
#include "app/canvas.hpp"

#include <imgui.h>
#include <imgui_internal.h>

#include <QApplication>
#include <QCursor>
#include <QEvent>
#include <QFocusEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QWheelEvent>
#include <algorithm>
#include <cfloat>
#include <exception>

#include "app/canvas_fonts.hpp"
#include "app/canvas_presenter.hpp"

namespace xlab::app {
namespace {

constexpr int kAnimationMs = 33;

ImGuiContext* make_context(FontAtlas& fonts) {
  IMGUI_CHECKVERSION();
  ImGuiContext* before = ImGui::GetCurrentContext();
  ImGuiContext* context = ImGui::CreateContext(&fonts.atlas);
  ImGui::SetCurrentContext(context);
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;
  io.LogFilename = nullptr;
  io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset | ImGuiBackendFlags_HasMouseCursors;
  io.MousePos = ImVec2(-FLT_MAX, -FLT_MAX);
#if IMGUI_VERSION_NUM >= 18700
  io.ConfigInputTrickleEventQueue = false;
#endif
  ImGui::SetCurrentContext(before);
  return context;
}

/// Colours and sizes of ImGui's own parts, from the palette of the views.
void set_style(const ui::Palette& palette, float scale) {
  ImGuiStyle style;
  if (palette.name == ui::PaletteName::dark) {
    ImGui::StyleColorsDark(&style);
  } else {
    ImGui::StyleColorsLight(&style);
  }
  style.WindowPadding = ImVec2(0, 0);
  style.WindowBorderSize = 0;
  style.WindowRounding = 0;
  style.WindowMinSize = ImVec2(1, 1);
  style.FrameRounding = style.ChildRounding = style.PopupRounding = 4;
  style.GrabRounding = style.ScrollbarRounding = 4;
  style.ScrollbarSize = 11;
  // Lines and curves look the same on both surfaces when none is taken from a texture.
  style.AntiAliasedLinesUseTex = false;
  const auto colour = [&](ImGuiCol index, ImU32 value, float alpha = 1.0f) {
    ImVec4 c = ImGui::ColorConvertU32ToFloat4(value);
    c.w *= alpha;
    style.Colors[index] = c;
  };
  colour(ImGuiCol_Text, palette.text);
  colour(ImGuiCol_TextDisabled, palette.muted_text);
  colour(ImGuiCol_WindowBg, palette.background);
  colour(ImGuiCol_ChildBg, palette.background, 0.0f);
  colour(ImGuiCol_PopupBg, palette.panel);
  colour(ImGuiCol_Border, palette.grid);
  colour(ImGuiCol_Separator, palette.grid);
  colour(ImGuiCol_FrameBg, palette.grid, 0.45f);
  colour(ImGuiCol_FrameBgHovered, palette.accent, 0.25f);
  colour(ImGuiCol_FrameBgActive, palette.accent, 0.4f);
  colour(ImGuiCol_Button, palette.grid, 0.6f);
  colour(ImGuiCol_ButtonHovered, palette.accent, 0.3f);
  colour(ImGuiCol_ButtonActive, palette.accent, 0.5f);
  colour(ImGuiCol_Header, palette.accent, 0.2f);
  colour(ImGuiCol_HeaderHovered, palette.accent, 0.3f);
  colour(ImGuiCol_HeaderActive, palette.accent, 0.45f);
  colour(ImGuiCol_CheckMark, palette.accent);
  colour(ImGuiCol_SliderGrab, palette.accent, 0.8f);
  colour(ImGuiCol_SliderGrabActive, palette.accent);
  colour(ImGuiCol_ScrollbarBg, palette.background, 0.0f);
  colour(ImGuiCol_ScrollbarGrab, palette.muted_text, 0.35f);
  colour(ImGuiCol_ScrollbarGrabHovered, palette.muted_text, 0.55f);
  colour(ImGuiCol_ScrollbarGrabActive, palette.muted_text, 0.75f);
  style.ScaleAllSizes(scale);
  ImGui::GetStyle() = style;
}

/// One frame in the current context. A draw function that throws leaves its sentence in the canvas
/// instead of an open window behind.
const ImDrawData* draw_frame(const Canvas::Draw& draw, ui::Images& images, FontAtlas& fonts,
                             const ui::Palette& palette, float scale, ImVec2 size, float seconds) {
  ImGuiIO& io = ImGui::GetIO();
  io.Fonts = &fonts.atlas;
  io.DisplaySize = size;
  io.DisplayFramebufferScale = ImVec2(1, 1);
  io.DeltaTime = seconds;
  set_style(palette, scale);
  ImGui::NewFrame();
  ImGui::SetNextWindowPos(ImVec2(0, 0));
  ImGui::SetNextWindowSize(size);
  std::string failure;
  try {
    ImGui::Begin("canvas", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                     ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoBringToFrontOnFocus |
                     ImGuiWindowFlags_NoBackground | ImGuiWindowFlags_NoScrollWithMouse |
                     ImGuiWindowFlags_NoNav);
    draw(images, size, scale);
    ImGui::End();
  } catch (const std::exception& error) {
    failure = error.what();
    ImGui::ErrorCheckEndFrameRecover(nullptr, nullptr);
  }
  if (!failure.empty()) {
    ImGui::GetForegroundDrawList()->AddText(ImVec2(12 * scale, 12 * scale), palette.warning,
                                            failure.c_str());
  }
  ImGui::Render();
  return ImGui::GetDrawData();
}

int imgui_button(Qt::MouseButton button) {
  switch (button) {
    case Qt::LeftButton:
      return 0;
    case Qt::RightButton:
      return 1;
    case Qt::MiddleButton:
      return 2;
    default:
      return -1;
  }
}

void set_modifiers(ImGuiIO& io, Qt::KeyboardModifiers modifiers) {
#if IMGUI_VERSION_NUM >= 18700
  io.AddKeyEvent(ImGuiMod_Ctrl, modifiers.testFlag(Qt::ControlModifier));
  io.AddKeyEvent(ImGuiMod_Shift, modifiers.testFlag(Qt::ShiftModifier));
  io.AddKeyEvent(ImGuiMod_Alt, modifiers.testFlag(Qt::AltModifier));
#else
  io.KeyCtrl = modifiers.testFlag(Qt::ControlModifier);
  io.KeyShift = modifiers.testFlag(Qt::ShiftModifier);
  io.KeyAlt = modifiers.testFlag(Qt::AltModifier);
#endif
}

Qt::CursorShape qt_cursor(ImGuiMouseCursor cursor) {
  switch (cursor) {
    case ImGuiMouseCursor_Hand:
      return Qt::PointingHandCursor;
    case ImGuiMouseCursor_TextInput:
      return Qt::IBeamCursor;
    case ImGuiMouseCursor_ResizeNS:
      return Qt::SizeVerCursor;
    case ImGuiMouseCursor_ResizeEW:
      return Qt::SizeHorCursor;
    case ImGuiMouseCursor_ResizeAll:
      return Qt::SizeAllCursor;
    case ImGuiMouseCursor_NotAllowed:
      return Qt::ForbiddenCursor;
    default:
      return Qt::ArrowCursor;
  }
}

}  // namespace

Canvas::Canvas(CanvasKind kind, Draw draw, QWidget* parent)
    : QWidget(parent), draw_(std::move(draw)), fonts_(font_atlas(1.0f)), presenter_(nullptr) {
  context_ = make_context(*fonts_);
  FrameSource source{[this](int width, int height) { return make_frame(width, height); },
                     [this] { frame_done(); }};
  presenter_ = kind == CanvasKind::gl ? make_gl_presenter(this, std::move(source))
                                      : make_software_presenter(this, std::move(source));
  QWidget* surface = presenter_->widget();
  surface->setMouseTracking(true);
  surface->installEventFilter(this);
  // Keys are the window's; clicking a canvas takes them away from whatever control had them.
  setFocusPolicy(Qt::StrongFocus);
  surface->setFocusPolicy(Qt::NoFocus);
  surface->setFocusProxy(this);
  timer_.setSingleShot(true);
  connect(&timer_, &QTimer::timeout, this, [surface] { surface->update(); });
  clock_.start();
}

Canvas::~Canvas() {
  // A surface that goes away under the mouse is told that the mouse left.
  presenter_->widget()->removeEventFilter(this);
  delete presenter_->widget();
  ImGui::SetCurrentContext(context_);
  ImGui::DestroyContext(context_);
  ImGui::SetCurrentContext(nullptr);
}

void Canvas::set_look(const CanvasLook& look) {
  look_ = look;
  refresh();
}

void Canvas::set_animating(bool animating) {
  if (animating_ == animating) return;
  animating_ = animating;
  refresh(1);
}

void Canvas::refresh(int settle) {
  pending_ = std::max(pending_, settle);
  if (!timer_.isActive()) timer_.start(0);
}

bool Canvas::busy() const {
  return (pending_ > 0 || !inputs_.empty()) && seen();
}

bool Canvas::seen() const {
  const QWidget* surface = presenter_->widget();
  return surface->isVisible() && !surface->visibleRegion().isEmpty();
}

void Canvas::queue(const Input& input) {
  if (input.kind == Input::Kind::move && !inputs_.empty() &&
      inputs_.back().kind == Input::Kind::move) {
    inputs_.pop_back();
  }
  inputs_.push_back(input);
  pending_ = 3;
  urgent_ = true;
  timer_.start(0);
}

/// Feeds as many inputs as one frame can see without losing any: ImGui looks at the mouse once a
/// frame, so a second change of a button, a move after a change, or a release after a move waits.
void Canvas::feed_inputs() {
  ImGuiIO& io = ImGui::GetIO();
  bool moved = false, changed = false, wheeled = false;
  while (!inputs_.empty()) {
    const Input& input = inputs_.front();
    if (input.kind == Input::Kind::button && (changed || (moved && !input.down))) break;
    if (input.kind != Input::Kind::button && (changed || wheeled)) break;
    switch (input.kind) {
      case Input::Kind::move:
        io.MousePos = input.value;
        moved = true;
        break;
      case Input::Kind::button:
        io.MousePos = input.value;
        io.MouseDown[input.button] = input.down;
        changed = true;
        break;
      case Input::Kind::wheel:
        io.MouseWheelH += input.value.x;
        io.MouseWheel += input.value.y;
        wheeled = true;
        break;
    }
    set_modifiers(io, input.modifiers);
    inputs_.pop_front();
  }
}

Frame Canvas::make_frame(int width, int height) {
  const double density = presenter_->widget()->devicePixelRatioF();
  const float scale = look_.scale * static_cast<float>(density);
  fonts_ = font_atlas(scale);
  const std::int64_t now = clock_.nsecsElapsed();
  const float seconds = std::clamp(static_cast<float>(now - last_frame_ns_) * 1e-9f, 1e-4f, 0.25f);
  last_frame_ns_ = now;

  ImGui::SetCurrentContext(context_);
  feed_inputs();
  const ui::Palette& palette = ui::palette(look_.palette);
  Frame frame{draw_frame(draw_, *presenter_, *fonts_, palette, scale,
                         ImVec2(static_cast<float>(width), static_cast<float>(height)), seconds),
              fonts_, palette.background};
  const Qt::CursorShape shape = qt_cursor(ImGui::GetMouseCursor());
  QWidget* surface = presenter_->widget();
  if (surface->cursor().shape() != shape) surface->setCursor(shape);
  return frame;
}

void Canvas::frame_done() {
  ++frames_;
  frame_ms_ = static_cast<double>(clock_.nsecsElapsed() - last_frame_ns_) * 1e-6;
  pending_ = inputs_.empty() ? std::max(0, pending_ - 1) : 3;
  if (pending_ > 0) {
    timer_.start(urgent_ ? 0 : kAnimationMs / 2);
  } else {
    urgent_ = false;
    if (animating_) timer_.start(kAnimationMs);
  }
  emit drawn();
}

bool Canvas::eventFilter(QObject* object, QEvent* event) {
  const auto point = [this](QPointF position) {
    const double density = presenter_->widget()->devicePixelRatioF();
    return ImVec2(static_cast<float>(position.x() * density),
                  static_cast<float>(position.y() * density));
  };
  switch (event->type()) {
    case QEvent::MouseMove: {
      const auto* mouse = static_cast<QMouseEvent*>(event);
      queue({Input::Kind::move, point(mouse->position()), 0, false, mouse->modifiers()});
      return true;
    }
    case QEvent::MouseButtonPress:
    case QEvent::MouseButtonDblClick:
    case QEvent::MouseButtonRelease: {
      const auto* mouse = static_cast<QMouseEvent*>(event);
      const bool down = event->type() != QEvent::MouseButtonRelease;
      if (down) {
        setFocus(Qt::MouseFocusReason);
        stops_.leave();
        refresh();
      }
      const int button = imgui_button(mouse->button());
      if (button < 0) return false;
      queue({Input::Kind::button, point(mouse->position()), button, down, mouse->modifiers()});
      return true;
    }
    case QEvent::Wheel: {
      const auto* wheel = static_cast<QWheelEvent*>(event);
      const QPointF steps = QPointF(wheel->angleDelta()) / 120.0;
      // Whatever the keys have made of the mouse, it turns where it stands.
      queue({Input::Kind::move, point(wheel->position()), 0, false, wheel->modifiers()});
      queue({Input::Kind::wheel,
             ImVec2(static_cast<float>(steps.x()), static_cast<float>(steps.y())), 0, false,
             wheel->modifiers()});
      return true;
    }
    case QEvent::Leave:
      queue({Input::Kind::move, ImVec2(-FLT_MAX, -FLT_MAX), 0, false, Qt::NoModifier});
      emit left();
      return false;
    default:
      return QWidget::eventFilter(object, event);
  }
}

void Canvas::resizeEvent(QResizeEvent* event) {
  presenter_->widget()->setGeometry(rect());
  refresh();
  QWidget::resizeEvent(event);
}

void Canvas::showEvent(QShowEvent* event) {
  refresh();
  QWidget::showEvent(event);
}

void Canvas::focusInEvent(QFocusEvent* event) {
  QWidget::focusInEvent(event);
  const Qt::FocusReason reason = event->reason();
  if (reason == Qt::BacktabFocusReason) {
    stops_.go_to_last();
    refresh();
  }
  emit reached(reason == Qt::TabFocusReason || reason == Qt::BacktabFocusReason);
}

void Canvas::focusOutEvent(QFocusEvent* event) {
  QWidget::focusOutEvent(event);
  // A menu that opens for a moment does not move the focus.
  if (event->reason() == Qt::PopupFocusReason) return;
  stops_.leave();
  refresh();
  emit reached(false);
}

bool Canvas::focusNextPrevChild(bool next) {
  const bool stays = stops_.go(next);
  if (stays) put_mouse_away();
  refresh();
  return stays || QWidget::focusNextPrevChild(next);
}

/// What a mouse at rest points at does not cover what the keys turn. It counts again when it moves.
void Canvas::put_mouse_away() {
  if (QApplication::mouseButtons() == Qt::NoButton)
    queue({Input::Kind::move, ImVec2(-FLT_MAX, -FLT_MAX), 0, false, Qt::NoModifier});
}

bool Canvas::needs(int key) const {
  // Behind a tab it keeps the focus, but there is nothing to see.
  if (!seen()) return false;
  switch (key) {
    case Qt::Key_Space:
    case Qt::Key_Return:
    case Qt::Key_Enter:
    case Qt::Key_Escape:
      return stops_.any_chosen();
    case Qt::Key_Left:
    case Qt::Key_Right:
      return stops_.arrows() == ui::Arrows::turn || stops_.arrows() == ui::Arrows::row;
    case Qt::Key_Up:
    case Qt::Key_Down:
      return stops_.arrows() == ui::Arrows::column;
    default:
      return false;
  }
}

void Canvas::keyPressEvent(QKeyEvent* event) {
  const int key = event->key();
  const bool other = event->modifiers() & ~Qt::KeypadModifier || !needs(key);
  if (!other) put_mouse_away();
  if (other) {
    QWidget::keyPressEvent(event);
  } else if (key == Qt::Key_Escape) {
    stops_.leave();
  } else if (key == Qt::Key_Space || key == Qt::Key_Return || key == Qt::Key_Enter) {
    if (!event->isAutoRepeat()) stops_.press();
  } else {
    stops_.arrow(key == Qt::Key_Right || key == Qt::Key_Down);
  }
  refresh();
}

QImage Canvas::picture(const Draw& draw, QSize size, const CanvasLook& look, double density) {
  const float scale = look.scale * static_cast<float>(density);
  const std::shared_ptr<FontAtlas> fonts = font_atlas(scale);
  const QSize pixels = (QSizeF(size) * density).toSize().expandedTo({1, 1});
  ImGuiContext* before = ImGui::GetCurrentContext();
  ImGuiContext* context = make_context(*fonts);
  ImGui::SetCurrentContext(context);
  RasterImages images;
  const ui::Palette& palette = ui::palette(look.palette);
  QImage image;
  for (int i = 0; i < 3; ++i) {
    images.begin_frame();
    const ImDrawData* data =
        draw_frame(draw, images, *fonts, palette, scale,
                   ImVec2(static_cast<float>(pixels.width()), static_cast<float>(pixels.height())),
                   1.0f / 60.0f);
    if (i == 2) image = paint({data, fonts, palette.background}, pixels.width(), pixels.height());
  }
  ImGui::DestroyContext(context);
  ImGui::SetCurrentContext(before);
  image.setDevicePixelRatio(density);
  return image;
}

}  // namespace xlab::app
