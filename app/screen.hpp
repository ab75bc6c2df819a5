// What of the window is saved with a run: which room, its layout, what is selected, and what views
// keep.
#pragma once

#include <QByteArray>
#include <QMap>
#include <QString>
#include <optional>
#include <string>

#include "ui/focus.hpp"

namespace xlab::app {

struct Screen {
  QString room;            ///< "explore", "train" or "generate"
  QString perspective;     ///< of the first room; empty where an earlier program saved it
  QByteArray layout;       ///< as QMainWindow keeps it
  int layout_version = 0;  ///< of the docks that the layout speaks of
  float scale = 1.0f;      ///< size of text that the layout was made for; it is not changed
  int fit = 0;             ///< how much room it was made for, a `Fit`
  bool by_hand = true;     ///< somebody arranged it; else it is made anew for another room
  bool panels_hidden = false;
  int block = 0, head = 0;
  std::optional<ui::ValueRef> pinned;
  QMap<QString, QString> views;  ///< what each view keeps, by its name
};

/// Versioned JSON.
std::string to_text(const Screen& screen);
/// Nothing when the text, which may come from strangers, is no such JSON.
std::optional<Screen> screen_from(const std::string& text);

}  // namespace xlab::app
