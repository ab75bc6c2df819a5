// What is found in the recordings on screen, a little in every frame and kept until they change.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/analysis/findings.hpp"
#include "core/snapshot.hpp"

namespace xlab::ui {

class FindingsShown {
 public:
  /// Follows a snapshot and measures for a while; `whole`: to the end. What was begun is finished
  /// first, so that tokens that keep coming do not keep it from ever being told.
  void use(const Snapshot& snapshot, bool whole);

  /// The last that are complete; those of a first measurement as far as they are.
  const std::vector<Finding>& found() const;
  /// Of how many tokens they are; 0: none was recorded.
  int tokens() const { return tokens_; }
  /// Whether more is measured just now, and how much of that is done, 0..1.
  bool busy() const { return pieces_.has_value(); }
  double share() const { return pieces_ ? pieces_->share() : 1.0; }

 private:
  /// What the findings are of.
  struct Of {
    std::uint64_t run = 0;
    std::shared_ptr<const ModelCard> model;
    std::vector<std::shared_ptr<const TokenTrace>> steps;
    int asked = -1;
    bool operator==(const Of&) const = default;
  };

  void begin_if_other(const Snapshot& snapshot, const Of& now);

  std::optional<Of> of_;  // of what is measured, or was
  std::optional<FindingsInPieces> pieces_;
  std::vector<Finding> found_;
  int tokens_ = 0;
  bool told_ = false;  // once to the end
};

}  // namespace xlab::ui
