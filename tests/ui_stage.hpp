// A Dear ImGui context without a window: draws views, moves a mouse over them and keeps what they
// send.
#pragma once

#include <imgui.h>

#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ui/draw_log.hpp"
#include "ui/glyphs.hpp"
#include "ui/stops.hpp"
#include "ui/view.hpp"

namespace xlab::tests {

/// Counts textures and checks what it is given; makes none.
class NoImages : public ui::Images {
 public:
  ImTextureID texture(const std::string&, std::uint64_t, int width, int height,
                      std::span<const std::uint32_t> pixels) override {
    ++calls;
    if (width < 1 || height < 1 ||
        pixels.size() != static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {
      ++wrong;
    }
    return (ImTextureID)(std::intptr_t)1;  // a pointer or a number, whichever ImGui has
  }
  int calls = 0, wrong = 0;
};

/// The atlas is the slow part, so all stages share one.
inline ImFontAtlas* shared_fonts() {
  static ImFontAtlas* atlas = [] {
    auto* made = new ImFontAtlas;
    const char* file = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
    if (std::filesystem::exists(file)) {
      made->AddFontFromFileTTF(file, 13.0f, nullptr, ui::glyph_ranges());
      // Its bold face is wider.
      const char* bold = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf";
      made->AddFontFromFileTTF(bold, 13.0f, nullptr, ui::glyph_ranges());
    } else {
      made->AddFontDefault();
    }
    unsigned char* pixels = nullptr;
    int width = 0, height = 0;
    made->GetTexDataAsAlpha8(&pixels, &width, &height);
    return made;
  }();
  return atlas;
}

class Stage {
 public:
  explicit Stage(const Snapshot& snapshot) : snapshot_(snapshot) {
    context_ = ImGui::CreateContext(shared_fonts());
    ImGui::SetCurrentContext(context_);
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.DeltaTime = 1.0f / 60.0f;
    io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
    io.MousePos = {-FLT_MAX, -FLT_MAX};
  }
  ~Stage() { ImGui::DestroyContext(context_); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// One frame of a view that fills the whole canvas.
  void frame(ui::View& view) {
    ImGui::SetCurrentContext(context_);
    ImGui::GetIO().DisplaySize = size;
    log.clear();
    ImGui::NewFrame();
    ImGui::SetNextWindowPos({0, 0});
    ImGui::SetNextWindowSize(size);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
    ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0.0f);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowMinSize, ImVec2(1, 1));
    ImGui::Begin("stage", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                     ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoScrollWithMouse);
    ImGui::PopStyleVar(3);
    ui::Scene scene = this->scene();
    stops.begin_frame();
    view.draw(scene, size);
    stops.end_frame();
    ImGui::End();
    ImGui::Render();
    ImGui::GetIO().MouseWheel = 0.0f;
  }

  ui::Scene scene() {
    ui::Scene scene{snapshot_,
                    focus,
                    images,
                    ui::palette(palette),
                    [this](Command c) { sent.push_back(std::move(c)); },
                    scale,
                    &log,
                    &stops};
    scene.exporting = exporting;
    scene.ask = [this](const ui::Request& request) { asked.push_back(request); };
    return scene;
  }

  /// A mouse at a place, twice: ImGui settles what is hovered one frame late.
  void move(ui::View& view, float x, float y) {
    ImGui::SetCurrentContext(context_);
    ImGui::GetIO().MousePos = {x, y};
    frame(view);
    frame(view);
  }
  void button(ui::View& view, bool down) {
    ImGui::SetCurrentContext(context_);
    ImGui::GetIO().MouseDown[0] = down;
    frame(view);
  }
  void wheel(ui::View& view, float amount) {
    ImGui::SetCurrentContext(context_);
    ImGui::GetIO().MouseWheel = amount;
    frame(view);
  }
  void click(ui::View& view, float x, float y) {
    move(view, x, y);
    button(view, true);
    button(view, false);
    frame(view);
  }
  void shift(bool down) {
    ImGui::SetCurrentContext(context_);
    ImGuiIO& io = ImGui::GetIO();
#if IMGUI_VERSION_NUM >= 18900
    io.AddKeyEvent(ImGuiMod_Shift, down);
#else
    io.KeyShift = down;
#endif
  }
  void alt(bool down) {
    ImGui::SetCurrentContext(context_);
    ImGuiIO& io = ImGui::GetIO();
#if IMGUI_VERSION_NUM >= 18900
    io.AddKeyEvent(ImGuiMod_Alt, down);
#else
    io.KeyAlt = down;
#endif
  }

  /// The first place, searched row by row, where hovering makes `wanted` true.
  template <typename Wanted>
  std::optional<ImVec2> find(ui::View& view, Wanted wanted, float dx = 4.0f, float dy = 3.0f) {
    for (float y = dy / 2; y < size.y; y += dy) {
      for (float x = dx / 2; x < size.x; x += dx) {
        move(view, x, y);
        if (focus.hovered && wanted(*focus.hovered)) return ImVec2(x, y);
      }
    }
    return std::nullopt;
  }

  /// All commands of one kind that were sent.
  template <typename C>
  std::vector<C> all() const {
    std::vector<C> found;
    for (const Command& c : sent) {
      if (const C* match = std::get_if<C>(&c)) found.push_back(*match);
    }
    return found;
  }

  int vertices() const {
    ImGui::SetCurrentContext(context_);
    return ImGui::GetDrawData()->TotalVtxCount;
  }

  /// Whether every corner drawn is a finite place within reach of a renderer.
  bool finite() const {
    ImGui::SetCurrentContext(context_);
    const ImDrawData* data = ImGui::GetDrawData();
    for (int n = 0; n < data->CmdListsCount; ++n) {
      for (const ImDrawVert& v : data->CmdLists[n]->VtxBuffer) {
        if (!(std::abs(v.pos.x) < 1e6f && std::abs(v.pos.y) < 1e6f)) return false;
      }
    }
    return true;
  }

  ImVec2 size{640, 420};
  float scale = 1.0f;
  bool exporting = false;
  ui::PaletteName palette = ui::PaletteName::light;
  ui::Focus focus;
  NoImages images;
  ui::DrawLog log;  ///< what the last frame drew
  ui::Stops stops;
  std::vector<Command> sent;
  std::vector<ui::Request> asked;

 private:
  const Snapshot& snapshot_;
  ImGuiContext* context_;
};

}  // namespace xlab::tests
