// Every field is checked: run files come from strangers.
#include "app/screen.hpp"

#include <QJsonDocument>
#include <QJsonObject>
#include <cmath>

namespace xlab::app {
namespace {

constexpr int kVersion = 1;
constexpr qsizetype kMostPathLength = 1000;

/// A whole number from 0 on, or nothing.
std::optional<int> count_in(const QJsonObject& in, const char* key) {
  const QJsonValue value = in.value(QLatin1String(key));
  const int number = value.toInt(-1);
  if (!value.isDouble() || number < 0) return {};
  return number;
}

}  // namespace

std::string to_text(const Screen& screen) {
  QJsonObject out{{"version", kVersion},
                  {"room", screen.room},
                  {"perspective", screen.perspective},
                  {"layout", QString::fromLatin1(screen.layout.toBase64())},
                  {"layout_version", screen.layout_version},
                  {"scale", static_cast<double>(screen.scale)},
                  {"fit", screen.fit},
                  {"by_hand", screen.by_hand},
                  {"panels_hidden", screen.panels_hidden},
                  {"block", screen.block},
                  {"head", screen.head}};
  if (screen.pinned) {
    out.insert("pinned", QJsonObject{{"path", QString::fromStdString(screen.pinned->path)},
                                     {"step", screen.pinned->step},
                                     {"head", screen.pinned->head},
                                     {"unit", screen.pinned->unit}});
  }
  QJsonObject views;
  for (auto view = screen.views.cbegin(); view != screen.views.cend(); ++view)
    views.insert(view.key(), view.value());
  if (!views.isEmpty()) out.insert("views", views);
  return QJsonDocument(out).toJson(QJsonDocument::Compact).toStdString();
}

std::optional<Screen> screen_from(const std::string& text) {
  const QJsonDocument document = QJsonDocument::fromJson(QByteArray::fromStdString(text));
  if (!document.isObject()) return {};
  const QJsonObject in = document.object();
  if (in.value("version").toInt() != kVersion) return {};
  Screen screen;
  const auto block = count_in(in, "block"), head = count_in(in, "head");
  const double scale = in.value("scale").toDouble(0.0);
  if (!block || !head || !in.value("room").isString() || !(scale > 0.0 && scale < 100.0)) return {};
  screen.room = in.value("room").toString();
  screen.perspective = in.value("perspective").toString();
  screen.layout = QByteArray::fromBase64(in.value("layout").toString().toLatin1());
  screen.layout_version = in.value("layout_version").toInt(-1);
  screen.scale = static_cast<float>(scale);
  // Runs that were saved by earlier programs say neither.
  screen.fit = in.value("fit").toInt(0);
  screen.by_hand = in.value("by_hand").toBool(true);
  screen.panels_hidden = in.value("panels_hidden").toBool();
  screen.block = *block;
  screen.head = *head;
  if (in.contains("pinned")) {
    const QJsonObject pin = in.value("pinned").toObject();
    const auto step = count_in(pin, "step"), of_head = count_in(pin, "head"),
               unit = count_in(pin, "unit");
    const QString path = pin.value("path").toString();
    if (!step || !of_head || !unit || path.size() > kMostPathLength) return {};
    screen.pinned =
        ui::ValueRef{.path = path.toStdString(), .step = *step, .head = *of_head, .unit = *unit};
  }
  const QJsonObject views = in.value("views").toObject();
  for (auto view = views.begin(); view != views.end(); ++view)
    screen.views.insert(view.key(), view.value().toString());
  return screen;
}

}  // namespace xlab::app
