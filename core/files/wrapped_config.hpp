// Configurations of the paper's family inside those of other programs.
#pragma once

#include <string>
#include <vector>

namespace xlab {

struct UnwrappedConfig {
  std::string text;  ///< the configuration to read, as JSON
  bool tying_assumed =
      false;  ///< nothing was said of a tied head: transformers' default stands there
};

/// A config.json may hold the paper's configuration in an object of its own ("_xlstm_config"),
/// beside what transformers says of every model: then that object is the configuration, and has the
/// sizes of the outer one where it has none itself. Any other text comes back as it is. Members of
/// the outer object that nothing here follows join `not_used`, as "key = value". Throws a sentence
/// when the two contradict each other, or when there are several such objects.
UnwrappedConfig unwrapped_config(const std::string& text, std::vector<std::string>& not_used);

}  // namespace xlab
