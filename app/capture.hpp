// Runs without a person: one picture, or a tour with pictures and a report.
#pragma once

#include <QSize>
#include <QString>

namespace xlab::app {

class MainWindow;

struct Picture {
  QString path;  ///< PNG to write
  QString view;  ///< name of a view, or "window"
  QSize size;
  QString file;            ///< to open; empty for the first scene
  QString series, column;  ///< what a forecasting model there is to read
};

/// Waits until the scene is still and writes the picture. Returns the exit code.
int take_picture(MainWindow& window, const Picture& picture);

/// Plays the first scene, makes the model forget by hand, trains for some seconds, and writes
/// numbered pictures and report.md into `folder`. Returns the exit code.
int take_tour(MainWindow& window, const QString& folder);

}  // namespace xlab::app
