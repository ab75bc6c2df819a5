// Named parameters in one flat block.
#include "core/params.hpp"

#include <algorithm>
#include <utility>

#include "core/hash.hpp"
#include "kernels/random.hpp"
#include "kernels/route.hpp"

namespace xlab {
namespace {

std::uint64_t hash_text(const std::string& text, std::uint64_t seed = kHashSeed) {
  return hash_bytes(std::as_bytes(std::span(text)), seed);
}

}  // namespace

int Params::declare(const std::string& name, const Shape& shape, bool decays, Init init) {
  check(views_.empty(), "Parameter '{}' was declared after the block was allocated.", name);
  check(find(name) < 0, "Two parameters are called '{}'.", name);
  infos_.push_back({name, shape, elements_, decays, std::move(init)});
  // Every parameter starts on a cache line; the few elements between them stay zero.
  constexpr std::int64_t kAlign = 16;
  elements_ += (shape.elements() + kAlign - 1) / kAlign * kAlign;
  return static_cast<int>(infos_.size()) - 1;
}

void Params::allocate() {
  values_ = Tensor::zeros({elements_}, dtype_);
  grads_ = Tensor::zeros({elements_}, dtype_);
  slice_blocks();
}

Device Params::device() const {
  return views_.empty() ? Device::cpu() : views_.front().value.device();
}

Params Params::on(Device device) const {
  Params moved = *this;
  if (trainable()) {
    moved.values_ = values_.to(device);
    moved.grads_ = grads_.to(device);
    moved.slice_blocks();
  } else {
    for (Param& view : moved.views_) view.value = view.value.to(device);
  }
  return moved;
}

Params Params::with_own_gradients() const {
  Params own = *this;
  own.grads_ = Tensor::zeros({elements_}, dtype_, device());
  own.slice_blocks();
  return own;
}

void Params::slice_blocks() {
  views_.clear();
  for (const ParamInfo& info : infos_) {
    const std::int64_t end = info.offset + info.shape.elements();
    views_.push_back({values_.slice(info.offset, end).reshape(info.shape),
                      grads_.slice(info.offset, end).reshape(info.shape)});
  }
}

void Params::allocate_values(const std::vector<DType>& types) {
  check(types.size() == infos_.size(), "{} types do not name those of {} parameters.", types.size(),
        infos_.size());
  views_.clear();
  for (std::size_t p = 0; p < infos_.size(); ++p)
    views_.push_back({Tensor::empty(infos_[p].shape, types[p]), {}});
}

void Params::exchange(int index, Tensor value) {
  Param& view = views_[static_cast<std::size_t>(index)];
  check(!trainable(), "The weights of a model with gradients stay where they are.");
  check(value.defined() && value.shape() == view.value.shape(),
        "Numbers of shape {} cannot take the place of a parameter of shape {}.", value.shape(),
        view.value.shape());
  view.value = std::move(value);
}

void Params::initialise(std::uint64_t seed) {
  for (std::size_t p = 0; p < infos_.size(); ++p) {
    const ParamInfo& info = infos_[p];
    // Made on the host, so that one seed is one model wherever it lies.
    const Tensor& place = views_[p].value;
    const Tensor value = device() == Device::cpu() ? place : Tensor::empty(info.shape, dtype_);
    const std::uint64_t stream = hash_text(info.name);
    switch (info.init.kind) {
      case Init::Kind::normal:
        kernels::fill_normal(value, 0.0, info.init.a, seed, stream);
        break;
      case Init::Kind::uniform:
        kernels::fill_uniform(value, -info.init.a, info.init.a, seed, stream);
        break;
      case Init::Kind::constant:
        visit_float(value, [&]<typename T>(T) {
          std::fill_n(value.data<T>(), value.elements(), static_cast<T>(info.init.a));
        });
        break;
      case Init::Kind::values:
        check(static_cast<std::int64_t>(info.init.values.size()) == value.elements(),
              "Parameter '{}' has {} elements but {} start values.", info.name, value.elements(),
              info.init.values.size());
        visit_float(value, [&]<typename T>(T) {
          std::transform(info.init.values.begin(), info.init.values.end(), value.data<T>(),
                         [](double x) { return static_cast<T>(x); });
        });
        break;
    }
    if (device() != Device::cpu()) place.copy_from(value);
  }
}

int Params::find(const std::string& name) const {
  const auto found = std::find_if(infos_.begin(), infos_.end(),
                                  [&](const ParamInfo& info) { return info.name == name; });
  return found == infos_.end() ? -1 : static_cast<int>(found - infos_.begin());
}

std::vector<kernels::DecayRange> Params::decay_ranges(double weight_decay) const {
  std::vector<kernels::DecayRange> ranges;
  for (std::size_t p = 0; p < infos_.size(); ++p) {
    const ParamInfo& info = infos_[p];
    const double decay = info.decays ? weight_decay : 0.0;
    const std::int64_t end = p + 1 < infos_.size() ? infos_[p + 1].offset : elements_;
    if (!ranges.empty() && ranges.back().weight_decay == decay) {
      ranges.back().end = end;
    } else {
      ranges.push_back({info.offset, end, decay});
    }
  }
  return ranges;
}

std::uint64_t Params::signature() const {
  std::uint64_t hash = kHashSeed;
  for (std::size_t p = 0; p < infos_.size(); ++p) {
    hash = hash_text(infos_[p].name, hash);
    const Tensor value = views_[p].value.to(Device::cpu());
    hash = hash_bytes({static_cast<const std::byte*>(value.raw()), value.bytes()}, hash);
  }
  return hash;
}

bool held_in_blocks(const Params& params) {
  for (std::size_t p = 0; p < params.infos().size(); ++p)
    if (block_of(params[static_cast<int>(p)].value.dtype()) > 1) return true;
  return false;
}

}  // namespace xlab
