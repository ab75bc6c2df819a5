// Configurations of the paper's family inside those of other programs.
#pragma once

#include <set>
#include <string>

#include "core/what_was_read.hpp"

namespace xlab {

struct UnwrappedConfig {
  std::string text;                    ///< the configuration to read, as JSON
  std::string where = {};              ///< the object it stands in, "_xlstm_config"; empty: none
  std::set<std::string> outside = {};  ///< its members that stand outside that object
  /// Nothing was said of a tied head: transformers' default stands there.
  bool tying_assumed = false;
};

/// A config.json may hold the paper's configuration in an object of its own ("_xlstm_config"),
/// beside what transformers says of every model; a configuration of an experiment holds it under
/// "model", beside what it says of data and training. Then that object is the configuration, and
/// has the sizes of the outer one where it has none itself. Any other text comes back as it is.
/// What became of the outer members joins `keys`. `what` names the text in sentences. Throws one
/// when the two contradict each other, or when there are several such objects.
UnwrappedConfig unwrapped_config(const std::string& text, ReadKeys& keys,
                                 const std::string& what = "The model's config.json");

}  // namespace xlab
