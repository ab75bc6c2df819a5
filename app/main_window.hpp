// The window: docks, menus, keys, rooms, and the way out.
#pragma once

#include <QElapsedTimer>
#include <QMainWindow>
#include <QMap>
#include <QTimer>

#include "app/stage.hpp"
#include "app/view_dock.hpp"

class QActionGroup;
class QLabel;

namespace xlab::app {

class Banner;
class FirstRun;

/// Three layouts over the same docks.
enum class Room { explore, train, generate };

struct WindowOptions {
  CanvasKind canvas = CanvasKind::software;
  /// Layout, look and autosave of this person are read and written. Pictures and tests do without.
  bool remember = true;
  CanvasLook look;              ///< used when nothing is remembered
  std::string device = "auto";  ///< where runs compute, as the engine takes it
};

class MainWindow : public QMainWindow {
  Q_OBJECT

 public:
  explicit MainWindow(const WindowOptions& options, QWidget* parent = nullptr);
  ~MainWindow() override;

  Stage& stage() { return stage_; }
  FirstRun& first_run() { return *first_run_; }
  const QList<ViewDock*>& views() const { return views_; }
  /// Null when there is no such view.
  ViewDock* view(const QString& name) const;
  Banner& banner() { return *banner_; }

  /// Opens the preset and plays it.
  void begin();
  /// A name ending in .xlab is a run, anything else a text.
  void open(const QString& path);
  void set_room(Room room);
  Room room() const { return room_; }
  void set_look(const CanvasLook& look);
  void reset_layout();
  /// Shows one dock alone; with the dock shown alone already, brings the others back.
  void maximise(QDockWidget* dock);
  /// Whether every visible canvas is at rest.
  bool at_rest() const;
  /// Milliseconds of the slowest frame among the visible canvases.
  double frame_ms() const;

 protected:
  void closeEvent(QCloseEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void showEvent(QShowEvent* event) override;
  bool eventFilter(QObject* object, QEvent* event) override;
  QMenu* createPopupMenu() override { return nullptr; }

 private:
  void make_docks();
  void make_menus();
  void make_tool_bar();
  void make_status_bar();
  void follow_snapshot();
  void follow_look();
  void measure();

  void default_layout(Room room);
  void show_room();
  /// Gives the time bar the height of its rows.
  void fit_time_bar();
  void restore_settings();
  void save_settings();
  /// A layout that was kept by a program with other docks would leave some of them without a place.
  int layout_version() const;
  void restore_others();
  void hide_panels(bool hidden);
  Dock* active_dock() const;

  void start_task(const QString& task);
  /// A new run with the weights of the model that is open.
  void train_model_on(const QString& task);
  void read_text_again(QString tokens);
  void open_dialog(bool run);
  void open_folder_dialog();
  void export_folder_dialog();
  void open_last_session();
  void save(bool ask);
  void toggle_training();
  void toggle_playing();
  void move_cursor(int steps);
  void change_speed(double factor);
  void export_active(bool picture);
  void show_keys();
  void show_about();
  /// Asks before training that is not saved gets lost.
  bool may_lose_training(const QString& question);
  void stop_engine();

  QAction* add(QMenu* menu, const QString& text, const QKeySequence& key, auto slot);

  WindowOptions options_;
  Stage stage_;
  FirstRun* first_run_;
  QToolBar* tool_bar_ = nullptr;
  Banner* banner_ = nullptr;
  QList<ViewDock*> views_;
  Dock *model_ = nullptr, *task_ = nullptr, *trainer_ = nullptr, *prompt_ = nullptr,
       *text_ = nullptr;

  Room room_ = Room::explore;
  /// A room as it was left, and the size of text it was left at.
  struct Layout {
    QByteArray state;
    float scale = 1.0f;
  };
  QMap<int, Layout> layouts_;
  QByteArray before_maximise_;
  QDockWidget* alone_ = nullptr;
  bool panels_hidden_ = false;
  QList<QDockWidget*> hidden_panels_;
  bool shown_ = false;
  bool stopped_ = false;

  QActionGroup* rooms_ = nullptr;
  QAction *play_ = nullptr, *train_ = nullptr, *save_ = nullptr, *undo_ = nullptr, *redo_ = nullptr,
          *clear_clamps_ = nullptr, *panels_ = nullptr;
  QList<QPair<QAction*, Shape>> icons_;
  QLabel *steps_ = nullptr, *tokens_ = nullptr, *frames_ = nullptr, *speed_ = nullptr;
  QTimer measure_timer_;
  QElapsedTimer since_measure_;
  std::int64_t measured_step_ = 0;
  std::uint64_t run_id_ = 0;
  std::int64_t opened_step_ = 0;  ///< training steps the run had when it was opened
};

}  // namespace xlab::app
