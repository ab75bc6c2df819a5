// What of the window is saved with a run, and what is remembered from one start to the next.
#include <QScreen>
#include <QSettings>
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/banner.hpp"
#include "app/file_dialogs.hpp"
#include "app/main_window.hpp"

namespace xlab::app {
namespace {

QString palette_text(ui::PaletteName name) {
  switch (name) {
    case ui::PaletteName::dark:
      return "dark";
    case ui::PaletteName::projector:
      return "projector";
    default:
      return "light";
  }
}

QSettings settings() {
  return QSettings("xlstm-lab", "xlstm-lab");
}

}  // namespace

Screen MainWindow::shown() const {
  Screen shown;
  shown.room = name_of(room_);
  shown.perspective = name_of(perspective_);
  // What is maximised while panels are hidden came after they were.
  const Layout arranged = panels_hidden_ ? before_hiding_
                          : alone_       ? before_maximise_
                                         : present_layout();
  shown.layout = arranged.state;
  shown.layout_version = layout_version();
  shown.scale = arranged.scale;
  shown.fit = static_cast<int>(arranged.fit);
  shown.by_hand = arranged.by_hand;
  shown.panels_hidden = panels_hidden_;
  shown.block = stage_.focus().block;
  shown.head = stage_.focus().head;
  shown.pinned = stage_.focus().pinned;
  for (const ViewDock* dock : views_)
    if (const QString kept = dock->kept(); !kept.isEmpty())
      shown.views.insert(dock->view_name(), kept);
  return shown;
}

void MainWindow::tell_screen() {
  if (!stage_.snapshot().model) return;
  std::string text = to_text(shown());
  if (text == told_screen_) return;
  told_screen_ = text;
  stage_.send(command::SetScreen{std::move(text)});
}

void MainWindow::show_screen() {
  told_screen_.clear();
  const std::shared_ptr<const std::string> text = stage_.snapshot().screen;
  if (!text) return;
  const std::optional<Screen> saved = screen_from(*text);
  const std::optional<Room> room = saved ? room_named(saved->room) : std::nullopt;
  if (!room) {
    banner_->tell(tr("How the window looked when this run was saved cannot be read and is left "
                     "out. Everything else is there."),
                  About::opening);
    return;
  }
  if (!stage_.snapshot().only_selected) show_saved_layout(*room, *saved);
  stage_.set_block(saved->block);
  stage_.set_head(saved->head);
  ui::Focus focus = stage_.focus();
  focus.pinned = saved->pinned;
  stage_.set_focus(focus);
  for (ViewDock* dock : views_)
    if (saved->views.contains(dock->view_name()))
      dock->restore(saved->views.value(dock->view_name()));
}

void MainWindow::show_saved_layout(Room room, const Screen& saved) {
  show_place(room, perspective_named(saved.perspective).value_or(Perspective::memory));
  if (!knows_layout(saved.layout_version)) return;
  restore_others();
  hide_panels(false);
  Layout& layout = layouts_[layout_key()];
  if (shown_) layout = present_layout();
  if (!layout.of_file) own_layouts_[layout_key()] = layout;
  layout = {saved.layout, saved.scale, static_cast<Fit>(std::clamp(saved.fit, 0, 2)), saved.by_hand,
            true};
  if (shown_) show_room();
  hide_panels(saved.panels_hidden);
}

void MainWindow::restore_settings() {
  QSettings kept = settings();
  CanvasLook look = options_.look;
  for (const ui::PaletteName name :
       {ui::PaletteName::light, ui::PaletteName::dark, ui::PaletteName::projector}) {
    if (kept.value("palette") == QVariant(palette_text(name))) look.palette = name;
  }
  bool number = false;
  const float scale = kept.value("scale").toFloat(&number);
  if (number && std::isfinite(scale)) look.scale = scale;
  set_look(look);
  for (int key = 0; key < kLayouts; ++key) {
    const QString name = layout_name(key);
    layouts_[key] = {kept.value("layout/" + name).toByteArray(),
                     kept.value("layout_scale/" + name, stage_.look().scale).toFloat(),
                     static_cast<Fit>(std::clamp(kept.value("layout_fit/" + name).toInt(), 0, 2)),
                     kept.value("layout_by_hand/" + name, true).toBool()};
  }
  set_last_folder(kept.value("folder").toString());
  const QByteArray place = kept.value("geometry").toByteArray();
  if (place.isEmpty() || !restoreGeometry(place)) {
    const QSize room = screen()->availableSize();
    resize(QSize(1360, 860).boundedTo(room * 0.94));
  }
}

void MainWindow::save_settings() {
  restore_others();
  hide_panels(false);
  layouts_[layout_key()] = present_layout();
  QSettings kept = settings();
  kept.setValue("palette", palette_text(stage_.look().palette));
  kept.setValue("scale", stage_.look().scale);
  kept.setValue("geometry", saveGeometry());
  kept.setValue("folder", last_folder());
  for (int key = 0; key < kLayouts; ++key) {
    const Layout shown = layouts_.value(key);
    // How a run was saved is the run's, unless somebody went on from there.
    const Layout layout = shown.of_file ? own_layouts_.value(key) : shown;
    const QString name = layout_name(key);
    kept.setValue("layout/" + name, layout.state);
    kept.setValue("layout_scale/" + name, layout.scale);
    kept.setValue("layout_fit/" + name, static_cast<int>(layout.fit));
    kept.setValue("layout_by_hand/" + name, layout.by_hand);
  }
}

}  // namespace xlab::app
