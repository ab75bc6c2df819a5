// The window: docks, menus, keys, rooms, and the way out.
#pragma once

#include <QElapsedTimer>
#include <QMainWindow>
#include <QMap>
#include <QTimer>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/layouts.hpp"
#include "app/screen.hpp"
#include "app/series_question.hpp"
#include "app/stage.hpp"
#include "app/view_dock.hpp"

class QActionGroup;
class QLabel;
class QToolButton;

namespace xlab::app {

class Banner;
class BesideWriter;
class FirstRun;
class Recovery;
class RunsPanel;
class UnsavedWork;
class ValueActions;

/// How much room a window has for them at its size of text: side by side, two columns of tabs under
/// the time bar, or tabs alone.
enum class Fit { roomy, compact, tiny };

struct WindowOptions {
  CanvasKind canvas = CanvasKind::software;
  /// Layout, look and unsaved work of this person are read and kept. Pictures and tests do without.
  bool remember = true;
  int keep_every_ms = 20'000;   ///< how much training is lost at most when the program is killed
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
  Recovery& recovery() { return *recovery_; }

  /// Opens the preset and plays it.
  void begin();
  /// A name ending in .xlab is a run, a folder or its configuration a model, else it is a text.
  /// Asks where work would be lost, and only after a look at the file. `beside`: the run of now
  /// stays, and nobody is asked.
  void open(const QString& named, bool beside = false);
  /// The same for the folder of a forecasting model, and the series that it is to read: a column of
  /// a CSV file, by name or number.
  void open_series(const QString& folder, const QString& csv, const QString& column);
  /// Closes without a question: the session is kept.
  void close_unasked();
  /// The same for a signal: nobody was asked, so the next start offers what was not saved.
  void close_interrupted();
  void set_room(Room room);
  Room room() const { return room_; }
  /// Goes to the first room, arranged for one thing.
  void set_perspective(Perspective perspective);
  Perspective perspective() const { return perspective_; }
  void set_look(const CanvasLook& look);
  void reset_layout();
  /// Shows one dock alone; with the dock shown alone already, brings the others back.
  void maximise(QDockWidget* dock);
  /// Whether every visible canvas is at rest.
  bool at_rest() const;
  /// Milliseconds of the slowest frame among the visible canvases.
  double frame_ms() const;
  /// The same for each of them, as lines of text.
  QString frame_break_down() const;
  /// What is shown, and how: saved with every run.
  Screen shown() const;

 protected:
  void closeEvent(QCloseEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  bool eventFilter(QObject* object, QEvent* event) override;
  bool focusNextPrevChild(bool next) override;
  QMenu* createPopupMenu() override { return nullptr; }

 private:
  /// What a thread that looks at a file may still speak to.
  struct Looking;
  /// In an action: what it does, which its tool tip says where it is possible.
  static constexpr const char* kWhatItDoes = "what it does";
  void make_docks();
  /// Files that somebody writes are told of in the status bar, and failures in the banner.
  template <typename Writer>
  void tell_of_files(Writer& writer);
  void make_menus();
  void make_file_menu();
  void make_edit_menu();
  /// As one edit; where there are none, says so.
  void add_edits(std::vector<Clamp> clamps, const char* name);
  void hold_hovered();
  void show_history();
  /// Keeps the state of now for comparing, or lets go of the one that is kept.
  void pin_state();
  void make_pin_chip();
  void follow_pin();
  /// Of the token that was pressed, to which the press has moved the cursor.
  void show_token_menu(ViewDock& dock, QPoint at);
  /// A word in the status bar.
  void say(const QString& sentence);
  void make_run_menu();
  void make_time_menu();
  void make_view_menu();
  void make_perspectives_menu(QMenu* view);
  void make_window_menu();
  void make_help_menu();
  void make_tool_bar();
  void make_status_bar();
  void fit_status_bar();
  void follow_snapshot();
  void follow_look();
  void measure();

  /// A room as it was left, and what it was left at.
  struct Layout {
    QByteArray state;
    float scale = 1.0f;
    Fit fit = Fit::roomy;
    bool by_hand = false;  ///< somebody moved, closed or opened a dock
    bool of_file = false;  ///< as a run's file has it, and untouched since
  };
  /// A room at another size of text.
  struct Arrangement {
    QByteArray state;
    QList<QDockWidget*> docks;  ///< those that were open
  };
  /// How docks stood before one of them was closed.
  struct Closed {
    QList<QDockWidget*> docks;  ///< those that were open
    QByteArray state;
    float scale = 1.0f;
    QSize window;
  };
  void before_closing(QDockWidget* dock);
  void show_again(QDockWidget* dock);
  Layout present_layout() const;
  /// Shows a layout; one that nobody arranged is made anew where size or text have changed since.
  void show_layout(const Layout& layout);
  Fit fit() const;
  bool arranged_by_hand() const;
  QList<QDockWidget*> shown_docks() const;
  /// Under which number and name the layout of a place is kept.
  static int layout_key(Room room, Perspective perspective);
  int layout_key() const { return layout_key(room_, perspective_); }
  static QString layout_name(int key);
  static constexpr int kLayouts = kRooms + kPerspectives - 1;
  void show_place(Room room, Perspective perspective);
  void default_layout();
  void share_room();
  void share_room_soon();
  /// How wide the column of forms is: what the room has for it, or what they need to be read whole.
  int form_width(const RoomLayout& layout) const;
  /// Where tabs have no room for their titles, they say a word; where that is too much too, they
  /// are scrolled to.
  void fit_tabs();
  /// When Qt has laid out what has changed.
  void fit_tabs_soon();
  void place(const RoomLayout& layout);
  /// Two columns of tabs, below the time bar where there is room for it.
  void place_in_columns(const RoomLayout& layout);
  /// A view or a panel by its name.
  QDockWidget* dock(const QString& name) const;
  QList<Dock*> panels() const { return {runs_, model_, task_, trainer_, prompt_, text_}; }
  /// Another size of text: the layout goes along, and is the same again on the way back.
  void follow_scale(float before, const Arrangement& left);
  void show_room();
  /// The mouse is pressed, or let go, between the docks.
  void follow_separator(bool pressed);
  /// Gives the time bar the height of its rows.
  void fit_time_bar();
  void restore_settings();
  void save_settings();
  /// A layout that was kept by a program with other docks would leave some of them without a place.
  int layout_version() const;
  /// Whether this program or an earlier one keeps layouts under that number.
  bool knows_layout(int version) const;
  /// Whether the docks stand now as they did then. What had no place then has its own.
  bool restore_docks(const QByteArray& state);
  void restore_others();
  void hide_panels(bool hidden);
  /// A click on it does not take the keys away from where they are.
  static void leave_keys_to_clicks(QWidget& widget);
  /// Keys belong to the drawings again.
  void give_keys_back();
  /// What does not fit into the tool bar leaves it by rank; the menus have everything.
  void fit_tool_bar();
  void back_to_start();
  Dock* active_dock() const;

  void start_task(const QString& task, bool beside = false);
  /// A new run with the weights of the model that is open.
  void train_model_on(const QString& task);
  void read_text_again(QString tokens);
  void open_dialog(bool run, bool beside = false);
  void open_folder_dialog(bool beside = false);
  void make_beside_menu(QMenu* file);
  void export_folder_dialog();
  /// Every value of every token on screen.
  void export_recording_dialog();
  void save_all_dialog();
  /// Saving is named after what it saves.
  void name_saving();
  /// Says to the engine what is shown, when that has changed.
  void tell_screen();
  /// Shows what the run that has been opened was saved with.
  void show_screen();
  void show_saved_layout(Room room, const Screen& saved);
  void toggle_training();
  /// Brings the next run on the screen, or the one before.
  void move_run(int places);
  void toggle_playing();
  void move_cursor(int steps);
  void change_speed(double factor);
  enum class Exported { pixels, lines, numbers };
  void export_active(Exported how);
  void show_keys();
  void show_glossary();
  void show_about();
  /// Calls `go_on` when nothing is lost by it or a person has said what to do. Before anybody is
  /// asked `look` is called, on another thread: what it throws is told, and that is all; it returns
  /// whether all runs go and not only the one on screen. `beside` does the same without putting
  /// anything in the place of what is open.
  void replace_run(const QString& question, std::function<bool()> look, std::function<void()> go_on,
                   std::function<void()> beside = {});
  void stop_looking();
  /// Opens a model folder; of a large one it is asked first what its weights are to be held in, of
  /// a forecasting model, unless that is said, what it is to read.
  void open_model_folder(const std::string& path, bool beside, std::optional<SeriesChoice> series);
  void open_named(const QString& named, bool beside, const std::optional<SeriesChoice>& series);
  void stop_engine();

  QAction* add_action(QMenu* menu, const QString& text, const QKeySequence& key);
  template <typename Slot>
  QAction* add(QMenu* menu, const QString& text, const QKeySequence& key, Slot slot) {
    QAction* action = add_action(menu, text, key);
    connect(action, &QAction::triggered, this, slot);
    return action;
  }

  WindowOptions options_;
  Stage stage_;
  FirstRun* first_run_;
  UnsavedWork* work_;
  ValueActions* values_;
  QToolBar* tool_bar_ = nullptr;
  QToolButton* room_menu_ = nullptr;  ///< stands for the three rooms in a narrow window
  Banner* banner_ = nullptr;
  BesideWriter* writer_ = nullptr;
  Recovery* recovery_ = nullptr;
  std::string told_screen_;
  QList<ViewDock*> views_;
  Dock *runs_ = nullptr, *model_ = nullptr, *task_ = nullptr, *trainer_ = nullptr,
       *prompt_ = nullptr, *text_ = nullptr;
  RunsPanel* runs_panel_ = nullptr;

  Room room_ = Room::explore;
  Perspective perspective_ = Perspective::memory;
  QMap<int, Layout> layouts_;
  /// The layouts of the open room at other sizes of text, by percent, as long as nobody arranges
  /// it.
  QMap<int, Arrangement> at_scale_;
  Layout before_maximise_, before_hiding_;
  QList<Closed> before_closed_;  ///< until docks are arranged otherwise
  QDockWidget* alone_ = nullptr;
  bool panels_hidden_ = false;
  bool arranging_ = false;  ///< docks move by the program, not by hand
  bool moved_ = false;      ///< a dock was moved by hand since the layout was made
  bool own_sizes_ = false;  ///< docks are as large as share_room made them
  Fit shown_fit_ = Fit::roomy;
  bool tabs_to_fit_ = false, room_to_share_ = false;
  int layouts_made_ = 0;               ///< counts up, so that only the last one is finished
  QList<QDockWidget*> default_docks_;  ///< what the default layout shows
  bool shown_ = false;
  bool stopped_ = false;
  bool close_agreed_ = false, interrupted_ = false;
  bool to_train_ = false;  ///< what is being opened is there to be trained

  QActionGroup *rooms_ = nullptr, *perspectives_ = nullptr;
  QAction *play_ = nullptr, *train_ = nullptr, *save_ = nullptr, *save_as_ = nullptr,
          *save_all_ = nullptr, *undo_ = nullptr, *redo_ = nullptr, *clear_clamps_ = nullptr,
          *panels_ = nullptr, *start_ = nullptr, *remove_run_ = nullptr, *train_all_ = nullptr,
          *next_run_ = nullptr, *previous_run_ = nullptr;
  QAction* pin_ = nullptr;
  QToolButton* pin_chip_ = nullptr;  ///< that a state is pinned; lets go of it
  QMenu *token_edits_ = nullptr, *off_edits_ = nullptr;
  /// What stands in the tool bar, by name ("rooms", "speed", ...).
  QMap<QString, QList<QAction*>> bar_;
  QList<QPair<QAction*, Shape>> icons_;
  QLabel *steps_ = nullptr, *tokens_ = nullptr, *frames_ = nullptr, *speed_ = nullptr;
  QTimer measure_timer_;
  QElapsedTimer since_measure_;
  std::int64_t measured_step_ = 0;
  std::uint64_t run_id_ = 0;
  bool quit_asked_ = false;  ///< the question before quitting stands
  QAction *one_step_ = nullptr, *sample_ = nullptr;
  /// The open room with separators dragged, and as it was left so at every other `Fit`.
  Layout dragged_;
  QMap<int, Layout> at_fit_;
  QList<QSize> sizes_before_;      ///< of the docks, when the mouse was pressed between them
  QMap<int, Layout> own_layouts_;  ///< of rooms that show a file's, as the person left them
  bool of_file_ = false;           ///< the open room is as a file has it
  std::shared_ptr<Looking> looking_;
  int looks_ = 0;  ///< counts up: a look that another one follows leads to nothing
};

}  // namespace xlab::app
