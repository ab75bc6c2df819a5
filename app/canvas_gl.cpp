// The OpenGL surface: a small renderer of ImGui's draw lists, and the probe that says whether one
// may be made at all.
#include <QGuiApplication>
#include <QOffscreenSurface>
#include <QOpenGLContext>
#include <QOpenGLExtraFunctions>
#include <QOpenGLShaderProgram>
#include <QOpenGLWidget>
#include <cmath>

#include "app/canvas.hpp"
#include "app/canvas_presenter.hpp"

#ifndef GL_TEXTURE_SWIZZLE_R
#define GL_TEXTURE_SWIZZLE_R 0x8E42
#define GL_TEXTURE_SWIZZLE_G 0x8E43
#define GL_TEXTURE_SWIZZLE_B 0x8E44
#define GL_TEXTURE_SWIZZLE_A 0x8E45
#endif

namespace xlab::app {
namespace {

constexpr const char* kVertexShader = R"(#version 330 core
uniform vec2 size;
layout(location = 0) in vec2 position;
layout(location = 1) in vec2 texel;
layout(location = 2) in vec4 colour;
out vec2 fragment_texel;
out vec4 fragment_colour;
void main() {
  fragment_texel = texel;
  fragment_colour = colour;
  gl_Position = vec4(2.0 * position.x / size.x - 1.0, 1.0 - 2.0 * position.y / size.y, 0.0, 1.0);
}
)";

constexpr const char* kFragmentShader = R"(#version 330 core
uniform sampler2D picture;
in vec2 fragment_texel;
in vec4 fragment_colour;
out vec4 pixel;
void main() { pixel = fragment_colour * texture(picture, fragment_texel); }
)";

class GlSurface : public QOpenGLWidget, public Presenter {
 public:
  GlSurface(QWidget* parent, FrameSource source)
      : QOpenGLWidget(parent), source_(std::move(source)) {}

  // The context is asked for its objects here, while it still lives; the slot would otherwise run
  // from the base class on a half-destroyed object.
  ~GlSurface() override {
    disconnect(lifetime_);
    if (context()) {
      makeCurrent();
      release();
      doneCurrent();
    }
  }

  QWidget* widget() override { return this; }

  ImTextureID texture(const std::string& key, std::uint64_t version, int width, int height,
                      std::span<const std::uint32_t> pixels) override {
    Entry& entry = entries_[key];
    entry.used = frame_;
    QOpenGLExtraFunctions* gl = context()->extraFunctions();
    const bool same_size = entry.id != 0 && entry.width == width && entry.height == height;
    if (!same_size || entry.version != version) {
      if (!entry.id) gl->glGenTextures(1, &entry.id);
      gl->glBindTexture(GL_TEXTURE_2D, entry.id);
      if (same_size) {
        gl->glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, width, height, GL_RGBA, GL_UNSIGNED_BYTE,
                            pixels.data());
      } else {
        gl->glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, width, height, 0, GL_RGBA, GL_UNSIGNED_BYTE,
                         pixels.data());
        set_filter(gl, GL_NEAREST);
      }
      entry.version = version;
      entry.width = width;
      entry.height = height;
    }
    return reinterpret_cast<ImTextureID>(static_cast<std::uintptr_t>(entry.id));
  }

 protected:
  void initializeGL() override {
    lifetime_ = connect(context(), &QOpenGLContext::aboutToBeDestroyed, this, [this] {
      makeCurrent();
      release();
      doneCurrent();
    });
    program_ = std::make_unique<QOpenGLShaderProgram>();
    program_->addShaderFromSourceCode(QOpenGLShader::Vertex, kVertexShader);
    program_->addShaderFromSourceCode(QOpenGLShader::Fragment, kFragmentShader);
    program_->link();
    QOpenGLExtraFunctions* gl = context()->extraFunctions();
    gl->glGenVertexArrays(1, &vertex_array_);
    gl->glGenBuffers(1, &vertices_);
    gl->glGenBuffers(1, &indices_);
    gl->glGenTextures(1, &atlas_);
    atlas_id_ = 0;
  }

  void paintGL() override {
    QOpenGLExtraFunctions* gl = context()->extraFunctions();
    const QSize size = (QSizeF(this->size()) * devicePixelRatioF()).toSize();
    ++frame_;
    forget_unused(gl);
    const Frame frame = source_.make(size.width(), size.height());
    const auto part = [&](int shift) {
      return static_cast<float>((frame.background >> shift) & 0xffu) / 255.0f;
    };
    gl->glDisable(GL_SCISSOR_TEST);
    gl->glViewport(0, 0, size.width(), size.height());
    gl->glClearColor(part(0), part(8), part(16), 1.0f);
    gl->glClear(GL_COLOR_BUFFER_BIT);
    if (frame.data) draw(gl, frame, size);
    source_.done();
  }

 private:
  struct Entry {
    std::uint64_t version = 0;
    std::uint64_t used = 0;
    GLuint id = 0;
    int width = 0, height = 0;
  };

  static void set_filter(QOpenGLExtraFunctions* gl, int filter) {
    gl->glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, filter);
    gl->glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, filter);
    gl->glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
    gl->glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
  }

  void forget_unused(QOpenGLExtraFunctions* gl) {
    std::erase_if(entries_, [&](const auto& item) {
      const bool old = item.second.used + kKeepFrames < frame_;
      if (old) gl->glDeleteTextures(1, &item.second.id);
      return old;
    });
  }

  void upload(QOpenGLExtraFunctions* gl, const FontAtlas& fonts) {
    if (atlas_id_ == fonts.id) return;
    atlas_id_ = fonts.id;
    gl->glBindTexture(GL_TEXTURE_2D, atlas_);
    gl->glPixelStorei(GL_UNPACK_ALIGNMENT, 1);
    gl->glTexImage2D(GL_TEXTURE_2D, 0, GL_R8, fonts.atlas.TexWidth, fonts.atlas.TexHeight, 0,
                     GL_RED, GL_UNSIGNED_BYTE, fonts.atlas.TexPixelsAlpha8);
    gl->glPixelStorei(GL_UNPACK_ALIGNMENT, 4);
    set_filter(gl, GL_LINEAR);
    gl->glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_R, GL_ONE);
    gl->glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_G, GL_ONE);
    gl->glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_B, GL_ONE);
    gl->glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_A, GL_RED);
  }

  void draw(QOpenGLExtraFunctions* gl, const Frame& frame, QSize size) {
    upload(gl, *frame.fonts);
    gl->glEnable(GL_BLEND);
    gl->glBlendEquation(GL_FUNC_ADD);
    gl->glBlendFuncSeparate(GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA, GL_ONE, GL_ONE_MINUS_SRC_ALPHA);
    gl->glDisable(GL_CULL_FACE);
    gl->glDisable(GL_DEPTH_TEST);
    gl->glDisable(GL_STENCIL_TEST);
    gl->glEnable(GL_SCISSOR_TEST);
    program_->bind();
    program_->setUniformValue(
        "size", QVector2D(static_cast<float>(size.width()), static_cast<float>(size.height())));
    program_->setUniformValue("picture", 0);
    gl->glActiveTexture(GL_TEXTURE0);
    gl->glBindVertexArray(vertex_array_);
    gl->glBindBuffer(GL_ARRAY_BUFFER, vertices_);
    gl->glBindBuffer(GL_ELEMENT_ARRAY_BUFFER, indices_);
    const auto at = [](std::size_t offset) { return reinterpret_cast<const void*>(offset); };
    for (GLuint i = 0; i < 3; ++i) gl->glEnableVertexAttribArray(i);
    gl->glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, sizeof(ImDrawVert),
                              at(offsetof(ImDrawVert, pos)));
    gl->glVertexAttribPointer(1, 2, GL_FLOAT, GL_FALSE, sizeof(ImDrawVert),
                              at(offsetof(ImDrawVert, uv)));
    gl->glVertexAttribPointer(2, 4, GL_UNSIGNED_BYTE, GL_TRUE, sizeof(ImDrawVert),
                              at(offsetof(ImDrawVert, col)));
    for (int n = 0; n < frame.data->CmdListsCount; ++n) {
      const ImDrawList& list = *frame.data->CmdLists[n];
      gl->glBufferData(GL_ARRAY_BUFFER, list.VtxBuffer.size_in_bytes(), list.VtxBuffer.Data,
                       GL_STREAM_DRAW);
      gl->glBufferData(GL_ELEMENT_ARRAY_BUFFER, list.IdxBuffer.size_in_bytes(), list.IdxBuffer.Data,
                       GL_STREAM_DRAW);
      for (const ImDrawCmd& command : list.CmdBuffer) draw(gl, list, command, size);
    }
    gl->glDisable(GL_SCISSOR_TEST);
    gl->glBindVertexArray(0);
    program_->release();
  }

  void draw(QOpenGLExtraFunctions* gl, const ImDrawList& list, const ImDrawCmd& command,
            QSize size) const {
    if (command.UserCallback) {
      if (command.UserCallback != ImDrawCallback_ResetRenderState) {
        command.UserCallback(&list, &command);
      }
      return;
    }
    const auto inside = [](float x, int limit) {
      return static_cast<int>(std::fmin(std::fmax(std::floor(x), 0.0f), static_cast<float>(limit)));
    };
    const int x0 = inside(command.ClipRect.x, size.width());
    const int y0 = inside(command.ClipRect.y, size.height());
    const int x1 = inside(command.ClipRect.z, size.width());
    const int y1 = inside(command.ClipRect.w, size.height());
    if (x0 >= x1 || y0 >= y1) return;
    gl->glScissor(x0, size.height() - y1, x1 - x0, y1 - y0);
    const auto id = static_cast<GLuint>(reinterpret_cast<std::uintptr_t>(command.TextureId));
    gl->glBindTexture(GL_TEXTURE_2D, id ? id : atlas_);
    gl->glDrawElementsBaseVertex(
        GL_TRIANGLES, static_cast<GLsizei>(command.ElemCount),
        sizeof(ImDrawIdx) == 2 ? GL_UNSIGNED_SHORT : GL_UNSIGNED_INT,
        reinterpret_cast<const void*>(command.IdxOffset * sizeof(ImDrawIdx)),
        static_cast<GLint>(command.VtxOffset));
  }

  void release() {
    QOpenGLExtraFunctions* gl = context()->extraFunctions();
    for (auto& [key, entry] : entries_) gl->glDeleteTextures(1, &entry.id);
    entries_.clear();
    gl->glDeleteTextures(1, &atlas_);
    gl->glDeleteBuffers(1, &vertices_);
    gl->glDeleteBuffers(1, &indices_);
    gl->glDeleteVertexArrays(1, &vertex_array_);
    atlas_ = vertices_ = indices_ = vertex_array_ = 0;
    program_.reset();
  }

  FrameSource source_;
  QMetaObject::Connection lifetime_;
  std::unique_ptr<QOpenGLShaderProgram> program_;
  GLuint vertex_array_ = 0, vertices_ = 0, indices_ = 0, atlas_ = 0;
  std::uint64_t atlas_id_ = 0;  ///< of the atlas uploaded last
  std::map<std::string, Entry> entries_;
  std::uint64_t frame_ = 0;
};

}  // namespace

Presenter* make_gl_presenter(QWidget* parent, FrameSource source) {
  return new GlSurface(parent, std::move(source));
}

GlProbe probe_gl() {
  const QString platform = QGuiApplication::platformName();
  for (const char* name : {"offscreen", "minimal", "vnc", "linuxfb"}) {
    if (platform == QLatin1String(name)) {
      return {.problem = "the platform \"" + platform.toStdString() + "\" has no OpenGL windows"};
    }
  }
  QOffscreenSurface surface;
  surface.create();
  QOpenGLContext context;
  if (!context.create() || !surface.isValid() || !context.makeCurrent(&surface)) {
    return {.problem = "no OpenGL context can be made here"};
  }
  const auto* name = reinterpret_cast<const char*>(context.functions()->glGetString(GL_RENDERER));
  GlProbe probe{.usable = true, .renderer = name ? name : ""};
  const QSurfaceFormat format = context.format();
  context.doneCurrent();
  if (context.isOpenGLES() || format.version() < qMakePair(3, 3)) {
    return {.renderer = probe.renderer, .problem = "OpenGL 3.3 is needed and not offered here"};
  }
  const QString lower = QString::fromStdString(probe.renderer).toLower();
  probe.on_cpu = lower.contains("llvmpipe") || lower.contains("softpipe") ||
                 lower.contains("software rasterizer");
  return probe;
}

}  // namespace xlab::app
