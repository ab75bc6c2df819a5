// What the stabilizer lab shows: m, four replays of the cell, and how they compare.
#include "ui/stabilizer_shown.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace xlab::ui {
namespace {

/// So many steps of m and of the floor are computed with one of the replays.
constexpr int kLighter = 4;

}  // namespace

bool StabilizerShown::goes_on(const Snapshot& snapshot, const BlockCard& block, ScalePlace place,
                              const StabilizerChoice& choice) const {
  if (!trace_ || prefix_ != block.prefix || !(variant_ == block.variant) || !(place_ == place) ||
      !(choice_ == choice) || snapshot.trace->length() < trace_->length())
    return false;
  return std::equal(trace_->steps.begin(), trace_->steps.end(), snapshot.trace->steps.begin());
}

bool StabilizerShown::use(const Snapshot& snapshot, const BlockCard& block, int head,
                          const StabilizerChoice& choice, int most) {
  const ScalePlace place{head, choice.unit};
  const bool on = goes_on(snapshot, block, place, choice);
  if (!on) {
    const auto fresh = [&](NumberFormat format, bool stabilizer, bool exact) {
      CellReplay replay;
      replay.options = {format, stabilizer, exact};
      replay.place = place;
      return replay;
    };
    exact_ = fresh(NumberFormat::fp64, true, true);
    own_ = fresh(NumberFormat::fp64, true, false);
    stabilised_ = fresh(choice.format, true, false);
    plain_ = fresh(choice.format, false, false);
    scale_.clear();
    floors_.clear();
    agreement_.clear();
    needs_.clear();
    fits_.fill({Fit::fits, -1});
    changed_by_equation_ = 0;
    broken_from_ = -1;
    broken_steps_ = 0;
    looked_at_ = 0;
  }
  trace_ = snapshot.trace;
  prefix_ = block.prefix;
  variant_ = block.variant;
  place_ = place;
  choice_ = choice;
  // These take less time than a step of all replays.
  const int many = std::min(most, std::numeric_limits<int>::max() / kLighter) * kLighter;
  const bool more_scale = extend(scale_, *trace_, block, place, many);
  for (auto t = floors_.size(); block.scan == Scan::mlstm && t < scale_.size(); ++t)
    floors_.push_back(floor_use(*trace_, block, static_cast<int>(t), head));
  bool more = false;
  for (CellReplay* replay : {&exact_, &own_, &stabilised_, &plain_}) {
    const auto before = replay->steps.size();
    if (static_cast<int>(before) < trace_->length()) more |= extend(*replay, *trace_, block, most);
    computed_ += static_cast<int>(replay->steps.size() - before);
  }
  compare();
  for (; looked_at_ < agreement_.size(); ++looked_at_) {
    const Recorded* h = trace_->find(static_cast<int>(looked_at_), block.path("h"));
    if (!h || head >= h->heads || choice.unit >= h->dim || std::isfinite(h->at(head, choice.unit)))
      continue;
    if (broken_from_ < 0) broken_from_ = static_cast<int>(looked_at_);
    ++broken_steps_;
  }
  // A replay that cannot go on, because something is not recorded, has no more.
  return more_scale || more;
}

void StabilizerShown::compare() {
  const std::size_t known = std::min({scale_.size(), exact_.steps.size(), own_.steps.size(),
                                      stabilised_.steps.size(), plain_.steps.size()});
  for (std::size_t t = agreement_.size(); t < known; ++t) {
    const double exact = exact_.steps[t].h;
    agreement_.push_back(
        agreement_of(exact, plain_.steps[t].h, stabilised_.steps[t].h, choice_.threshold));
    needs_.push_back(plain_needs(scale_[t], exact_.steps[t]));
    for (const NumberFormat format :
         {NumberFormat::fp64, NumberFormat::fp32, NumberFormat::bf16, NumberFormat::fp16}) {
      auto& worst = fits_[static_cast<std::size_t>(format)];
      if (const Fit now = fit_of(needs_.back(), format); now > worst.first)
        worst = {now, static_cast<int>(t)};
    }
    if (relative_error(own_.steps[t].h, exact) > choice_.threshold) ++changed_by_equation_;
  }
}

std::vector<std::pair<Agreement, StepRange>> StabilizerShown::zones() const {
  std::vector<std::pair<Agreement, StepRange>> zones;
  for (int t = 0; t < length(); ++t) {
    const Agreement now = agreement(t);
    if (now == Agreement::same || now == Agreement::unknown) continue;
    if (!zones.empty() && zones.back().first == now && zones.back().second.end == t) {
      ++zones.back().second.end;
    } else {
      zones.push_back({now, {t, t + 1}});
    }
  }
  return zones;
}

int StabilizerShown::count(Agreement agreement) const {
  return static_cast<int>(std::count(agreement_.begin(), agreement_.end(), agreement));
}

int StabilizerShown::first(Agreement agreement) const {
  const auto found = std::find(agreement_.begin(), agreement_.end(), agreement);
  return found == agreement_.end() ? -1 : static_cast<int>(found - agreement_.begin());
}

}  // namespace xlab::ui
