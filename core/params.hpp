// Named parameters in one flat block; gradients mirror it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/adamw.hpp"
#include "kernels/tensor.hpp"

namespace xlab {

/// How a parameter starts. Normal values have mean 0.
struct Init {
  enum class Kind { constant, normal, uniform, values };
  Kind kind = Kind::constant;
  double a = 0.0;  ///< constant: the value; normal: the standard deviation; uniform: +-a
  std::vector<double> values;  ///< values: one per element

  static Init constant(double value) { return {Kind::constant, value, {}}; }
  static Init normal(double std) { return {Kind::normal, std, {}}; }
  static Init uniform(double bound) { return {Kind::uniform, bound, {}}; }
  static Init exactly(std::vector<double> values) { return {Kind::values, 0.0, std::move(values)}; }
};

/// Views of one parameter's numbers and of its gradient's, which a model for inference has not.
struct Param {
  Tensor value, grad;

  /// Rows [begin, end) of the first axis. An absent parameter stays absent.
  Param rows(std::int64_t begin, std::int64_t end) const {
    if (!value.defined()) return {};
    return {value.slice(begin, end), grad.defined() ? grad.slice(begin, end) : Tensor()};
  }
};

struct ParamInfo {
  std::string name;
  Shape shape;
  std::int64_t offset = 0;  ///< in elements, from the start of the block
  bool decays = false;      ///< whether weight decay applies
  Init init;
};

class Params {
 public:
  explicit Params(DType dtype) : dtype_(dtype) {}

  /// Announces a parameter and returns its index; all are announced before `allocate`.
  int declare(const std::string& name, const Shape& shape, bool decays, Init init);
  void allocate();
  /// Values alone, one tensor each of the type given, for a model that is only read.
  void allocate_values(const std::vector<DType>& types);
  /// Whether there are gradients, and one block of values: what training needs.
  bool trainable() const { return grads_.defined(); }
  /// Puts other numbers of the same shape in a parameter's place, of whatever type; only where
  /// there are no gradients.
  void exchange(int index, Tensor value);
  /// Sets every parameter to its start; a parameter's random stream depends on its name alone.
  void initialise(std::uint64_t seed);

  /// Where the numbers lie.
  Device device() const;
  /// The same parameters with all their numbers, gradients included, on this device.
  Params on(Device device) const;
  /// The same parameters with gradients of their own, at first zero. For passes side by side.
  Params with_own_gradients() const;

  const Param& operator[](int index) const { return views_[static_cast<std::size_t>(index)]; }
  const std::vector<ParamInfo>& infos() const { return infos_; }
  /// Index of a name, or -1.
  int find(const std::string& name) const;
  /// Of what is computed with them; matrices may be stored as halves or in blocks.
  DType dtype() const { return dtype_; }
  std::int64_t elements() const { return elements_; }
  const Tensor& values() const { return values_; }
  const Tensor& grads() const { return grads_; }
  /// The block cut into runs of equal weight decay.
  std::vector<kernels::DecayRange> decay_ranges(double weight_decay) const;
  /// FNV-1a hash of names and values: the signature of the weights.
  std::uint64_t signature() const;

 private:
  void slice_blocks();

  DType dtype_;
  std::int64_t elements_ = 0;
  std::vector<ParamInfo> infos_;
  std::vector<Param> views_;
  Tensor values_, grads_;
};

/// Whether some of the numbers are stored in blocks of few bits.
bool held_in_blocks(const Params& params);

}  // namespace xlab
