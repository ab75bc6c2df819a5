// What a canvas needs from whoever turns its triangles into pixels. Included by app/canvas* only.
#pragma once

#include <imgui.h>

#include <QImage>
#include <QWidget>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "app/canvas_fonts.hpp"
#include "app/canvas_raster.hpp"
#include "ui/image.hpp"

namespace xlab::app {

/// A texture that was not drawn for so many frames is given up.
inline constexpr std::uint64_t kKeepFrames = 120;

/// One finished frame.
struct Frame {
  const ImDrawData* data = nullptr;
  std::shared_ptr<FontAtlas> fonts;
  ImU32 background = 0;
};

/// A surface: a widget that asks for a frame when Qt wants it painted, and its textures.
class Presenter : public ui::Images {
 public:
  virtual QWidget* widget() = 0;
};

/// What a surface asks of its canvas while it is painted.
struct FrameSource {
  /// Makes the next frame of a surface this many device pixels large.
  std::function<Frame(int width, int height)> make;
  /// The frame was turned into pixels.
  std::function<void()> done;
};

/// The caller owns the widget through its parent.
Presenter* make_gl_presenter(QWidget* parent, FrameSource source);
Presenter* make_software_presenter(QWidget* parent, FrameSource source);

/// Textures in memory.
class RasterImages : public ui::Images {
 public:
  ImTextureID texture(const std::string& key, std::uint64_t version, int width, int height,
                      std::span<const std::uint32_t> pixels) override;
  /// Forgets textures that the last frames did not use; called before a frame.
  void begin_frame();

 private:
  struct Entry {
    std::uint64_t version = 0;
    std::uint64_t used = 0;
    RasterTexture texture;
  };
  std::map<std::string, Entry> entries_;
  std::uint64_t frame_ = 0;
};

/// The frame as a picture.
QImage paint(const Frame& frame, int width, int height);

}  // namespace xlab::app
