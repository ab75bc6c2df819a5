// Layouts keep their shape, the keyboard reaches everything and lets go of it, messages end with
// what they speak of.
#include <QCheckBox>
#include <QDockWidget>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSettings>
#include <QSpinBox>
#include <QStatusBar>
#include <QTabBar>
#include <QToolBar>
#include <QToolButton>
#include <QTreeWidget>
#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "app/dock.hpp"
#include "app_answers.hpp"
#include "app_window.hpp"

namespace xlab::tests {
namespace {

using app::Room;

class Layouts : public WindowTest {
 protected:
  void expect_same(const std::map<std::string, QRect>& before,
                   const std::map<std::string, QRect>& after, int most = 0) {
    for (const auto& [name, place] : before) {
      const QRect now = after.at(name);
      const int off = std::max({std::abs(now.x() - place.x()), std::abs(now.y() - place.y()),
                                std::abs(now.width() - place.width()),
                                std::abs(now.height() - place.height())});
      EXPECT_LE(off, most) << name << ": " << place.x() << "," << place.y() << " " << place.width()
                           << "x" << place.height() << " became " << now.x() << "," << now.y()
                           << " " << now.width() << "x" << now.height();
    }
  }

  QWidget* tool(const QString& name) {
    for (QToolButton* button :
         window_->findChild<QToolBar*>("tool_bar")->findChildren<QToolButton*>())
      if (button->accessibleName() == name) return button;
    return nullptr;
  }
};

TEST_F(Layouts, FormsAreReadWholeAtLargeText) {
  for (const QSize size : {QSize(1280, 800), QSize(1366, 768), QSize(1920, 1080)}) {
    for (const float scale : {1.0f, 1.25f, 1.5f, 1.75f, 2.0f}) {
      window_->resize(size);
      window_->set_look({.scale = scale});
      for (const Room room : {Room::explore, Room::train, Room::generate}) {
        window_->set_room(room);
        settle();
        for (QScrollArea* area : window_->findChildren<QScrollArea*>()) {
          const auto* dock = qobject_cast<QDockWidget*>(area->parentWidget()->parentWidget());
          if (!dock || !dock->isVisible() || dock->visibleRegion().isEmpty()) continue;
          EXPECT_EQ(area->horizontalScrollBar()->maximum(), 0)
              << dock->objectName().toStdString() << " at " << size.width() << "x" << size.height()
              << ", " << scale << ", room " << static_cast<int>(room);
        }
      }
    }
  }
}

TEST_F(Layouts, FormsStayWholeWhenTheWindowShrinks) {
  const auto cut = [this] {
    QStringList names;
    for (const QScrollArea* area : window_->findChildren<QScrollArea*>()) {
      if (area->isVisible() && !area->visibleRegion().isEmpty() &&
          area->horizontalScrollBar()->maximum() != 0)
        names.append(area->parentWidget()->objectName());
    }
    return names.join(", ");
  };
  for (const Room room : {Room::train, Room::generate}) {
    window_->resize(1500, 900);
    window_->set_room(room);
    QTest::qWait(100);
    for (const QSize size : {QSize(1000, 700), QSize(800, 600)}) {
      window_->resize(size);
      QTest::qWait(100);
      // On a busy machine the window comes to rest later.
      EXPECT_TRUE(QTest::qWaitFor([&] { return cut().isEmpty(); }, 3000))
          << size.width() << " " << qPrintable(cut());
    }
  }
}

TEST_F(Layouts, SizesThatSomebodyChoseOutlastRoomsAndWindowSizes) {
  window_->resize(1500, 900);
  window_->set_room(Room::train);
  QTest::qWait(100);
  QDockWidget* const trainer = dock("panel_trainer");
  const int wide = trainer->width() + 160;
  window_->resizeDocks({trainer}, {wide}, Qt::Horizontal);
  QTest::qWait(50);
  window_->set_room(Room::explore);
  window_->set_room(Room::train);
  window_->resize(1520, 900);
  QTest::qWait(100);
  EXPECT_GT(trainer->width(), wide - 60);
}

TEST_F(Layouts, TheBlocksOfAModelAreReadWithoutScrolling) {
  QDockWidget* model = window_->findChild<QDockWidget*>("panel_model");
  for (const float scale : {1.0f, 1.5f}) {
    window_->set_look({.scale = scale});
    for (const Room room : {Room::explore, Room::train, Room::generate}) {
      window_->set_room(room);
      model->raise();
      settle();
      const auto* blocks = model->findChild<QTreeWidget*>();
      EXPECT_EQ(blocks->verticalScrollBar()->maximum(), 0)
          << scale << " " << static_cast<int>(room);
      EXPECT_EQ(blocks->horizontalScrollBar()->maximum(), 0)
          << scale << " " << static_cast<int>(room);
    }
  }
}

/// How well two colours can be told apart, from 1 to 21 (WCAG 2).
double contrast(const QColor& a, const QColor& b) {
  const auto light = [](const QColor& colour) {
    const auto part = [](double c) {
      return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * part(colour.redF()) + 0.7152 * part(colour.greenF()) +
           0.0722 * part(colour.blueF());
  };
  const double one = light(a) + 0.05, other = light(b) + 0.05;
  return std::max(one, other) / std::min(one, other);
}

TEST_F(Layouts, TheTitleOfADetachedPanelIsReadable) {
  for (const ui::PaletteName palette :
       {ui::PaletteName::light, ui::PaletteName::dark, ui::PaletteName::projector}) {
    for (const bool look_first : {true, false}) {
      if (look_first) window_->set_look({.palette = palette});
      view("memory").detach(true);
      if (!look_first) window_->set_look({.palette = palette});
      QTest::qWait(50);
      QWidget* title = view("memory").titleBarWidget();
      const QImage picture = title->grab().toImage();
      const double density = picture.devicePixelRatio();
      const QColor ground = picture.pixelColor(picture.width() / 2, picture.height() - 5);
      QList<QWidget*> parts = title->findChildren<QWidget*>(QString(), Qt::FindDirectChildrenOnly);
      ASSERT_GE(parts.size(), 4);
      for (const QWidget* part : parts) {
        double most = 1.0;
        const QRect place = part->geometry().adjusted(2, 2, -2, -2);
        for (int y = place.top(); y <= place.bottom(); ++y) {
          for (int x = place.left(); x <= place.right(); ++x) {
            const QPoint at(static_cast<int>(x * density), static_cast<int>(y * density));
            if (picture.rect().contains(at))
              most = std::max(most, contrast(ground, picture.pixelColor(at)));
          }
        }
        EXPECT_GT(most, 4.5) << static_cast<int>(palette) << " "
                             << part->accessibleName().toStdString();
      }
      view("memory").detach(false);
      window_->set_look({});
    }
  }
}

TEST_F(Layouts, HidingThePanelsTwentyTimesMovesNothing) {
  for (const Room room : {Room::explore, Room::train, Room::generate}) {
    window_->set_room(room);
    const auto before = places();
    for (int i = 0; i < 20; ++i) {
      key(Qt::Key_F9);
      QTest::qWait(5);
      if (i == 0) {
        EXPECT_FALSE(window_->findChild<QWidget*>("panel_model")->isVisible());
      }
      key(Qt::Key_F9);
      QTest::qWait(5);
    }
    expect_same(before, places());
  }
}

TEST_F(Layouts, LargerTextAndBackMovesNothing) {
  for (const Room room : {Room::explore, Room::train, Room::generate}) {
    window_->set_room(room);
    const auto before = places();
    for (int i = 0; i < 6; ++i) {
      window_->set_look({.scale = 2.5f});
      settle();
      window_->set_look({.scale = 1.0f});
      settle();
    }
    // Qt gives back what it saved to within a few pixels, and no more of them each time.
    expect_same(before, places(), 6);
    for (int i = 0; i < 6; ++i) key(Qt::Key_Plus, Qt::ControlModifier);
    settle();
    EXPECT_EQ(window_->stage().look().scale, 2.5f);
    for (int i = 0; i < 6; ++i) key(Qt::Key_Minus, Qt::ControlModifier);
    expect_same(before, places(), 6);
  }
}

TEST_F(Layouts, LargerTextKeepsWhatWasArrangedByHand) {
  view("next").detach(true);
  view("next").detach(false);
  view("memory").hide();
  const auto before = places();
  window_->set_look({.scale = 2.0f});
  settle();
  EXPECT_TRUE(view("memory").isHidden());
  window_->set_look({.scale = 1.0f});
  expect_same(before, places());
}

TEST_F(Layouts, MaximisingAndHidingTogetherComeBack) {
  const auto before = places();
  window_->maximise(&view("memory"));
  key(Qt::Key_F9);
  key(Qt::Key_F9);
  settle();
  expect_same(before, places());
  key(Qt::Key_F9);
  window_->maximise(&view("gates"));
  settle();
  EXPECT_TRUE(view("gates").isVisible());
  window_->maximise(&view("gates"));
  key(Qt::Key_F9);
  expect_same(before, places());
}

TEST(Remembered, ALayoutSurvivesTextSizesHiddenPanelsAndTheNextStart) {
  QSettings("xlstm-lab", "xlstm-lab").clear();
  std::map<int, std::map<QString, QRect>> before;
  const auto geometry = [](app::MainWindow& window) {
    std::map<QString, QRect> places;
    for (QDockWidget* dock :
         window.findChildren<QDockWidget*>(QString(), Qt::FindDirectChildrenOnly)) {
      if (dock->isVisible() && !dock->visibleRegion().isEmpty())
        places[dock->objectName()] = dock->geometry();
    }
    return places;
  };
  const auto open = [] {
    auto window = std::make_unique<app::MainWindow>(
        app::WindowOptions{.canvas = app::CanvasKind::software, .remember = true});
    window->resize(1280, 800);
    window->show();
    EXPECT_TRUE(QTest::qWaitForWindowExposed(window.get()));
    return window;
  };
  {
    auto window = open();
    for (const Room room : {Room::explore, Room::train, Room::generate}) {
      window->set_room(room);
      QTest::qWait(100);
      before[static_cast<int>(room)] = geometry(*window);
      window->set_look({.palette = ui::PaletteName::dark, .scale = 2.5f});
      QTest::qWait(50);
      window->set_look({.palette = ui::PaletteName::dark, .scale = 1.0f});
      QTest::qWait(50);
    }
    QTest::keyClick(window->windowHandle(), Qt::Key_F9);
    window->close_unasked();
  }
  auto window = open();
  EXPECT_EQ(window->stage().look().palette, ui::PaletteName::dark);
  for (const Room room : {Room::explore, Room::train, Room::generate}) {
    window->set_room(room);
    QTest::qWait(100);
    const auto after = geometry(*window);
    ASSERT_EQ(after.size(), before[static_cast<int>(room)].size());
    for (const auto& [name, place] : before[static_cast<int>(room)]) {
      EXPECT_LE((after.at(name).topLeft() - place.topLeft()).manhattanLength(), 12)
          << qPrintable(name) << " in room " << static_cast<int>(room);
      EXPECT_LE(std::abs(after.at(name).width() - place.width()), 12) << qPrintable(name);
      EXPECT_LE(std::abs(after.at(name).height() - place.height()), 12) << qPrintable(name);
    }
  }
  QSettings("xlstm-lab", "xlstm-lab").clear();
}

TEST(Remembered, AnArrangementFromBeforeThereWereSeveralRunsIsKept) {
  QSettings("xlstm-lab", "xlstm-lab").clear();
  const auto open = [] {
    auto window = std::make_unique<app::MainWindow>(
        app::WindowOptions{.canvas = app::CanvasKind::software, .remember = true});
    window->resize(1280, 800);
    window->show();
    EXPECT_TRUE(QTest::qWaitForWindowExposed(window.get()));
    QTest::qWait(100);
    return window;
  };
  QMap<QString, QByteArray> older;
  {
    auto window = open();
    auto* runs = window->findChild<QDockWidget*>("panel_runs");
    // Those that it had, whatever there is now.
    QStringList names = {"view_time",  "view_gates",     "view_memory",  "view_loss",
                         "view_next",  "view_inspector", "view_health",  "panel_model",
                         "panel_task", "panel_trainer",  "panel_prompt", "panel_text"};
    names.sort();
    const int version = qChecksum(names.join(' ').toUtf8());
    for (const auto& [room, name] : {std::pair{Room::explore, "explore"}, {Room::train, "train"}}) {
      window->set_room(room);
      QTest::qWait(100);
      window->view("memory")->close();
      window->removeDockWidget(runs);
      for (const char* later : {"faces", "stabilizer", "budget", "map", "mixing", "reach",
                                "findings", "fill", "read", "explorer"})
        window->removeDockWidget(window->view(later));
      QTest::qWait(50);
      older[name] = window->saveState(version);
    }
    window->close_unasked();
  }
  {
    QSettings kept("xlstm-lab", "xlstm-lab");
    for (const QString& name : older.keys()) {
      kept.setValue("layout/" + name, older[name]);
      kept.setValue("layout_by_hand/" + name, true);
    }
  }
  auto window = open();
  auto* runs = window->findChild<QDockWidget*>("panel_runs");
  auto* trainer = window->findChild<QDockWidget*>("panel_trainer");
  for (const Room room : {Room::explore, Room::train}) {
    window->set_room(room);
    QTest::qWait(150);
    EXPECT_TRUE(window->view("memory")->isHidden()) << "as somebody left it";
    EXPECT_FALSE(window->view("gates")->isHidden());
    EXPECT_NE(window->dockWidgetArea(runs), Qt::NoDockWidgetArea);
    EXPECT_EQ(runs->isHidden(), room == Room::explore);
    EXPECT_EQ(trainer->visibleRegion().isEmpty(), room == Room::explore) << "it stays in front";
  }
  EXPECT_TRUE(window->tabifiedDockWidgets(trainer).contains(runs));
  QSettings("xlstm-lab", "xlstm-lab").clear();
}

TEST(Remembered, AnArrangementFromBeforeThereWasMemoryMixingIsKept) {
  QSettings("xlstm-lab", "xlstm-lab").clear();
  const auto open = [] {
    auto window = std::make_unique<app::MainWindow>(
        app::WindowOptions{.canvas = app::CanvasKind::software, .remember = true});
    window->resize(1280, 800);
    window->show();
    EXPECT_TRUE(QTest::qWaitForWindowExposed(window.get()));
    QTest::qWait(100);
    return window;
  };
  QByteArray older;
  {
    auto window = open();
    QStringList names = {"view_time",       "view_gates",     "view_memory",  "view_loss",
                         "view_next",       "view_inspector", "view_health",  "view_faces",
                         "view_stabilizer", "view_budget",    "view_map",     "panel_model",
                         "panel_task",      "panel_trainer",  "panel_prompt", "panel_text",
                         "panel_runs"};
    names.sort();
    window->view("memory")->close();
    window->removeDockWidget(window->view("mixing"));
    QTest::qWait(50);
    older = window->saveState(qChecksum(names.join(' ').toUtf8()));
    window->close_unasked();
  }
  {
    QSettings kept("xlstm-lab", "xlstm-lab");
    kept.setValue("layout/explore", older);
    kept.setValue("layout_by_hand/explore", true);
  }
  auto window = open();
  QTest::qWait(150);
  EXPECT_TRUE(window->view("memory")->isHidden()) << "as somebody left it";
  EXPECT_FALSE(window->view("gates")->isHidden());
  EXPECT_TRUE(window->view("mixing")->isHidden()) << "it is there to be shown";
  EXPECT_NE(window->dockWidgetArea(window->view("mixing")), Qt::NoDockWidgetArea);
  QSettings("xlstm-lab", "xlstm-lab").clear();
}

TEST_F(Layouts, EveryPerspectiveShowsItsViews) {
  const std::map<app::Perspective, QStringList> wanted = {
      {app::Perspective::memory, {"gates", "memory", "next", "inspector"}},
      {app::Perspective::stabilizer, {"stabilizer", "inspector"}},
      {app::Perspective::faces, {"faces", "inspector", "next"}},
      {app::Perspective::budget, {"budget", "gates", "inspector", "next"}},
      {app::Perspective::map, {"map", "gates", "memory", "inspector", "next"}},
      {app::Perspective::mixing, {"mixing", "gates", "inspector", "next"}},
      {app::Perspective::explorer, {"explorer", "inspector"}}};
  for (const QSize size : {QSize(1280, 800), QSize(1000, 700), QSize(1920, 1080)}) {
    window_->resize(size);
    for (const auto& [perspective, views] : wanted) {
      SCOPED_TRACE(std::to_string(static_cast<int>(perspective)) + " at " +
                   std::to_string(size.width()));
      window_->set_perspective(perspective);
      QTest::qWait(100);
      for (const QString& name : views) {
        const app::ViewDock& shown = *window_->view(name);
        EXPECT_FALSE(shown.visibleRegion().isEmpty()) << name.toStdString();
        EXPECT_GT(shown.width(), size.width() / 8) << name.toStdString();
        EXPECT_GT(shown.height(), size.height() / 8) << name.toStdString();
      }
    }
  }
  // The room is left and entered again as it was; Back to start is in the first of them.
  window_->set_room(Room::train);
  window_->set_room(Room::explore);
  EXPECT_EQ(window_->perspective(), app::Perspective::explorer);
  QTest::qWait(100);
  EXPECT_FALSE(view("explorer").visibleRegion().isEmpty());
}

TEST_F(Layouts, SmallWindowsAndLargeTextShowPictures) {
  struct Case {
    QSize size;
    float scale;
  };
  for (const Case& c : {Case{{1280, 800}, 2.5f}, Case{{1600, 1000}, 2.5f}, Case{{640, 480}, 1.0f},
                        Case{{1024, 640}, 1.5f}}) {
    SCOPED_TRACE(std::to_string(c.size.width()) + " at " + std::to_string(c.scale));
    window_->set_look({.scale = c.scale});
    // A hand comes down by and by: the layout follows, and then leaves room for less.
    for (int i = 0; i < 3 && window_->size() != c.size; ++i) {
      window_->resize(c.size);
      settle();
    }
    EXPECT_EQ(window_->size(), c.size);
    for (const Room room : {Room::explore, Room::train, Room::generate}) {
      window_->set_room(room);
      settle();
      QWidget* train = tool("Start training");
      ASSERT_NE(train, nullptr);
      EXPECT_TRUE(train->isVisible());
      EXPECT_FALSE(train->visibleRegion().isEmpty()) << "Start training is always there";
      EXPECT_GE(train->width(), train->sizeHint().width()) << "its words are not cut";
      const char* first = room == Room::explore ? "memory" : room == Room::train ? "loss" : "next";
      const QWidget& picture = view(first).canvas();
      EXPECT_TRUE(view(first).canvas().seen()) << first;
      EXPECT_GE(static_cast<float>(picture.width()), 200 * c.scale) << first;
      EXPECT_GE(static_cast<float>(picture.height()), 90 * c.scale) << first;
    }
    window_->set_room(Room::explore);
  }
}

TEST_F(Layouts, EveryTabIsWholeAndEveryPanelFitsItsWidth) {
  struct Case {
    QSize size;
    float scale;
  };
  window_->stage().send(command::SetClamp{
      Clamp{.path = now().model->blocks[0].prefix + "/forget_gate_pre", .value = -12.345f}});
  for (const Case& c : {Case{{640, 480}, 1.0f}, Case{{1280, 800}, 2.5f}, Case{{1280, 800}, 1.0f}}) {
    SCOPED_TRACE(std::to_string(c.size.width()) + " at " + std::to_string(c.scale));
    window_->set_look({.scale = c.scale});
    for (int i = 0; i < 3 && window_->size() != c.size; ++i) {
      window_->resize(c.size);
      settle();
    }
    for (const Room room : {Room::explore, Room::train, Room::generate}) {
      SCOPED_TRACE("room " + std::to_string(static_cast<int>(room)));
      window_->set_room(room);
      settle();
      int tabs_seen = 0;
      for (QTabBar* tabs : window_->findChildren<QTabBar*>(QString(), Qt::FindDirectChildrenOnly)) {
        if (!tabs->isVisible()) continue;
        for (int i = 0; i < tabs->count(); ++i, ++tabs_seen) {
          EXPECT_TRUE(tabs->rect().contains(tabs->tabRect(i))) << qPrintable(tabs->tabText(i));
          EXPECT_GE(tabs->tabRect(i).width(),
                    tabs->fontMetrics().horizontalAdvance(tabs->tabText(i)));
          EXPECT_GE(tabs->tabToolTip(i).size(), tabs->tabText(i).size());
        }
      }
      EXPECT_GE(tabs_seen, 3);
      for (const char* name : {"panel_runs", "panel_model", "panel_task", "panel_trainer",
                               "panel_prompt", "panel_text"}) {
        auto* dock = window_->findChild<QDockWidget*>(name);
        if (dock->isHidden()) continue;
        dock->raise();
        settle();
        auto* scroll = dock->findChild<QScrollArea*>();
        ASSERT_NE(scroll, nullptr);
        EXPECT_EQ(scroll->horizontalScrollBar()->maximum(), 0)
            << name << " is " << scroll->widget()->width() << " wide in "
            << scroll->viewport()->width();
        // A text scrolls by itself, and its button stays in sight.
        if (QString(name) == "panel_text") {
          EXPECT_EQ(scroll->verticalScrollBar()->maximum(), 0);
        }
      }
    }
    window_->set_room(Room::explore);
  }
}

TEST_F(Layouts, TabsSayTheirWholeTitleWhereThereIsRoom) {
  const auto words = [&] {
    settle();
    QStringList found;
    for (QTabBar* tabs : window_->findChildren<QTabBar*>(QString(), Qt::FindDirectChildrenOnly)) {
      for (int i = 0; tabs->isVisible() && i < tabs->count(); ++i) found.append(tabs->tabText(i));
    }
    return found;
  };
  EXPECT_TRUE(words().contains("Prompt and edits")) << qPrintable(words().join(", "));
  window_->set_look({.scale = 2.5f});
  EXPECT_TRUE(words().contains("Prompt")) << qPrintable(words().join(", "));
  EXPECT_TRUE(words().contains("Memory"));
  EXPECT_FALSE(words().contains("Prompt and edits"));
  // The menus name everything by its whole title.
  const QMap<QString, QAction*> actions = menu_actions(*window_);
  EXPECT_TRUE(actions.contains("View/Prompt and edits"));
  EXPECT_TRUE(actions.contains("View/Matrix memory"));
  window_->set_look({.scale = 1.0f});
  EXPECT_TRUE(words().contains("Prompt and edits")) << qPrintable(words().join(", "));
}

TEST_F(Layouts, TheLossIsOnOneLineInANarrowPanel) {
  for (const auto& [size, scale] :
       {std::pair{QSize(1280, 800), 1.0f}, {QSize(640, 480), 1.0f}, {QSize(1280, 800), 2.5f}}) {
    window_->set_look({.scale = scale});
    for (int i = 0; i < 3 && window_->size() != size; ++i) {
      window_->resize(size);
      settle();
    }
    window_->set_room(Room::train);
    settle();
    auto* panel = window_->findChild<QDockWidget*>("panel_trainer");
    panel->raise();
    settle();
    QLabel* loss = nullptr;
    for (QLabel* label : panel->findChildren<QLabel*>("headline")) loss = label;
    ASSERT_NE(loss, nullptr);
    ASSERT_TRUE(loss->text().endsWith("nats")) << qPrintable(loss->text());
    EXPECT_LT(loss->height(), 2 * loss->fontMetrics().lineSpacing()) << size.width();
    EXPECT_GE(loss->width(), loss->fontMetrics().horizontalAdvance(loss->text())) << size.width();
    window_->set_room(Room::explore);
  }
}

TEST_F(Layouts, AWindowGetsAsSmallAsPromisedFromAnySize) {
  for (const QSize from : {QSize(1900, 1150), QSize(1280, 800), QSize(1000, 560)}) {
    for (const QSize to : {QSize(640, 480), QSize(from.width(), 480), QSize(640, from.height())}) {
      for (const Room room : {Room::explore, Room::train, Room::generate}) {
        SCOPED_TRACE(std::to_string(from.width()) + " to " + std::to_string(to.width()) + " x " +
                     std::to_string(to.height()) + ", room " +
                     std::to_string(static_cast<int>(room)));
        window_->resize(from);
        settle();
        window_->set_room(room);
        window_->reset_layout();
        settle();
        // A hand comes by and by.
        for (int i = 1; i <= 20; ++i) {
          window_->resize(from + (to - from) * i / 20);
          QTest::qWait(5);
        }
        window_->resize(to);
        settle();
        EXPECT_EQ(window_->size(), to);
        // A message takes its room from the docks.
        window_->banner().tell("Something went wrong.", app::About::opening);
        settle();
        EXPECT_EQ(window_->size(), to);
        window_->banner().hide();
      }
    }
  }
}

TEST_F(Layouts, TheToolBarGivesWayByRank) {
  const auto shown = [&](const char* name) {
    QWidget* widget = tool(name);
    return widget && widget->isVisible();
  };
  EXPECT_TRUE(shown("Back to start"));
  EXPECT_TRUE(shown("Explore"));
  EXPECT_FALSE(shown("Room"));
  window_->set_look({.scale = 2.5f});
  window_->resize(1000, 700);
  settle();
  EXPECT_FALSE(shown("Back to start"));
  EXPECT_TRUE(shown("Start training"));
  EXPECT_TRUE(shown("Room"));
  auto* rooms = qobject_cast<QToolButton*>(tool("Room"));
  ASSERT_NE(rooms, nullptr);
  rooms->menu()->actions()[1]->trigger();
  EXPECT_EQ(window_->room(), Room::train);
  EXPECT_TRUE(rooms->text().startsWith("Train"));
  window_->set_look({.scale = 1.0f});
  window_->resize(1280, 800);
  settle();
  EXPECT_TRUE(shown("Back to start"));
  EXPECT_TRUE(shown("Train"));
}

TEST_F(Layouts, UndoAndRedoStandInTheToolBar) {
  auto* undo = qobject_cast<QToolButton*>(tool("Undo"));
  auto* redo = qobject_cast<QToolButton*>(tool("Redo"));
  ASSERT_NE(undo, nullptr);
  ASSERT_NE(redo, nullptr);
  const QMap<QString, QAction*> actions = menu_actions(*window_);
  EXPECT_EQ(undo->defaultAction(), actions["Edit/Undo"]);
  EXPECT_EQ(redo->defaultAction(), actions["Edit/Redo"]);
  for (QToolButton* button : {undo, redo}) {
    EXPECT_TRUE(button->isVisible());
    EXPECT_FALSE(button->icon().isNull());
    EXPECT_FALSE(button->isEnabled()) << "there is nothing to take back yet";
    EXPECT_GT(button->x(), window_->width() / 2) << "they stand on the right";
    EXPECT_LT(button->x(), tool("Back to start")->x());
  }
  EXPECT_LT(undo->x(), redo->x());
  const std::vector<int> before = now().sequence.tokens;
  window_->stage().send(command::NewSample{});
  const std::vector<int> after = now().sequence.tokens;
  ASSERT_NE(before, after);
  EXPECT_TRUE(undo->isEnabled());
  EXPECT_FALSE(redo->isEnabled());
  EXPECT_EQ(undo->toolTip(), "Undo new sample (Ctrl+Z)");
  EXPECT_EQ(undo->accessibleName(), "Undo new sample");
  QTest::mouseClick(undo, Qt::LeftButton);
  EXPECT_EQ(now().sequence.tokens, before);
  EXPECT_FALSE(undo->isEnabled());
  EXPECT_TRUE(redo->isEnabled());
  EXPECT_EQ(redo->toolTip(), "Redo new sample (Ctrl+Shift+Z)");
  QTest::mouseClick(redo, Qt::LeftButton);
  EXPECT_EQ(now().sequence.tokens, after);
  // However narrow the window is, nothing in the bar is cut, and Qt hides nothing by itself.
  for (const int width : {1280, 1000, 800, 700, 640}) {
    for (int i = 0; i < 3 && window_->width() != width; ++i) {
      window_->resize(width, 700);
      settle();
    }
    ASSERT_EQ(window_->width(), width);
    auto* bar = window_->findChild<QToolBar*>("tool_bar");
    for (QToolButton* button : bar->findChildren<QToolButton*>()) {
      if (button->objectName() == "qt_toolbar_ext_button") {
        EXPECT_FALSE(button->isVisible()) << width;
      } else if (button->isVisible()) {
        EXPECT_TRUE(bar->rect().contains(button->geometry())) << qPrintable(button->toolTip());
        EXPECT_GE(button->width(), button->sizeHint().width()) << qPrintable(button->toolTip());
      }
    }
  }
}

TEST_F(Layouts, ADetachedDockIsAWindowBesideTheOthers) {
  window_->move(0, 0);
  QTest::qWait(50);
  view("memory").detach(true);
  settle();
  ASSERT_TRUE(view("memory").isFloating());
  const QRect main = window_->frameGeometry(), dock = view("memory").frameGeometry();
  if (window_->screen()->availableGeometry().width() > main.width() + dock.width() + 20) {
    EXPECT_FALSE(main.intersects(dock));
  } else {
    EXPECT_NE(main.topLeft(), dock.topLeft());
  }
  // A frame all around it, in the colour of what is selected.
  const QColor accent = app::theme(window_->stage().look().palette).accent;
  const auto framed = [&] {
    const QImage picture = view("memory").grab().toImage();
    bool left = false, right = false, bottom = false;
    for (int i = 0; i < 8; ++i) {
      left = left || picture.pixelColor(i, picture.height() / 2) == accent;
      right = right || picture.pixelColor(picture.width() - 1 - i, picture.height() / 2) == accent;
      bottom =
          bottom || picture.pixelColor(picture.width() / 2, picture.height() - 1 - i) == accent;
    }
    return left && right && bottom;
  };
  EXPECT_TRUE(framed());
  view("memory").detach(false);
  settle();
  EXPECT_FALSE(view("memory").isFloating());
  EXPECT_FALSE(framed());
}

TEST_F(Layouts, TabReachesEveryControlAndShiftTabGoesBack) {
  for (const Room room : {Room::explore, Room::train, Room::generate}) {
    window_->set_room(room);
    settle();
    view("time").canvas().setFocus();
    QWidget* const start = QApplication::focusWidget();
    ASSERT_NE(start, nullptr);
    QList<QWidget*> walked;
    for (int i = 0; i < 400; ++i) {
      QTest::keyClick(window_->windowHandle(), Qt::Key_Tab);
      QWidget* at = QApplication::focusWidget();
      ASSERT_NE(at, nullptr);
      // Inside a drawing it goes from control to control.
      if (at == (walked.isEmpty() ? start : walked.last())) continue;
      if (at == start) break;
      ASSERT_FALSE(walked.contains(at))
          << "Tab turns in a circle at " << qPrintable(at->accessibleName()) << " "
          << at->metaObject()->className();
      walked.append(at);
    }
    EXPECT_EQ(QApplication::focusWidget(), start) << "Tab never came round";
    for (QWidget* widget : window_->findChildren<QWidget*>()) {
      const QDockWidget* dock = nullptr;
      for (QWidget* up = widget; up && !dock; up = up->parentWidget())
        dock = qobject_cast<QDockWidget*>(up);
      const bool behind = dock && dock->visibleRegion().isEmpty();
      const bool wants = (widget->focusPolicy() & Qt::TabFocus) == Qt::TabFocus;
      if (!widget->isVisible() || !widget->isEnabled() || !wants || behind) continue;
      if (widget == start || widget->focusProxy()) continue;
      EXPECT_TRUE(walked.contains(widget))
          << widget->metaObject()->className() << " " << qPrintable(widget->accessibleName());
    }
    for (QWidget* at : walked) {
      for (QWidget* up = at; up; up = up->parentWidget()) {
        if (qobject_cast<QDockWidget*>(up)) {
          EXPECT_FALSE(up->visibleRegion().isEmpty())
              << "the focus went behind a tab: " << qPrintable(up->objectName());
        }
      }
    }
    QList<QWidget*> back;
    for (int i = 0; i < 400 && back.size() < walked.size() + 1; ++i) {
      QTest::keyClick(window_->windowHandle(), Qt::Key_Backtab, Qt::ShiftModifier);
      QWidget* at = QApplication::focusWidget();
      if (at != (back.isEmpty() ? start : back.first())) back.prepend(at);
    }
    ASSERT_FALSE(back.isEmpty());
    EXPECT_EQ(back.first(), start);
    back.removeFirst();
    EXPECT_EQ(back, walked);
  }
}

TEST_F(Layouts, ADrawingReachedByTabHasARing) {
  view("time").canvas().setFocus();
  const QImage plain = view("gates").grab().toImage();
  for (int i = 0; i < 400 && !view("gates").canvas().hasFocus(); ++i)
    QTest::keyClick(window_->windowHandle(), Qt::Key_Tab);
  ASSERT_TRUE(view("gates").canvas().hasFocus());
  settle();
  const QColor accent = app::theme(window_->stage().look().palette).accent;
  const QImage ringed = view("gates").grab().toImage();
  EXPECT_EQ(ringed.pixelColor(0, ringed.height() / 2), accent);
  EXPECT_NE(plain.pixelColor(0, plain.height() / 2), accent);
  for (int i = 0; i < 40 && view("gates").canvas().hasFocus(); ++i)
    QTest::keyClick(window_->windowHandle(), Qt::Key_Tab);
  settle();
  EXPECT_NE(view("gates").grab().toImage().pixelColor(0, ringed.height() / 2), accent);
}

TEST_F(Layouts, TheKeyboardPressesAndTurnsWhatIsDrawn) {
  app::Canvas& canvas = view("time").canvas();
  canvas.setFocus();
  const auto press = [&](Qt::Key key) {
    QTest::keyClick(window_->windowHandle(), key);
    settle();
  };
  const auto sequence = [&] { return window_->stage().snapshot().sequence; };
  ASSERT_GT(sequence().cursor, 0);
  const bool played = sequence().playing;
  const QImage without = canvas.grab().toImage();
  press(Qt::Key_Tab);
  EXPECT_TRUE(canvas.stops().any_chosen());
  EXPECT_NE(canvas.grab().toImage(), without) << "no ring around the control";
  press(Qt::Key_Space);
  EXPECT_TRUE(QTest::qWaitFor([&] { return sequence().cursor == 0; }, 5000)) << "Rewind";
  EXPECT_EQ(sequence().playing, played) << "Space is not the window's here";
  press(Qt::Key_Tab);  // past Back, which can do nothing at the first token
  press(Qt::Key_Tab);
  press(Qt::Key_Return);
  EXPECT_TRUE(QTest::qWaitFor([&] { return sequence().cursor == 1; }, 5000)) << "Step";
  press(Qt::Key_Tab);
  const double speed = sequence().tokens_per_second;
  press(Qt::Key_Right);
  EXPECT_TRUE(QTest::qWaitFor([&] { return sequence().tokens_per_second > speed; }, 5000));
  EXPECT_EQ(sequence().cursor, 1) << "the arrow is not the window's here";
  press(Qt::Key_Escape);
  EXPECT_FALSE(canvas.stops().any_chosen());
  EXPECT_TRUE(canvas.hasFocus());
  press(Qt::Key_Right);
  EXPECT_TRUE(QTest::qWaitFor([&] { return sequence().cursor == 2; }, 5000))
      << "and is so again without a control";
  // A click takes the keys from the control, and so does leaving.
  press(Qt::Key_Tab);
  ASSERT_TRUE(canvas.stops().any_chosen());
  QTest::mouseClick(canvas.childAt(canvas.rect().center()), Qt::LeftButton, {}, {2, 2});
  EXPECT_FALSE(canvas.stops().any_chosen());
  press(Qt::Key_Tab);
  ASSERT_TRUE(canvas.stops().any_chosen());
  view("gates").canvas().setFocus();
  EXPECT_FALSE(canvas.stops().any_chosen());
}

TEST_F(Layouts, AMouseAtRestDoesNotCoverWhatTheKeysTurn) {
  app::Canvas& canvas = view("gates").canvas();
  const auto& hovered = window_->stage().focus().hovered;
  const auto point_at_a_value = [&] {
    for (int y = 40; y < canvas.height() && !hovered; y += 6) {
      QTest::mouseMove(canvas.childAt(canvas.rect().center()), {canvas.width() - 60, y});
      settle();
    }
    return hovered.has_value();
  };
  ASSERT_TRUE(point_at_a_value());
  canvas.setFocus();
  QTest::keyClick(window_->windowHandle(), Qt::Key_Tab);
  settle();
  ASSERT_TRUE(canvas.stops().any_chosen());
  EXPECT_FALSE(hovered.has_value()) << "its card lies over the controls";
  EXPECT_TRUE(point_at_a_value()) << "a mouse that moves counts again";
}

TEST_F(Layouts, ReturnPressesAButtonThatHasTheKeys) {
  for (const Qt::Key key : {Qt::Key_Return, Qt::Key_Space, Qt::Key_Enter}) {
    app::ViewDock& dock = view("gates");
    QToolButton* table = nullptr;
    for (QToolButton* button : dock.findChildren<QToolButton*>())
      if (button->isCheckable() && button->isVisible() && !table) table = button;
    ASSERT_NE(table, nullptr);
    const bool before = table->isChecked();
    table->setFocus();
    QTest::keyClick(window_->windowHandle(), key);
    settle();
    EXPECT_EQ(table->isChecked(), !before) << key;
  }
}

TEST_F(Layouts, KeysAreTheWindowsAgainAfterAField) {
  // Return in the prompt, then T trains.
  auto* prompt = window_->findChild<QDockWidget*>("panel_prompt")->findChild<QLineEdit*>();
  if (prompt) {
    prompt->setFocus();
    QTest::keyClick(prompt, Qt::Key_Return);
    settle();
    EXPECT_FALSE(prompt->hasFocus());
    const auto training = [&] {
      return window_->stage().snapshot().train.state == TrainState::running;
    };
    key(Qt::Key_T);
    EXPECT_TRUE(QTest::qWaitFor(training, 5000));
    key(Qt::Key_T);
    EXPECT_TRUE(QTest::qWaitFor([&] { return !training(); }, 5000));
  }
  // A number, then Space plays.
  window_->set_room(Room::train);
  window_->stage().send(command::Rewind{});
  settle();
  auto* limit = window_->findChild<QDockWidget*>("panel_trainer")->findChild<QSpinBox*>();
  ASSERT_NE(limit, nullptr);
  limit->setFocus();
  limit->selectAll();
  QTest::keyClicks(limit, "40");
  QTest::keyClick(limit, Qt::Key_Return);
  settle();
  EXPECT_FALSE(limit->hasFocus());
  EXPECT_EQ(limit->value(), 40);
  key(Qt::Key_Space);
  EXPECT_TRUE(now().sequence.playing);
  key(Qt::Key_Space);
  // A click on an empty part lets go as well; one on another control does not.
  limit->setFocus();
  QWidget* panel = window_->findChild<QWidget*>("dock_title");
  ASSERT_NE(panel, nullptr);
  for (QWidget* title : window_->findChildren<QWidget*>("dock_title"))
    if (title->isVisible() && !title->visibleRegion().isEmpty()) panel = title;
  QTest::mouseClick(window_->windowHandle(), Qt::LeftButton, Qt::NoModifier,
                    panel->mapTo(window_.get(), QPoint(panel->width() / 2, 3)));
  EXPECT_FALSE(limit->hasFocus());
  EXPECT_NE(qobject_cast<app::Canvas*>(QApplication::focusWidget()), nullptr);
}

TEST_F(Layouts, EveryFieldOfTheBarsSaysWhatItIs) {
  window_->stage().send(command::Train{});
  QTest::qWait(1300);
  int seen = 0;
  for (QWidget* bar : {static_cast<QWidget*>(window_->statusBar()),
                       static_cast<QWidget*>(window_->findChild<QToolBar*>("tool_bar"))}) {
    for (QWidget* part : bar->findChildren<QWidget*>()) {
      const bool speaks = qobject_cast<QLabel*>(part) || qobject_cast<QAbstractButton*>(part);
      if (!speaks || !part->isVisible() || part->objectName() == "qt_toolbar_ext_button") continue;
      ++seen;
      auto* label = qobject_cast<QLabel*>(part);
      EXPECT_GE(part->toolTip().size(), 4)
          << qPrintable(part->accessibleName() + (label ? label->text() : QString()));
    }
  }
  EXPECT_GE(seen, 12);
  QString frame;
  for (QLabel* label : window_->statusBar()->findChildren<QLabel*>())
    if (label->text().startsWith("frame ")) frame = label->toolTip();
  EXPECT_TRUE(frame.contains("Gates: ")) << qPrintable(frame);
  EXPECT_TRUE(frame.contains("ms")) << qPrintable(frame);
  window_->stage().send(command::Pause{});
}

TEST_F(Layouts, TheSpeedKeepsItsDigits) {
  window_->stage().send(command::SetPlaySpeed{0.25});
  settle();
  QString speed;
  for (QLabel* label : window_->findChild<QToolBar*>("tool_bar")->findChildren<QLabel*>())
    if (label->text().contains("tokens/s")) speed = label->text();
  EXPECT_EQ(speed, "0.25 tokens/s");
}

TEST_F(Layouts, MessagesEndWithWhatTheySpeakOf) {
  const QTemporaryDir folder;
  app::Banner& banner = window_->banner();
  const auto told = [&] {
    return QTest::qWaitFor([&] { return !banner.sentence().isEmpty(); }, 5000);
  };
  // A save that failed, until one does not.
  window_->stage().send(command::Save{"/nowhere/at/all.xlab"});
  ASSERT_TRUE(told());
  window_->stage().send(command::TrainOneStep{});
  settle();
  EXPECT_FALSE(banner.sentence().isEmpty());
  window_->stage().send(command::Save{folder.filePath("kept.xlab").toStdString()});
  settle();
  EXPECT_TRUE(banner.sentence().isEmpty());
  // A prompt that was refused, until there is another.
  window_->stage().send(command::SetPrompt{"no such token"});
  ASSERT_TRUE(told());
  window_->stage().send(command::SetPrompt{now().model->vocabulary[1]});
  settle();
  EXPECT_TRUE(banner.sentence().isEmpty());
  // Training that stopped, until it goes on; and every one of them, until another run is opened.
  const auto stops = [&] {
    banner.tell("Training paused at step 489.", app::About::training);
    EXPECT_FALSE(banner.sentence().isEmpty());
  };
  stops();
  window_->stage().send(command::Train{});
  EXPECT_TRUE(QTest::qWaitFor([&] { return banner.sentence().isEmpty(); }, 5000));
  window_->stage().send(command::Pause{});
  settle();
  stops();
  window_->stage().send(command::NewRun{.task = "parity", .spec_json = {}});
  settle();
  EXPECT_TRUE(banner.sentence().isEmpty());
  // A file that could not be opened, until one is.
  window_->open("/nowhere/at/all.xlab");
  ASSERT_TRUE(told());
  window_->open(folder.filePath("kept.xlab"));
  settle();
  EXPECT_TRUE(QTest::qWaitFor([&] { return banner.sentence().isEmpty(); }, 5000));
  // A picture that could not be written, until one is.
  Answers answers;
  answers.files = {"/nowhere/at/all.png", folder.filePath("p.png")};
  view("gates").export_picture(1.0);
  EXPECT_TRUE(QTest::qWaitFor([&] { return !banner.sentence().isEmpty(); }, 5000));
  view("gates").export_picture(1.0);
  EXPECT_TRUE(QTest::qWaitFor([&] { return banner.sentence().isEmpty(); }, 5000));
}

TEST(Remembered, AFileThatCannotBeOpenedIsToldOverTheFirstScene) {
  app::MainWindow window({.canvas = app::CanvasKind::software, .remember = false});
  window.show();
  window.open("/nowhere/at/all.xlab");
  ASSERT_TRUE(QTest::qWaitFor([&] { return window.stage().snapshot().model != nullptr; }, 10000));
  QTest::qWait(200);
  EXPECT_FALSE(window.banner().sentence().isEmpty());
}

TEST_F(Layouts, ALongerMessageHasItsRoomAtOnce) {
  window_->resize(1280, 800);
  const auto label = [&] {
    for (QLabel* one : window_->banner().findChildren<QLabel*>())
      if (one->isVisible()) return one;
    return static_cast<QLabel*>(nullptr);
  };
  QString sentence = "A file could not be read.";
  for (const int times : {1, 9, 30, 1, 17}) {
    SCOPED_TRACE(times);
    window_->banner().tell(QStringList(QList<QString>(times, sentence)).join(" "),
                           app::About::opening);
    settle();
    ASSERT_NE(label(), nullptr);
    EXPECT_GE(label()->height(), label()->heightForWidth(label()->width()));
  }
}

TEST_F(Layouts, NothingInTheStatusBarIsCut) {
  window_->stage().send(command::DuplicateRun{now().focused_run});
  window_->stage().send(command::Train{});
  const auto words = [&] {
    QStringList all;
    for (const QWidget* child : window_->statusBar()->findChildren<QWidget*>()) {
      const auto* label = qobject_cast<const QLabel*>(child);
      const auto* chip = qobject_cast<const QToolButton*>(child);
      if ((!label && !chip) || !child->isVisible()) continue;
      all.append(label ? label->text() : chip->text());
      EXPECT_GE(child->width(), child->sizeHint().width()) << qPrintable(all.last());
      EXPECT_TRUE(window_->statusBar()->rect().contains(child->geometry()))
          << qPrintable(all.last());
    }
    return all.join(" | ");
  };
  for (const float scale : {1.0f, 2.0f, 2.5f}) {
    for (const QSize size : {QSize(1280, 800), QSize(800, 600), QSize(640, 480)}) {
      SCOPED_TRACE(std::to_string(scale) + ", " + std::to_string(size.width()));
      window_->resize(size);
      window_->set_look({.scale = scale});
      // Numbers come twice a second.
      QTest::qWait(1300);
      const QString all = words();
      EXPECT_TRUE(all.contains("CPU")) << qPrintable(all);
      if (scale == 1.0f && size.width() == 1280) {
        EXPECT_TRUE(all.contains("steps/s") && all.contains("tokens/s") && all.contains("frame"))
            << qPrintable(all);
      }
    }
  }
}

TEST_F(Layouts, BackToStartOpensTheUntouchedFirstScene) {
  const std::vector<int> tokens = now().sequence.tokens;
  const std::int64_t step = now().train.step;
  window_->stage().send(command::NewRun{.task = "parity", .spec_json = {}});
  settle();
  window_->set_room(Room::train);
  auto* button = qobject_cast<QToolButton*>(tool("Back to start"));
  ASSERT_NE(button, nullptr);
  QTest::mouseClick(button, Qt::LeftButton);
  ASSERT_TRUE(QTest::qWaitFor(
      [&] {
        window_->first_run().skip();
        return window_->stage().snapshot().data->task == "recall" &&
               window_->first_run().finished() && !window_->stage().focus().hint.empty();
      },
      20000));
  EXPECT_EQ(window_->room(), Room::explore);
  EXPECT_EQ(now().sequence.tokens, tokens);
  EXPECT_EQ(now().train.step, step);
  EXPECT_FALSE(now().unsaved);
}

}  // namespace
}  // namespace xlab::tests
