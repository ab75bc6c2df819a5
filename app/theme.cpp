// The style sheet, and the few symbols, drawn so that they follow the palette.
#include "app/theme.hpp"

#include <QApplication>
#include <QPainter>
#include <QPainterPath>
#include <QPalette>
#include <QPixmap>
#include <QPolygonF>
#include <QTransform>
#include <algorithm>
#include <cmath>

#include "app/canvas_fonts.hpp"

namespace xlab::app {
namespace {

QColor qt_colour(ImU32 c) {
  return {static_cast<int>(c & 0xffu), static_cast<int>((c >> 8) & 0xffu),
          static_cast<int>((c >> 16) & 0xffu)};
}

QColor mix(const QColor& a, const QColor& b, double share) {
  const auto part = [share](int x, int y) {
    return static_cast<int>(std::lround(x + (y - x) * share));
  };
  return {part(a.red(), b.red()), part(a.green(), b.green()), part(a.blue(), b.blue())};
}

// The font stands here and not in QApplication::setFont, which widgets under a style sheet follow
// only at the next change of the sheet.
constexpr const char* kStyleSheet = R"(
QWidget { font-family: "DejaVu Sans"; font-size: @text_size; }
QPlainTextEdit { font-family: "DejaVu Sans Mono"; }
QMainWindow, QDialog { background: @window; }
QMainWindow::separator { background: @window; width: @gap; height: @gap; }
QMainWindow::separator:hover { background: @accent; }
QMenuBar { background: @window; padding: 2px 4px; }
QMenuBar::item { padding: 3px 9px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: @soft; }
QMenu { background: @panel; border: 1px solid @line; padding: 4px; }
QMenu::item { padding: 4px 26px 4px 22px; border-radius: 4px; }
QMenu::item:selected { background: @soft; color: @text; }
QMenu::item:disabled { color: @faint; }
QMenu::separator { height: 1px; background: @line; margin: 4px 8px; }
QToolBar { background: @window; border: none; padding: @half @gap; spacing: 4px; }
QToolBar::separator { background: @line; width: 1px; margin: 6px 8px; }
QToolBar QToolButton { border: 1px solid transparent; border-radius: 6px; padding: @half @gap; }
QToolBar QToolButton:hover { background: @soft; }
QToolBar QToolButton:checked { background: @accent; color: @on_accent; }
QToolBar QToolButton:focus { border: 1px solid @accent; }
QToolBar QToolButton::menu-indicator { image: none; width: 0px; }
QToolBar QToolButton#room_menu { background: @accent; color: @on_accent; }
QToolBar QToolButton#room_menu:focus { border: 1px solid @text; }
QToolBarExtension { background: @panel; border: 1px solid @line; border-radius: 4px; padding: 0px; min-width: @knob2; }
QStatusBar { background: @window; color: @muted; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: @muted; padding: 0 @gap; }
QToolButton#chip { color: @text; background: @panel; border: 1px solid @line; border-radius: @round; padding: 1px @gap; }
QToolButton#chip:hover, QToolButton#chip:focus { border-color: @accent; }
QToolButton#chip::menu-indicator { image: none; width: 0px; }
QDockWidget { titlebar-close-icon: none; }
QWidget#dock_body { background: @panel; border: 1px solid @line; border-top: none; border-bottom-left-radius: 6px; border-bottom-right-radius: 6px; }
QWidget#dock_title { background: @panel; border: 1px solid @line; border-bottom: none; border-top-left-radius: 6px; border-top-right-radius: 6px; }
QWidget#dock_title QLabel { font-weight: bold; color: @text; }
QWidget#dock_title QToolButton { border: 1px solid transparent; border-radius: 4px; padding: 1px; }
QWidget#dock_title QToolButton:hover { background: @soft; }
QWidget#dock_title QToolButton:checked { background: @soft; border-color: @accent; }
QWidget#dock_title QToolButton:focus { border-color: @accent; }
QWidget#dock_title QToolButton::menu-indicator { image: none; width: 0px; }
QWidget#dock_title[floating="true"] { background: @accent; border: 2px solid @accent; }
QWidget#dock_title[floating="true"] QLabel { color: @on_accent; }
QWidget#dock_title[floating="true"] QToolButton:hover, QWidget#dock_title[floating="true"] QToolButton:checked { background: @accent_dark; }
QWidget#dock_title[floating="true"] QToolButton:focus, QWidget#dock_title[floating="true"] QToolButton:checked { border-color: @on_accent; }
QWidget#dock_body[floating="true"] { border: 2px solid @accent; border-top: none; }
QWidget#dock_body[focused="true"] { border: 2px solid @accent; border-top: none; }
QTabBar { qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: @muted; padding: 4px 12px; border: none; border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: @text; border-bottom-color: @accent; }
QTabBar::tab:hover { color: @text; }
QTabBar::scroller { width: @knob2; }
QPlainTextEdit#field { font-family: "DejaVu Sans"; background: @field; border: 1px solid @edge; border-radius: 5px; padding: 0 4px; }
QPlainTextEdit#field:focus { border: 1px solid @accent; }
QTreeView#runs::indicator { width: @tick; height: @tick; }
QTreeView#runs::indicator:unchecked { border: 1px solid @muted; border-radius: 2px; background: @field; }
QLineEdit#cell_editor { padding: 0 2px; min-height: 0px; border-radius: 0px; }
QPlainTextEdit#prose { font-family: "DejaVu Sans"; }
QToolButton#menu_button { background: @field; color: @text; border: 1px solid @edge; border-radius: 5px; padding: 3px 18px 3px 8px; min-height: @control; }
QToolButton#menu_button:hover, QToolButton#menu_button:focus { border-color: @accent; }
QToolButton#menu_button:disabled { color: @faint; border-color: @line; }
QToolButton#menu_button::menu-indicator { image: none; width: 0px; height: 0px; right: 6px; subcontrol-position: center right; border-left: 4px solid @field; border-right: 4px solid @field; border-top: 5px solid @muted; }
QTabBar::tab:focus { color: @text; background: @soft; }
QCheckBox { border: 1px solid transparent; border-radius: 4px; padding: 1px; }
QCheckBox:focus { border: 1px solid @accent; }
QCheckBox::indicator:unchecked:enabled { border: 1px solid @muted; border-radius: 2px; background: @field; }
QPushButton, QComboBox, QLineEdit, QSpinBox, QDoubleSpinBox { background: @field; color: @text; border: 1px solid @edge; border-radius: 5px; padding: 3px 8px; min-height: @control; }
QPushButton:hover, QComboBox:hover { border-color: @accent; }
QPushButton:pressed { background: @soft; }
QPushButton:disabled, QLineEdit:disabled, QComboBox:disabled, QSpinBox:disabled { color: @faint; border-color: @line; }
QPushButton:focus, QComboBox:focus, QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus { border: 1px solid @accent; }
QPushButton#primary { background: @accent; color: @on_accent; border-color: @accent; font-weight: bold; }
QPushButton#primary:hover { background: @accent_dark; }
QPushButton#primary:focus { border: 2px solid @text; }
QComboBox QAbstractItemView { background: @panel; color: @text; selection-background-color: @soft; selection-color: @text; border: 1px solid @line; }
QComboBox::drop-down { border: none; width: @knob2; }
QComboBox::down-arrow { image: none; width: 0px; height: 0px; border-left: 4px solid @field; border-right: 4px solid @field; border-top: 5px solid @muted; }
QSlider:horizontal { min-height: @knob2; }
QSlider::groove:horizontal { height: 4px; background: @line; border-radius: 2px; }
QSlider::sub-page:horizontal { background: @accent; border-radius: 2px; }
QSlider::handle:horizontal { background: @panel; border: 2px solid @accent; width: @knob; height: @knob; margin: -@knob_margin 0; border-radius: @knob_round; }
QSlider::handle:horizontal:focus { background: @accent; }
QTableView, QTreeView, QTextBrowser, QPlainTextEdit { background: @panel; color: @text; border: none; gridline-color: @line; alternate-background-color: @window; selection-background-color: @soft; selection-color: @text; }
QTableView:focus, QTreeView:focus, QTextBrowser:focus, QPlainTextEdit:focus { border: 1px solid @accent; }
QHeaderView { background: @panel; }
QHeaderView::section { background: @panel; color: @muted; border: none; border-bottom: 1px solid @line; padding: 3px 4px; }
QScrollArea, QScrollArea > QWidget > QWidget { background: @panel; border: none; }
QAbstractScrollArea::corner { background: @panel; border: none; }
QScrollBar:vertical { background: transparent; width: 11px; margin: 1px; }
QScrollBar:horizontal { background: transparent; height: 11px; margin: 1px; }
QScrollBar::handle { background: @edge; border-radius: 4px; min-height: 24px; min-width: 24px; }
QScrollBar::handle:hover { background: @muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0px; height: 0px; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QToolTip { background: @panel; color: @text; border: 1px solid @line; padding: 4px; }
QWidget#banner { background: @warning_back; border: 1px solid @warning; border-radius: 6px; }
QWidget#banner[calm="true"] { background: @panel; border: 1px solid @line; }
QWidget#banner QLabel { color: @text; }
QWidget#banner QToolButton { border: 1px solid transparent; border-radius: 4px; padding: 2px; }
QWidget#banner QToolButton:hover, QWidget#banner QToolButton:focus { border-color: @warning; }
QFrame#rule { background: @line; border: none; }
QProgressBar { background: @field; border: 1px solid @edge; border-radius: 4px; max-height: @half2; }
QProgressBar::chunk { background: @accent; border-radius: 3px; }
QLabel#caption { color: @muted; }
QLabel#figure { color: @text; font-weight: bold; }
QLabel#headline { color: @text; font-weight: bold; font-size: @headline; }
)";

}  // namespace

Theme theme(ui::PaletteName name) {
  const ui::Palette& p = ui::palette(name);
  Theme t;
  t.window = qt_colour(p.background);
  t.panel = qt_colour(p.panel);
  t.raised = qt_colour(p.panel);
  t.text = qt_colour(p.text);
  t.muted = qt_colour(p.muted_text);
  t.line = qt_colour(p.grid);
  t.accent = qt_colour(p.accent);
  t.warning = qt_colour(p.warning);
  t.accent_text = t.accent.lightnessF() > 0.6 ? QColor(16, 20, 26) : QColor(Qt::white);
  return t;
}

int scaled(const CanvasLook& look, double pixels) {
  return std::max(1, static_cast<int>(std::lround(pixels * look.scale)));
}

void apply_look(const CanvasLook& look) {
  const Theme t = theme(look.palette);
  QPalette palette;
  palette.setColor(QPalette::Window, t.window);
  palette.setColor(QPalette::WindowText, t.text);
  palette.setColor(QPalette::Base, t.panel);
  palette.setColor(QPalette::AlternateBase, t.window);
  palette.setColor(QPalette::Text, t.text);
  palette.setColor(QPalette::Button, t.raised);
  palette.setColor(QPalette::ButtonText, t.text);
  palette.setColor(QPalette::BrightText, t.warning);
  palette.setColor(QPalette::ToolTipBase, t.panel);
  palette.setColor(QPalette::ToolTipText, t.text);
  palette.setColor(QPalette::PlaceholderText, t.muted);
  palette.setColor(QPalette::Highlight, t.accent);
  palette.setColor(QPalette::HighlightedText, t.accent_text);
  palette.setColor(QPalette::Link, t.accent);
  for (const QPalette::ColorRole role :
       {QPalette::Light, QPalette::Midlight, QPalette::Mid, QPalette::Dark, QPalette::Shadow}) {
    palette.setColor(role, t.line);
  }
  for (const QPalette::ColorRole role :
       {QPalette::WindowText, QPalette::Text, QPalette::ButtonText}) {
    palette.setColor(QPalette::Disabled, role, mix(t.muted, t.panel, 0.35));
  }
  // Each of the two goes through every widget there is.
  if (QApplication::palette() != palette) QApplication::setPalette(palette);

  const int knob = scaled(look, 12);
  const QList<QPair<QString, QString>> words = {
      {"@accent_dark", t.accent.darker(115).name()},
      {"@accent", t.accent.name()},
      {"@on_accent", t.accent_text.name()},
      {"@window", t.window.name()},
      {"@panel", t.panel.name()},
      {"@field", t.raised.name()},
      {"@tick", QString("%1px").arg(scaled(look, 13))},
      {"@text_size", QString("%1px").arg(scaled(look, kTextPixels))},
      {"@headline", QString("%1px").arg(scaled(look, kTextPixels * 1.5))},
      {"@text", t.text.name()},
      {"@muted", t.muted.name()},
      {"@faint", mix(t.muted, t.panel, 0.4).name()},
      {"@line", t.line.name()},
      {"@edge", mix(t.line, t.muted, 0.35).name()},
      {"@soft", mix(t.panel, t.accent, 0.16).name()},
      {"@warning_back", mix(t.panel, t.warning, 0.12).name()},
      {"@warning", t.warning.name()},
      {"@knob2", QString("%1px").arg(scaled(look, 22))},
      {"@knob_margin", QString("%1px").arg((knob + 4 - 4) / 2)},
      {"@knob_round", QString("%1px").arg((knob + 4) / 2)},
      {"@knob", QString("%1px").arg(knob)},
      {"@control", QString("%1px").arg(scaled(look, 18))},
      {"@round", QString("%1px").arg(scaled(look, 7))},
      {"@half2", QString("%1px").arg(scaled(look, 10))},
      {"@half", QString("%1px").arg(scaled(look, 4))},
      {"@gap", QString("%1px").arg(scaled(look, 7))},
  };
  QString sheet = QString::fromLatin1(kStyleSheet);
  for (const auto& [word, value] : words) sheet.replace(word, value);
  if (qApp->styleSheet() != sheet) qApp->setStyleSheet(sheet);
}

QIcon icon(Shape shape, const QColor& colour) {
  constexpr int kSide = 64;
  QPixmap pixmap(kSide, kSide);
  pixmap.fill(Qt::transparent);
  QPainter painter(&pixmap);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setBrush(colour);
  painter.setPen(Qt::NoPen);
  const auto triangle = [&](double x0, double x1) {
    painter.drawPolygon(QPolygonF({QPointF(x0, 12), QPointF(x1, 32), QPointF(x0, 52)}));
  };
  const auto bar = [&](double x) { painter.drawRect(QRectF(x, 12, 7, 40)); };
  const auto stroke = [&](double width) {
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(colour, width, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  };
  // An arrow that turns back to the left.
  const auto turn_back = [&] {
    stroke(6);
    QPainterPath path(QPointF(14, 24));
    path.lineTo(40, 24);
    path.arcTo(QRectF(26, 24, 28, 28), 90, -180);
    path.lineTo(24, 52);
    painter.drawPath(path);
    painter.drawPolyline(QPolygonF({QPointF(26, 11), QPointF(13, 24), QPointF(26, 37)}));
  };
  switch (shape) {
    case Shape::rewind:
      bar(10);
      triangle(52, 20);
      break;
    case Shape::back:
      triangle(38, 10);
      bar(46);
      break;
    case Shape::play:
      triangle(16, 54);
      break;
    case Shape::pause:
      painter.drawRect(QRectF(14, 12, 12, 40));
      painter.drawRect(QRectF(38, 12, 12, 40));
      break;
    case Shape::forward:
      triangle(12, 44);
      bar(46);
      break;
    case Shape::undo:
      turn_back();
      break;
    case Shape::redo:
      painter.setTransform(QTransform(-1, 0, 0, 1, kSide, 0));
      turn_back();
      break;
    case Shape::more:
      for (const double x : {14.0, 32.0, 50.0}) painter.drawEllipse(QPointF(x, 32), 5.5, 5.5);
      break;
    case Shape::table:
      stroke(5);
      painter.drawRoundedRect(QRectF(9, 13, 46, 38), 4, 4);
      painter.drawLine(9, 27, 55, 27);
      painter.drawLine(27, 27, 27, 51);
      painter.drawLine(9, 39, 55, 39);
      break;
    case Shape::maximise:
      stroke(6);
      painter.drawPolyline(QPolygonF({QPointF(12, 26), QPointF(12, 12), QPointF(26, 12)}));
      painter.drawPolyline(QPolygonF({QPointF(38, 12), QPointF(52, 12), QPointF(52, 26)}));
      painter.drawPolyline(QPolygonF({QPointF(52, 38), QPointF(52, 52), QPointF(38, 52)}));
      painter.drawPolyline(QPolygonF({QPointF(26, 52), QPointF(12, 52), QPointF(12, 38)}));
      break;
    case Shape::close:
      stroke(6);
      painter.drawLine(16, 16, 48, 48);
      painter.drawLine(48, 16, 16, 48);
      break;
  }
  return QIcon(pixmap);
}

}  // namespace xlab::app
