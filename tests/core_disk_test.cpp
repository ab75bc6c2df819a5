// Saving loses nothing: whatever call fails and whenever the process is killed, the old or the new
// file is there, complete.
#include "core/files/disk.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/files/file_save.hpp"
#include "core/files/folder_save.hpp"
#include "kernels/check.hpp"
#include "tests/complaint.hpp"
#include "tests/temporary_folder.hpp"

namespace {

/// Makes one system call of a save fail: the one with number `at`, counted from 1.
struct Fault {
  std::thread::id thread;  ///< only this thread's calls count
  int at = 0;
  int error = 0;                         ///< what that call reports; 0 lets it write one byte only
  int calls = 0;                         ///< calls so far
  std::string called;                    ///< what failed
  std::function<void()> meanwhile = {};  ///< what somebody else does before each call
};
std::atomic<Fault*> active_fault = nullptr;

/// True when the call that is about to happen is to go wrong.
bool goes_wrong(const char* call) {
  Fault* fault = active_fault;
  if (fault == nullptr || fault->thread != std::this_thread::get_id()) return false;
  if (fault->meanwhile) {
    active_fault = nullptr;
    fault->meanwhile();
    active_fault = fault;
  }
  if (++fault->calls != fault->at) return false;
  fault->called = call;
  errno = fault->error;
  return true;
}

/// The function of that name that this program would have without those below.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// These take the place of the C library's functions in this program, and so come between a save and
// the system.
extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  static const auto call = next<int(const char*, int, ...)>("open");
  if (goes_wrong("open") && errno != 0) return -1;
  return call(path, flags, mode);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  static const auto call = next<ssize_t(int, const void*, size_t)>("write");
  const bool wrong = goes_wrong("write");
  if (wrong && errno != 0) return -1;
  return call(descriptor, bytes, wrong ? size_t{1} : size);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  static const auto call = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  const bool wrong = goes_wrong("pwrite");
  if (wrong && errno != 0) return -1;
  return call(descriptor, bytes, wrong ? size_t{1} : size, offset);
}

int fsync(int descriptor) {
  static const auto call = next<int(int)>("fsync");
  if (goes_wrong("fsync") && errno != 0) return -1;
  return call(descriptor);
}

int close(int descriptor) {
  static const auto call = next<int(int)>("close");
  const bool wrong = goes_wrong("close");
  const int error = errno;
  const int result = call(descriptor);
  if (!wrong || error == 0) return result;
  errno = error;
  return -1;
}

int rename(const char* from, const char* to) noexcept {
  static const auto call = next<int(const char*, const char*)>("rename");
  if (goes_wrong("rename") && errno != 0) return -1;
  return call(from, to);
}

}  // extern "C"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using namespace std::string_literals;

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// What `action` returns when it runs in a child process.
int in_child(const std::function<int()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    int result = 99;
    try {
      result = action();
    } catch (...) {
    }
    ::_exit(result);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class Saving : public testing::Test {
 protected:
  TemporaryFolder folder_;
  fs::path path_ = folder_ / "notes.txt";
};

TEST_F(Saving, WritesAndReplaces) {
  write_file_atomically(path_, "first");
  EXPECT_EQ(bytes_of_file(path_), "first");
  write_file_atomically(path_, "");
  EXPECT_EQ(bytes_of_file(path_), "");
  const std::string a = "sec", b = "ond";
  const std::span<const std::byte> pieces[] = {
      std::as_bytes(std::span(a)), {}, std::as_bytes(std::span(b))};
  write_file_atomically(path_, pieces);
  EXPECT_EQ(bytes_of_file(path_), "second");
  EXPECT_EQ(files_in(folder_.path()), 1u);
}

TEST_F(Saving, ANameMayBeAnything) {
  for (const std::string& name :
       {std::string("with spaces.txt"), std::string("émoji 😀\n.txt"), std::string(255, 'n'),
        std::string("\xff\xfe"), std::string(".hidden"), std::string("-rf")}) {
    write_file_atomically(folder_ / name, name);
    EXPECT_EQ(bytes_of_file(folder_ / name), name);
  }
  EXPECT_THAT(complaint([&] { write_file_atomically(folder_ / std::string(256, 'n'), "x"); }),
              HasSubstr("File name too long"));
}

TEST_F(Saving, WorksWithoutAFolderInTheName) {
  EXPECT_EQ(in_child([&] {
              fs::current_path(folder_.path());
              write_file_atomically("plain.txt", "here");
              return bytes_of_file("plain.txt") == "here" ? 0 : 1;
            }),
            0);
}

TEST_F(Saving, KeepsTheLinkAndThePermissions) {
  fs::create_directory(folder_ / "real");
  const auto real = folder_ / "real" / "file.txt", link = folder_ / "link",
             second = folder_ / "second";
  put_file(real, "old");
  fs::permissions(real, fs::perms(0640));
  fs::create_symlink("real/file.txt", link);
  fs::create_symlink(link, second);
  write_file_atomically(second, "new");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_TRUE(fs::is_symlink(second));
  EXPECT_EQ(bytes_of_file(real), "new");
  EXPECT_EQ(fs::status(real).permissions(), fs::perms(0640));
  // Those that a new file would not have, too.
  fs::permissions(real, fs::perms(0666));
  write_file_atomically(second, "newer");
  EXPECT_EQ(fs::status(real).permissions(), fs::perms(0666));

  fs::create_symlink("real/not yet.txt", folder_ / "ahead");
  write_file_atomically(folder_ / "ahead", "made");
  EXPECT_EQ(bytes_of_file(folder_ / "real" / "not yet.txt"), "made");
}

TEST_F(Saving, RefusesWhatIsNoFile) {
  const auto refuses = [](const fs::path& path, const std::string& why) {
    EXPECT_THAT(complaint([&] { write_file_atomically(path, "x"); }),
                AllOf(HasSubstr("Could not save '" + path.string() + "'"), HasSubstr(why)));
  };
  fs::create_symlink("loop", folder_ / "loop");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  refuses(folder_.path(), "it is a folder");
  refuses(folder_.path() / "", "it is a folder");
  refuses(folder_ / "fifo", "it is a pipe");
  refuses("/dev/null", "it is a device");
  refuses(folder_ / "loop", "Too many levels of symbolic links");
  refuses(folder_ / "missing" / "file", "No such file or directory");
  refuses(folder_ / "fifo" / "file", "Not a directory");
  refuses("", "No such file or directory");
  EXPECT_TRUE(fs::is_fifo(folder_ / "fifo"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));

  if (::geteuid() == 0) return;  // nothing is read-only for root
  put_file(path_, "old");
  fs::permissions(path_, fs::perms(0400));
  refuses(path_, "Permission denied. The previous file is unchanged.");
  fs::permissions(folder_.path(), fs::perms(0500));
  refuses(folder_ / "new", "Permission denied");
  fs::permissions(folder_.path(), fs::perms(0700));
  EXPECT_EQ(bytes_of_file(path_), "old");
}

TEST_F(Saving, AFullDiskLeavesTheOldFile) {
  write_file_atomically(path_, "old");
  const std::string large(2 << 20, 'x');
  EXPECT_EQ(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{1 << 20, 1 << 20};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              const std::string sentence = complaint([&] { write_file_atomically(path_, large); });
              return sentence == "Could not save '" + path_.string() +
                                     "': File too large. The previous file is unchanged."
                         ? 0
                         : 1;
            }),
            0);
  EXPECT_EQ(bytes_of_file(path_), "old");
  EXPECT_EQ(files_in(folder_.path()), 1u);
}

TEST_F(Saving, EveryFailingCallLeavesTheOldOrTheNewFile) {
  const std::string old_text = "the old file", new_text(100000, 'n');
  int failures = 0;
  for (const int error : {ENOSPC, EIO, EDQUOT, EROFS, EINTR, 0}) {
    for (int at = 1;; ++at) {
      put_file(path_, old_text);
      Fault fault{std::this_thread::get_id(), at, error, 0, ""};
      active_fault = &fault;
      const std::string sentence = complaint([&] { write_file_atomically(path_, new_text); });
      active_fault = nullptr;
      SCOPED_TRACE(fmt::format("call {} ({}) failed with {}", at, fault.called, error));
      const std::string content = bytes_of_file(path_);
      EXPECT_EQ(files_in(folder_.path()), 1u);
      if (sentence == kFine) {
        EXPECT_EQ(content, new_text);
      } else {
        ++failures;
        EXPECT_FALSE(error == EINTR || error == 0) << "to be tried again";
        EXPECT_THAT(sentence, HasSubstr(path_.string()));
        EXPECT_THAT(sentence, HasSubstr(std::generic_category().message(error)));
        if (sentence.find("The previous file is unchanged") != sentence.npos) {
          EXPECT_EQ(content, old_text);
        } else {
          EXPECT_THAT(sentence, HasSubstr("was replaced by the new file"));
          EXPECT_EQ(content, new_text);
        }
      }
      if (fault.called.empty()) break;  // the save needed fewer calls: all have been tried
      ASSERT_LT(at, 100);
    }
  }
  EXPECT_GE(failures, 4 * 6);  // open, write, fsync, rename; open and fsync of the folder
}

TEST_F(Saving, PiecesComeInAnyOrderAndEveryFailingCallLeavesTheOldFile) {
  const std::string head = "head", tail(5000, 't');
  const std::string expected = head + std::string(96, '\0') + tail;
  int failures = 0;
  for (const int error : {ENOSPC, EIO, EINTR, 0}) {
    for (int at = 1;; ++at) {
      put_file(path_, "old");
      Fault fault{std::this_thread::get_id(), at, error, 0, ""};
      active_fault = &fault;
      const std::string sentence = complaint([&] {
        FileSave save(path_);
        save.write_at(100, std::as_bytes(std::span(tail)));
        save.write_at(0, std::as_bytes(std::span(head)));
        save.finish();
      });
      active_fault = nullptr;
      SCOPED_TRACE(fmt::format("call {} ({}) failed with {}", at, fault.called, error));
      EXPECT_EQ(files_in(folder_.path()), 1u);
      const bool replaced =
          sentence == kFine || sentence.find("was replaced by the new file") != sentence.npos;
      EXPECT_EQ(bytes_of_file(path_), replaced ? expected : "old");
      failures += !replaced;
      if (fault.called.empty()) break;
      ASSERT_LT(at, 100);
    }
  }
  EXPECT_GE(failures, 2 * 4);  // open, pwrite, fsync, rename
}

// ---- several files at once ----------------------------------------------------------------------

class SavingAFolder : public testing::Test {
 protected:
  using Content = std::map<std::string, std::string>;
  /// Everything below a folder, by path.
  static Content content(const fs::path& folder) {
    Content found;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const std::string name = entry.path().lexically_relative(folder).string();
      found[name] = entry.is_directory() ? "(folder)" : bytes_of_file(entry.path());
    }
    return found;
  }
  /// Tries `save` with every call failing in turn, in a folder that `prepare` fills; afterwards
  /// everything or nothing is new.
  void expect_all_or_nothing(const std::function<void()>& prepare,
                             const std::function<void()>& save, const Content& expected,
                             int failing_calls) {
    int failures = 0;
    for (const int error : {ENOSPC, EIO, EINTR, 0}) {
      for (int at = 1;; ++at) {
        for (const auto& entry : fs::directory_iterator(folder_.path()))
          fs::remove_all(entry.path());
        prepare();
        const Content before = content(folder_.path());
        Fault fault{std::this_thread::get_id(), at, error, 0, "", meanwhile_};
        active_fault = &fault;
        const std::string sentence = complaint(save);
        active_fault = nullptr;
        SCOPED_TRACE(
            fmt::format("call {} ({}) failed with {}: {}", at, fault.called, error, sentence));
        const bool done =
            sentence == kFine || sentence.find("but the disk did not confirm it") != sentence.npos;
        EXPECT_EQ(content(folder_.path()), done ? expected : before);
        if (!done) {
          ++failures;
          EXPECT_THAT(sentence, HasSubstr(std::generic_category().message(error)));
          EXPECT_THAT(sentence, HasSubstr((folder_ / "out").string()));
          EXPECT_EQ(sentence.find(".xlab-save-"), sentence.npos) << "a name that nobody gave";
        }
        if (fault.called.empty()) break;
        ASSERT_LT(at, 200);
      }
    }
    EXPECT_GE(failures, 2 * failing_calls);
  }
  /// A folder with an earlier model and more.
  void put_earlier() const {
    fs::create_directories(folder_ / "out" / "model" / "pictures");
    put_file(folder_ / "out" / "model" / "weights", "old weights");
    put_file(folder_ / "out" / "model" / "stale", "of before");
    put_file(folder_ / "out" / "model" / "notes.md", "my own");
  }
  void write_all() const {
    FolderSave save(folder_ / "out" / "model");
    save.write("weights", std::string(70'000, 'w'));
    save.remove("stale");
    save.remove("never there");
    save.write("config", "new config");
    save.finish();
  }

  TemporaryFolder folder_;
  const Content earlier_and_all_ = {{"out", "(folder)"},
                                    {"out/model", "(folder)"},
                                    {"out/model/pictures", "(folder)"},
                                    {"out/model/notes.md", "my own"},
                                    {"out/model/weights", std::string(70'000, 'w')},
                                    {"out/model/config", "new config"}};
  std::function<void()> meanwhile_;  // before every call of a save
};

TEST_F(SavingAFolder, ANewOneStandsThereWholeOrNotAtAll) {
  expect_all_or_nothing([] {}, [&] { write_all(); },
                        {{"out", "(folder)"},
                         {"out/model", "(folder)"},
                         {"out/model/weights", std::string(70'000, 'w')},
                         {"out/model/config", "new config"}},
                        // two files: open, write, fsync, rename; fsync and rename of the folder
                        10);
}

TEST_F(SavingAFolder, InOneThatIsThereAllFilesAreReplacedOrNone) {
  expect_all_or_nothing([&] { put_earlier(); }, [&] { write_all(); }, earlier_and_all_,
                        9);  // two files: open, write, fsync, rename; the stale one's rename
}

TEST_F(SavingAFolder, AnotherSaveTakesWhatWasPutAsideForNoLeftover) {
  meanwhile_ = [&] { remove_save_leftovers(folder_ / "out" / "model"); };
  expect_all_or_nothing([&] { put_earlier(); }, [&] { write_all(); }, earlier_and_all_, 9);
}

TEST_F(SavingAFolder, AFreshFolderThatAnotherSaveTakesForALeftoverIsMadeAgain) {
  int cleanings = 3;
  Fault fault{std::this_thread::get_id(), 0, 0, 0, "", [&] {
                if (cleanings-- > 0) remove_save_leftovers(folder_.path());
              }};
  active_fault = &fault;
  const std::string sentence = complaint([&] { write_all(); });
  active_fault = nullptr;
  EXPECT_EQ(sentence, kFine);
  EXPECT_LE(cleanings, 0);
  EXPECT_EQ(content(folder_.path()), (Content{{"out", "(folder)"},
                                              {"out/model", "(folder)"},
                                              {"out/model/weights", std::string(70'000, 'w')},
                                              {"out/model/config", "new config"}}));
}

TEST_F(SavingAFolder, OneThatIsNotFinishedIsNotThere) {
  {
    FolderSave save(folder_ / "out" / "model");
    save.write("weights", "w");
  }
  EXPECT_EQ(content(folder_.path()), Content{});
  fs::create_directory(folder_ / "out");
  put_file(folder_ / "out" / "weights", "old");
  {
    FolderSave save(folder_ / "out");
    save.write("weights", "new");
    save.write("config", "new");
    save.remove("weights");
  }
  EXPECT_EQ(content(folder_.path()), (Content{{"out", "(folder)"}, {"out/weights", "old"}}));
}

TEST_F(SavingAFolder, WhatStandsInTheWayIsNamedAndStays) {
  put_file(folder_ / "file", "x");
  fs::create_symlink(folder_ / "nowhere", folder_ / "link");
  for (const char* taken : {"file", "file/model", "link"})
    EXPECT_THAT(complaint([&] { FolderSave(folder_ / taken); }),
                AllOf(HasSubstr(std::string(taken)), HasSubstr("cannot be made")));
  fs::create_directories(folder_ / "out" / "config");
  put_file(folder_ / "out" / "weights", "old");
  EXPECT_THAT(complaint([&] {
                FolderSave save(folder_ / "out");
                save.write("weights", "new");
                save.write("config", "new");
                save.finish();
              }),
              AllOf(HasSubstr("out/config"), HasSubstr("it is a folder")));
  EXPECT_EQ(bytes_of_file(folder_ / "out" / "weights"), "old");
  EXPECT_EQ(files_in(folder_ / "out"), 2u);
}

TEST_F(SavingAFolder, NamesAreTakenAsTheyComeAndLeftoversGo) {
  EXPECT_EQ(in_child([&] {
              fs::current_path(folder_.path());
              for (const char* name : {"plain", "ends/", "./dot", "a/../b", "deep/er/model"}) {
                FolderSave save{fs::path(name)};
                save.write("config", name);
                save.finish();
              }
              // Killed while the folder is being written.
              FolderSave killed{fs::path("killed")};
              killed.write("config", "half");
              ::_exit(7);
              return 0;
            }),
            7);
  EXPECT_EQ(bytes_of_file(folder_ / "plain" / "config"), "plain");
  EXPECT_EQ(bytes_of_file(folder_ / "ends" / "config"), "ends/");
  EXPECT_EQ(bytes_of_file(folder_ / "dot" / "config"), "./dot");
  EXPECT_EQ(bytes_of_file(folder_ / "b" / "config"), "a/../b");
  EXPECT_EQ(bytes_of_file(folder_ / "deep" / "er" / "model" / "config"), "deep/er/model");
  EXPECT_FALSE(fs::exists(folder_ / "killed"));
  EXPECT_EQ(files_in(folder_.path()), 6u) << "five, and what was killed";
  FolderSave under_way(folder_ / "slow");
  write_file_atomically(folder_ / "any", "save");
  EXPECT_EQ(files_in(folder_.path()), 7u) << "the leftover is gone, the one under way is there";
  under_way.write("config", "in the end");
  under_way.finish();
  EXPECT_EQ(bytes_of_file(folder_ / "slow" / "config"), "in the end");
}

TEST_F(SavingAFolder, FilesBehindLinksAreReplacedThere) {
  fs::create_directories(folder_ / "blobs");
  fs::create_directories(folder_ / "out");
  put_file(folder_ / "blobs" / "w", "old");
  fs::create_symlink("../blobs/w", folder_ / "out" / "weights");
  FolderSave save(folder_ / "out");
  save.write("weights", "new");
  save.finish();
  EXPECT_TRUE(fs::is_symlink(folder_ / "out" / "weights"));
  EXPECT_EQ(bytes_of_file(folder_ / "blobs" / "w"), "new");
  EXPECT_EQ(files_in(folder_ / "blobs"), 1u);
}

TEST_F(Saving, AKillAtAnyMomentLeavesOneCompleteFile) {
  const std::size_t size = 1 << 20;
  const auto generation = [&](char letter) { return std::string(size, letter); };
  write_file_atomically(path_, generation('a'));
  const auto one_save = [&] {
    const auto start = std::chrono::steady_clock::now();
    write_file_atomically(path_, generation('a'));
    return std::chrono::steady_clock::now() - start;
  }();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kRounds = 12;  // a child takes half a second to begin and end
#else
  constexpr int kRounds = 60;
#endif
  int old_files = 0, new_files = 0;
  for (int round = 0; round < kRounds; ++round) {
    const char before = bytes_of_file(path_)[0];
    const char after = before == 'a' ? 'b' : 'a';
    const std::string content = generation(after);
    const pid_t child = ::fork();
    if (child == 0) {
      write_file_atomically(path_, content);
      for (;;) ::pause();
    }
    std::this_thread::sleep_for(one_save * 2 * round / kRounds);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string found = bytes_of_file(path_);
    ASSERT_TRUE(found == generation(before) || found == content) << "round " << round;
    ++(found == content ? new_files : old_files);
  }
  EXPECT_GT(old_files, 0);
  EXPECT_GT(new_files, 0);
  write_file_atomically(path_, "after");
  EXPECT_EQ(files_in(folder_.path()), 1u) << "what the killed saves left is gone";
}

TEST_F(Saving, ManySavesAtOnceDoNotDisturbEachOther) {
  std::atomic<int> errors = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        const std::string content(50000, static_cast<char>('a' + t));
        for (int i = 0; i < 25; ++i) {
          try {
            write_file_atomically(t < 2 ? path_ : folder_ / std::to_string(t), content);
          } catch (const Error&) {
            ++errors;
          }
        }
      });
    }
  }
  EXPECT_EQ(errors, 0);
  const std::string shared = bytes_of_file(path_);
  EXPECT_TRUE(shared == std::string(50000, 'a') || shared == std::string(50000, 'b'));
  EXPECT_EQ(files_in(folder_.path()), 3u);
}

TEST_F(Saving, LeavesOtherPeoplesHiddenFilesAlone) {
  put_file(folder_ / ".xlab-save-notes", "mine");
  put_file(folder_ / ".other.tmp", "mine");
  write_file_atomically(path_, "x");
  EXPECT_EQ(files_in(folder_.path()), 3u);
}

TEST_F(Saving, TextIsReadWhole) {
  const std::string text = "a\r\nb\0c"s;
  put_file(path_, text);
  EXPECT_EQ(read_text_file(path_, 1 << 20), text);
  EXPECT_EQ(read_text_file(path_, text.size()), text);
  EXPECT_THAT(complaint([&] { read_text_file(path_, text.size() - 1); }),
              AllOf(HasSubstr(path_.string()), HasSubstr("larger than 5 bytes")));
  put_file(path_, std::string((2 << 20) + 1, 'x'));
  EXPECT_THAT(complaint([&] { read_text_file(path_, 2 << 20); }), HasSubstr("larger than 2 MiB"));
  put_file(path_, "");
  EXPECT_EQ(read_text_file(path_, 10), "");
  // The system states no size for these.
  EXPECT_THAT(read_text_file("/proc/self/status", 1 << 20), HasSubstr("VmRSS"));
  EXPECT_THAT(complaint([&] { read_text_file("/dev/zero", 10); }), HasSubstr("a device"));
  EXPECT_THAT(complaint([&] { read_text_file(folder_.path(), 10); }), HasSubstr("a folder"));
  EXPECT_THAT(complaint([&] { read_text_file(folder_ / "missing", 10); }),
              HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace xlab::tests
