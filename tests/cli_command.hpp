// The command line as a person meets it: run in a folder of its own, with what it answers.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "tests/temporary_folder.hpp"

namespace xlab::tests {

struct CommandAnswer {
  int code = -1;
  std::string out, err;
};

class CommandTest : public testing::Test {
 protected:
  /// A file of this name in the folder.
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  CommandAnswer run(const std::string& arguments) const {
    const std::string line = std::string("cd '") + folder_.path().string() +
                             "' && '" XLAB_XLSTM "' " + arguments + " >out 2>err </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, bytes_of_file(at("out")),
            bytes_of_file(at("err"))};
  }

  TemporaryFolder folder_;
};

}  // namespace xlab::tests
