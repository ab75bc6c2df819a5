// The surface that needs no OpenGL: a plain widget painted by the rasteriser.
#include <QPainter>

#include "app/canvas_presenter.hpp"

namespace xlab::app {
namespace {

class SoftwareSurface : public QWidget, public Presenter {
 public:
  SoftwareSurface(QWidget* parent, FrameSource source)
      : QWidget(parent), source_(std::move(source)) {
    setAttribute(Qt::WA_OpaquePaintEvent);
  }

  QWidget* widget() override { return this; }

  ImTextureID texture(const std::string& key, std::uint64_t version, int width, int height,
                      std::span<const std::uint32_t> pixels) override {
    return images_.texture(key, version, width, height, pixels);
  }

 protected:
  void paintEvent(QPaintEvent*) override {
    const QSize size = (QSizeF(this->size()) * devicePixelRatioF()).toSize();
    if (size.isEmpty()) return;
    images_.begin_frame();
    QImage picture = paint(source_.make(size.width(), size.height()), size.width(), size.height());
    picture.setDevicePixelRatio(devicePixelRatioF());
    QPainter(this).drawImage(0, 0, picture);
    source_.done();
  }

 private:
  FrameSource source_;
  RasterImages images_;
};

}  // namespace

ImTextureID RasterImages::texture(const std::string& key, std::uint64_t version, int width,
                                  int height, std::span<const std::uint32_t> pixels) {
  Entry& entry = entries_[key];
  entry.used = frame_;
  RasterTexture& kept = entry.texture;
  if (entry.version != version || kept.width != width || kept.height != height ||
      kept.pixels.empty()) {
    entry.version = version;
    kept.width = width;
    kept.height = height;
    kept.pixels.assign(pixels.begin(), pixels.end());
  }
  return &kept;
}

void RasterImages::begin_frame() {
  ++frame_;
  std::erase_if(entries_,
                [this](const auto& item) { return item.second.used + kKeepFrames < frame_; });
}

QImage paint(const Frame& frame, int width, int height) {
  QImage picture(width, height, QImage::Format_RGB32);
  const ImU32 c = frame.background;
  picture.fill(qRgb(static_cast<int>(c & 0xffu), static_cast<int>((c >> 8) & 0xffu),
                    static_cast<int>((c >> 16) & 0xffu)));
  if (frame.data) {
    rasterise(*frame.data, frame.fonts->atlas,
              {reinterpret_cast<std::uint32_t*>(picture.bits()), width, height,
               static_cast<int>(picture.bytesPerLine() / 4)});
  }
  return picture;
}

Presenter* make_software_presenter(QWidget* parent, FrameSource source) {
  return new SoftwareSurface(parent, std::move(source));
}

}  // namespace xlab::app
