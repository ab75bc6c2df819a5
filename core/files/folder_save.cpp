// Several files of one folder, saved together.
#include "core/files/folder_save.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "core/files/disk.hpp"
#include "core/files/file_save.hpp"
#include "core/files/system_call.hpp"
#include "kernels/check.hpp"

namespace xlab {
namespace fs = std::filesystem;

FolderSave::FolderSave(const fs::path& folder) : folder_(folder) {
  std::error_code error;
  if (!fs::is_directory(folder_, error)) make_beside();
}

FolderSave::~FolderSave() {
  // Saves that did not take their places take their hidden files with them.
  changes_.clear();
  unlock();
  std::error_code ignored;
  if (!hidden_.empty()) fs::remove_all(hidden_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

void FolderSave::make_beside() {
  std::error_code error;
  const auto refuse = [&](const std::string& why) {
    throw Error(fmt::format("The folder '{}' cannot be made: {}.", shown_path(folder_), why));
  };
  fs::path whole = fs::weakly_canonical(fs::absolute(folder_, error), error);
  if (error) refuse(error.message());
  if (!whole.has_filename()) whole = whole.parent_path();
  if (fs::exists(fs::symlink_status(whole, error))) refuse("there is a file of that name");
  becomes_ = whole;
  while (becomes_.has_relative_path() &&
         !fs::exists(fs::symlink_status(becomes_.parent_path(), error)))
    becomes_ = becomes_.parent_path();
  remove_save_leftovers(becomes_.parent_path());
  lock_ = make_temporary(
      becomes_.parent_path(),
      [](const fs::path& fresh) {
        if (::mkdir(fresh.c_str(), 0777) != 0) return -1;
        const int opened =
            retry([&] { return ::open(fresh.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
        // Another save has taken it for a leftover already: as if the name had not been free.
        if (opened < 0 && errno == ENOENT) errno = EEXIST;
        return opened;
      },
      hidden_);
  if (lock_ < 0) {
    const std::string why = cause(errno);
    fs::remove(hidden_, error);  // it may have been made and not opened
    hidden_.clear();
    refuse(why);
  }
  const fs::path rest = whole.lexically_relative(becomes_);
  within_ = rest == "." ? hidden_ : hidden_ / rest;
  fs::create_directories(within_, error);
  if (error) {
    const std::string why = error.message();
    fs::remove_all(hidden_, error);
    ::close(std::exchange(lock_, -1));
    hidden_.clear();
    refuse(why);
  }
}

void FolderSave::write(const std::string& name,
                       std::span<const std::span<const std::byte>> pieces) {
  const fs::path shown = folder_ / name;
  auto save = std::make_unique<FileSave>(hidden_.empty() ? shown : within_ / name, shown);
  for (const auto piece : pieces) save->write(piece);
  save->sync();
  if (hidden_.empty()) {
    changes_.push_back({.path = save->target()});
    changes_.back().save = std::move(save);
  } else {
    save->take_place();
  }
}

void FolderSave::write(const std::string& name, std::string_view text) {
  const std::span<const std::byte> piece = std::as_bytes(std::span(text));
  write(name, {&piece, 1});
}

void FolderSave::remove(const std::string& name) {
  if (hidden_.empty()) changes_.push_back({.path = folder_ / name});
}

void FolderSave::finish() {
  if (!hidden_.empty()) {
    show_new_folder();
    return;
  }
  try {
    for (Change& change : changes_) {
      put_aside(change);
      if (change.save) change.save->take_place();
      change.done = true;
    }
  } catch (...) {
    undo();
    unlock();
    throw;
  }
  std::error_code ignored;
  for (const Change& change : changes_)
    if (!change.before.empty()) fs::remove(change.before, ignored);
  unlock();
  for (const Change& change : std::exchange(changes_, {}))
    if (change.save) change.save->sync_folder();
}

void FolderSave::show_new_folder() {
  const auto refuse = [&](int error) {
    throw Error(
        fmt::format("The folder '{}' cannot be made: {}.", shown_path(folder_), cause(error)));
  };
  for (fs::path inner = within_;; inner = inner.parent_path()) {
    if (const int error = sync_names(inner); error != 0) refuse(error);
    if (inner == hidden_) break;
  }
  if (retry([&] { return ::rename(hidden_.c_str(), becomes_.c_str()); }) != 0) refuse(errno);
  hidden_.clear();
  const int error = sync_names(becomes_.parent_path());
  check(error == 0,
        "'{}' is there, but the disk did not confirm it: {}. Save again before switching the "
        "computer off.",
        shown_path(folder_), cause(error));
}

/// What stands there keeps its place until it is replaced, where the file system knows links.
void FolderSave::put_aside(Change& change) {
  lock(change.path);
  const fs::path aside = temporary_name(change.path.parent_path());
  if (change.save && ::link(change.path.c_str(), aside.c_str()) == 0) {
    change.before = aside;
    return;
  }
  if (retry([&] { return ::rename(change.path.c_str(), aside.c_str()); }) == 0) {
    change.before = aside;
    return;
  }
  check(errno == ENOENT, "Could not save '{}': {}. The previous file is unchanged.",
        shown_path(change.path), cause(errno));
}

/// Before it gets the hidden name. Who cleans up has to open it and lock it alone: where that is
/// not possible here, it mostly is not there.
void FolderSave::lock(const fs::path& path) {
  locks_.reserve(locks_.size() + 1);
  const int descriptor =
      retry([&] { return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); });
  if (descriptor < 0) return;
  // Shared: two saves may put the same file aside.
  (void)::flock(descriptor, LOCK_SH | LOCK_NB);
  locks_.push_back(descriptor);
}

void FolderSave::unlock() noexcept {
  for (const int descriptor : std::exchange(locks_, {})) ::close(descriptor);
}

void FolderSave::undo() noexcept {
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
    if (!change->before.empty()) {
      ::rename(change->before.c_str(), change->path.c_str());
      ::unlink(change->before.c_str());  // two names of one file are renamed by doing nothing
    } else if (change->done && change->save) {
      ::unlink(change->path.c_str());
    }
  }
}

}  // namespace xlab
