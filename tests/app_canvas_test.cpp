// The two ways to turn triangles into pixels: each right, and both alike.
#include <imgui.h>
#include <imgui_internal.h>

#include <QPainter>
#include <QTest>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "app/canvas_fonts.hpp"
#include "app/canvas_raster.hpp"
#include "app_window.hpp"

namespace xlab::tests {
namespace {

constexpr ImU32 kRed = IM_COL32(255, 0, 0, 255);
constexpr ImU32 kHalfRed = IM_COL32(255, 0, 0, 128);

/// Draws with a bare draw list on white paper.
class Paper {
 public:
  Paper(int width, int height) : width_(width), height_(height) {
    pixels_.assign(static_cast<std::size_t>(width) * static_cast<std::size_t>(height), 0xffffffffu);
    shared_.ClipRectFullscreen = ImVec4(-8192, -8192, 8192, 8192);
    shared_.TexUvWhitePixel = fonts_->atlas.TexUvWhitePixel;
    shared_.SetCircleTessellationMaxError(0.3f);
    list_._ResetForNewFrame();
    list_.PushClipRect(ImVec2(0, 0), ImVec2(static_cast<float>(width), static_cast<float>(height)));
    list_.PushTextureID(nullptr);
  }

  ImDrawList& list() { return list_; }

  void draw() {
    ImDrawData data;
    ImDrawList* lists[] = {&list_};
    data.CmdListsCount = 1;
#if IMGUI_VERSION_NUM >= 18960
    data.CmdLists.push_back(lists[0]);
#else
    data.CmdLists = lists;
#endif
    app::rasterise(data, fonts_->atlas, {pixels_.data(), width_, height_, width_});
  }

  std::uint32_t at(int x, int y) const {
    return pixels_[static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) +
                   static_cast<std::size_t>(x)] &
           0xffffffu;
  }

 private:
  int width_, height_;
  std::shared_ptr<app::FontAtlas> fonts_ = app::font_atlas(1.0f);
  ImDrawListSharedData shared_;
  ImDrawList list_{&shared_};
  std::vector<std::uint32_t> pixels_;
};

TEST(Raster, FillsThePixelsWhoseCentresAreInside) {
  Paper paper(10, 10);
  paper.list().AddRectFilled(ImVec2(2, 3), ImVec2(5, 6), kRed);
  paper.draw();
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 10; ++x) {
      const bool inside = x >= 2 && x < 5 && y >= 3 && y < 6;
      EXPECT_EQ(paper.at(x, y), inside ? 0xff0000u : 0xffffffu) << x << ", " << y;
    }
  }
}

TEST(Raster, KeepsToTheClipRectangle) {
  Paper paper(10, 10);
  paper.list().PushClipRect(ImVec2(4, 4), ImVec2(6, 8), true);
  paper.list().AddRectFilled(ImVec2(0, 0), ImVec2(10, 10), kRed);
  paper.list().AddTriangleFilled(ImVec2(0, 0), ImVec2(10, 0), ImVec2(0, 10), kRed);
  paper.draw();
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 10; ++x) {
      const bool inside = x >= 4 && x < 6 && y >= 4 && y < 8;
      EXPECT_EQ(paper.at(x, y) == 0xffffffu, !inside) << x << ", " << y;
    }
  }
}

TEST(Raster, BlendsByOpacity) {
  Paper paper(4, 4);
  paper.list().AddRectFilled(ImVec2(0, 0), ImVec2(4, 4), kHalfRed);
  paper.draw();
  EXPECT_EQ(paper.at(1, 1), 0xff7f7fu);
}

TEST(Raster, TrianglesThatShareAnEdgeCoverEachPixelOnce) {
  Paper paper(64, 64);
  // A fan around a point that is on no pixel's centre; half opaque, so that a pixel covered twice
  // or never shows.
  const ImVec2 centre(31.37f, 29.81f);
  ImDrawList& list = paper.list();
  const ImVec2 white = app::font_atlas(1.0f)->atlas.TexUvWhitePixel;
  constexpr int kCorners = 23;
  for (int i = 0; i < kCorners; ++i) {
    const auto corner = [&](int k) {
      const float angle = 6.2831853f * static_cast<float>(k % kCorners) / kCorners;
      return ImVec2(centre.x + 28 * std::cos(angle), centre.y + 28 * std::sin(angle));
    };
    list.PrimReserve(3, 3);
    list.PrimVtx(centre, white, kHalfRed);
    list.PrimVtx(corner(i), white, kHalfRed);
    list.PrimVtx(corner(i + 1), white, kHalfRed);
  }
  paper.draw();
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const float away = std::hypot(static_cast<float>(x) + 0.5f - centre.x,
                                    static_cast<float>(y) + 0.5f - centre.y);
      if (away < 27.0f) {
        EXPECT_EQ(paper.at(x, y), 0xff7f7fu) << x << ", " << y;
      } else if (away > 29.0f) {
        EXPECT_EQ(paper.at(x, y), 0xffffffu) << x << ", " << y;
      }
    }
  }
}

TEST(Raster, ColoursRunAlongATriangle) {
  Paper paper(256, 8);
  paper.list().AddRectFilledMultiColor(ImVec2(0, 0), ImVec2(256, 8), IM_COL32(0, 0, 0, 255),
                                       IM_COL32(255, 255, 255, 255), IM_COL32(255, 255, 255, 255),
                                       IM_COL32(0, 0, 0, 255));
  paper.draw();
  for (int x = 0; x < 256; ++x) {
    EXPECT_NEAR(static_cast<int>(paper.at(x, 4) & 0xffu), x, 2) << x;
  }
}

TEST(Raster, DrawsTexturesWithoutInterpolation) {
  app::RasterTexture texture{2, 2, {0xff0000ffu, 0xff00ff00u, 0xffff0000u, 0xff000000u}};
  Paper paper(8, 8);
  paper.list().AddImage(&texture, ImVec2(0, 0), ImVec2(8, 8));
  paper.draw();
  EXPECT_EQ(paper.at(0, 0), 0xff0000u);
  EXPECT_EQ(paper.at(3, 3), 0xff0000u);
  EXPECT_EQ(paper.at(4, 3), 0x00ff00u);
  EXPECT_EQ(paper.at(3, 4), 0x0000ffu);
  EXPECT_EQ(paper.at(7, 7), 0x000000u);
}

TEST(Raster, SurvivesNumbersThatAreNone) {
  Paper paper(8, 8);
  const float nan = std::nanf(""), huge = 3.0e38f;
  for (const float bad : {nan, huge, -huge, INFINITY}) {
    paper.list().AddTriangleFilled(ImVec2(0, 0), ImVec2(bad, 4), ImVec2(4, bad), kRed);
    paper.list().AddRectFilled(ImVec2(bad, 1), ImVec2(2, bad), kRed);
    paper.list().AddLine(ImVec2(bad, 0), ImVec2(3, 3), kRed, 2.0f);
  }
  paper.draw();
}

class CanvasTest : public WindowTest {};

TEST_F(CanvasTest, BothSurfacesShowTheSamePicture) {
  if (!has_screen()) GTEST_SKIP() << "no display, so no OpenGL surface";
  const app::GlProbe probe = app::probe_gl();
  if (!probe.usable) GTEST_SKIP() << "no OpenGL here: " << probe.problem;
  window_.reset();
  open_window({.canvas = app::CanvasKind::gl, .remember = false});
  window_->begin();
  ASSERT_TRUE(QTest::qWaitFor(
      [&] {
        window_->first_run().skip();
        return window_->first_run().finished();
      },
      20000));
  settle();
  for (app::ViewDock* dock : window_->views()) {
    // The hint of the gates moves by itself.
    if (dock->isHidden() || dock->view_name() == "gates") continue;
    const QImage by_gl = dock->canvas().grab().toImage();
    const QImage by_cpu = dock->picture(dock->canvas().size(), window_->stage().look(),
                                        dock->canvas().devicePixelRatioF(), true);
    EXPECT_LT(difference(by_cpu, by_gl), 0.03) << qPrintable(dock->view_name());
  }
}

TEST_F(CanvasTest, SleepsWhenNothingChanges) {
  window_->stage().send(command::SetClamp{
      Clamp{.path = "block0/mlstm/forget_gate_pre", .begin = 1, .end = 2, .value = 3.0f}});
  // The check of the model that runs beside everything brings a picture when it ends.
  ASSERT_TRUE(QTest::qWaitFor(
      [&] {
        const auto health = window_->stage().snapshot().health;
        return health && !health->running;
      },
      20000));
  settle();
  std::uint64_t before = 0, after = 0;
  for (app::ViewDock* dock : window_->views()) before += dock->canvas().frames();
  QTest::qWait(400);
  for (app::ViewDock* dock : window_->views()) after += dock->canvas().frames();
  EXPECT_EQ(after, before);
}

TEST_F(CanvasTest, ADrawFunctionThatThrowsLeavesItsSentence) {
  app::Canvas canvas(app::CanvasKind::software, [](ui::Images&, ImVec2, float) {
    ImGui::BeginChild("open");
    throw std::runtime_error("The drawing broke.");
  });
  canvas.resize(200, 100);
  canvas.show();
  ASSERT_TRUE(QTest::qWaitForWindowExposed(&canvas));
  EXPECT_TRUE(QTest::qWaitFor([&] { return canvas.frames() >= 3; }, 3000));
  EXPECT_GT(colours(canvas.grab().toImage()), 1);
}

TEST_F(CanvasTest, NoClickIsLostWhenEventsComeTogether) {
  int presses = 0, releases = 0;
  ImVec2 released_at;
  app::Canvas canvas(app::CanvasKind::software, [&](ui::Images&, ImVec2, float) {
    presses += ImGui::IsMouseClicked(0);
    if (ImGui::IsMouseReleased(0)) {
      ++releases;
      released_at = ImGui::GetIO().MousePos;
    }
  });
  canvas.resize(200, 100);
  canvas.show();
  ASSERT_TRUE(QTest::qWaitForWindowExposed(&canvas));
  ASSERT_TRUE(QTest::qWaitFor([&] { return !canvas.busy(); }, 3000));
  QWidget* surface = canvas.findChild<QWidget*>(QString(), Qt::FindDirectChildrenOnly);
  const auto mouse = [&](QEvent::Type type, QPointF at, Qt::MouseButtons buttons) {
    QMouseEvent event(type, at, surface->mapToGlobal(at),
                      type == QEvent::MouseMove ? Qt::NoButton : Qt::LeftButton, buttons,
                      Qt::NoModifier);
    QCoreApplication::sendEvent(surface, &event);
  };
  for (int i = 0; i < 3; ++i) {
    mouse(QEvent::MouseMove, QPointF(20, 20), Qt::NoButton);
    mouse(QEvent::MouseButtonPress, QPointF(20, 20), Qt::LeftButton);
    mouse(QEvent::MouseMove, QPointF(90 + i, 40), Qt::LeftButton);
    mouse(QEvent::MouseButtonRelease, QPointF(90 + i, 40), Qt::NoButton);
  }
  EXPECT_TRUE(QTest::qWaitFor([&] { return !canvas.busy(); }, 3000));
  EXPECT_EQ(presses, 3);
  EXPECT_EQ(releases, 3);
  EXPECT_NEAR(released_at.x, 92.0f, 0.6f);
}

}  // namespace
}  // namespace xlab::tests
