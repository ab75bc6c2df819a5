// The cases of the element-wise, linear, norm, embedding, convolution and loss kernels.
#include <algorithm>

#include "cases.hpp"
#include "kernels/concat.hpp"
#include "kernels/conv1d.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/embed.hpp"
#include "kernels/loss.hpp"
#include "kernels/norm.hpp"
#include "kernels/product/linear.hpp"
#include "matmul.hpp"

namespace xlab::tests {
namespace {

using kernels::Activation;
using Tensors = std::vector<Tensor>;

Tensor gradient_like(const Tensor& t) {
  const Tensor g = Tensor::empty(t.shape(), t.dtype());
  visit_float(g, [&]<typename T>(T) {
    std::fill_n(g.data<T>(), g.elements(), static_cast<T>(gradient_start));
  });
  return g.to(t.device());
}

Tensor empty_like(const Tensor& t) {
  return Tensor::empty(t.shape(), t.dtype(), t.device());
}

Shape with_last(const Shape& shape, std::int64_t last) {
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis + 1 < shape.rank(); ++axis) extents.push_back(shape[axis]);
  extents.push_back(last);
  return Shape(extents);
}

std::string named(const std::string& what, const Shape& shape) {
  return what + shape.text();
}

Case add_case(const Shape& shape) {
  return {.name = named("add", shape),
          .inputs = {{"a", shape}, {"b", shape}},
          .forward =
              [](const Tensors& in) {
                const Tensor out = empty_like(in[0]);
                kernels::add(in[0], in[1], out);
                return Tensors{out};
              },
          .backward =
              [](const Tensors& in, const Tensors& g) {
                const Tensor da = gradient_like(in[0]), db = gradient_like(in[1]);
                kernels::accumulate(da, g[0]);
                kernels::accumulate(db, g[0]);
                return Tensors{da, db};
              }};
}

Case scale_case(const Shape& shape) {
  return {.name = named("scale", shape),
          .inputs = {{"x", shape}},
          .forward =
              [](const Tensors& in) {
                const Tensor out = empty_like(in[0]);
                kernels::scale(in[0], -1.7, out);
                return Tensors{out};
              },
          .backward =
              [](const Tensors& in, const Tensors& g) {
                const Tensor dx = gradient_like(in[0]);
                kernels::accumulate(dx, g[0], -1.7);
                return Tensors{dx};
              }};
}

Case scale_columns_case(const Shape& shape) {
  return {.name = named("scale_columns", shape),
          .inputs = {{"x", shape}, {"w", {shape[-1]}}},
          .forward =
              [](const Tensors& in) {
                const Tensor out = empty_like(in[0]);
                kernels::scale_columns(in[0], in[1], out);
                return Tensors{out};
              },
          .backward =
              [](const Tensors& in, const Tensors& g) {
                const Tensor dx = gradient_like(in[0]), dw = gradient_like(in[1]);
                kernels::scale_columns_backward(in[0], in[1], g[0], dx, dw);
                return Tensors{dx, dw};
              }};
}

Case add_columns_case(const Shape& shape) {
  return {.name = named("add_columns", shape),
          .inputs = {{"x", shape}, {"b", {shape[-1]}}},
          .forward =
              [](const Tensors& in) {
                const Tensor out = empty_like(in[0]);
                kernels::add_columns(in[0], in[1], out);
                return Tensors{out};
              },
          .backward =
              [](const Tensors& in, const Tensors& g) {
                const Tensor dx = gradient_like(in[0]), db = gradient_like(in[1]);
                kernels::add_columns_backward(g[0], dx, db);
                return Tensors{dx, db};
              }};
}

/// Parts of widths 3, 1 and 5 beside each other.
Case concat_case(std::int64_t batch, std::int64_t time) {
  const Shape a{batch, time, 3}, b{batch, time, 1}, c{batch, time, 5}, out{batch, time, 9};
  return {
      .name = named("concat", out),
      .inputs = {{"a", a}, {"b", b}, {"c", c}},
      .forward =
          [=](const Tensors& in) {
            const Tensor y = Tensor::empty(out, in[0].dtype(), in[0].device());
            kernels::concat_forward(in, y);
            return Tensors{y};
          },
      .backward =
          [](const Tensors& in, const Tensors& g) {
            const Tensors grads{gradient_like(in[0]), gradient_like(in[1]), gradient_like(in[2])};
            kernels::concat_backward(g[0], grads);
            return grads;
          }};
}

/// Inputs on both sides of a kink at 0, none closer than 0.05.
CaseInput around_kink(const std::string& name, const Shape& shape) {
  const auto value = [](std::int64_t j) {
    const double size = 0.0625 * static_cast<double>(1 + (j * 37) % 61);
    return j % 2 == 0 ? size : -size;
  };
  return {.name = name, .shape = shape, .value = value};
}

Case activation_case(Activation f, const Shape& shape) {
  const double cap = f == Activation::soft_cap ? 1.5 : 0.0;
  return {.name = named(std::string("activation ") + kernels::name_of(f), shape),
          .inputs = {around_kink("x", shape)},
          .forward =
              [=](const Tensors& in) {
                const Tensor y = empty_like(in[0]);
                kernels::activation_forward(f, in[0], y, cap);
                return Tensors{y};
              },
          .backward =
              [=](const Tensors& in, const Tensors& g) {
                const Tensor dx = gradient_like(in[0]);
                kernels::activation_backward(f, in[0], g[0], dx, cap);
                return Tensors{dx};
              }};
}

Case gated_case(Activation f, const Shape& shape) {
  return {.name = named(std::string("gated ") + kernels::name_of(f), shape),
          .inputs = {around_kink("gate", shape), {"value", shape}},
          .forward =
              [=](const Tensors& in) {
                const Tensor y = empty_like(in[0]);
                kernels::gated_forward(f, in[0], in[1], y);
                return Tensors{y};
              },
          .backward =
              [=](const Tensors& in, const Tensors& g) {
                const Tensor dgate = gradient_like(in[0]), dvalue = gradient_like(in[1]);
                kernels::gated_backward(f, in[0], in[1], g[0], dgate, dvalue);
                return Tensors{dgate, dvalue};
              }};
}

Case linear_case(const Shape& x, std::int64_t out, bool bias) {
  const std::int64_t in_width = x[-1];
  Case c{.name = named("linear", x) + " to " + std::to_string(out) + (bias ? " with bias" : ""),
         .inputs = {{"x", x}, {"w", {out, in_width}}}};
  if (bias) c.inputs.push_back({"b", {out}});
  c.forward = [=](const Tensors& in) {
    const Tensor y = Tensor::empty(with_last(x, out), in[0].dtype(), in[0].device());
    kernels::linear_forward(in[0], in[1], bias ? in[2] : Tensor(), y);
    return Tensors{y};
  };
  c.backward = [=](const Tensors& in, const Tensors& g) {
    Tensors d{gradient_like(in[0]), gradient_like(in[1])};
    if (bias) d.push_back(gradient_like(in[2]));
    kernels::linear_backward(in[0], in[1], g[0], d[0], d[1], bias ? d[2] : Tensor());
    return d;
  };
  return c;
}

Case headwise_case(const Shape& leading, std::int64_t blocks, std::int64_t out,
                   std::int64_t in_width, bool bias) {
  const Shape x = with_last(leading, blocks * in_width);
  const Shape w{blocks, out, in_width};
  Case c{.name = named("headwise", x) + " by " + w.text() + (bias ? " with bias" : ""),
         .inputs = {{"x", x}, {"w", w}}};
  if (bias) c.inputs.push_back({"b", {blocks * out}});
  c.forward = [=](const Tensors& in) {
    const Tensor y = Tensor::empty(with_last(x, blocks * out), in[0].dtype(), in[0].device());
    kernels::headwise_forward(in[0], in[1], bias ? in[2] : Tensor(), y);
    return Tensors{y};
  };
  c.backward = [=](const Tensors& in, const Tensors& g) {
    Tensors d{gradient_like(in[0]), gradient_like(in[1])};
    if (bias) d.push_back(gradient_like(in[2]));
    kernels::headwise_backward(in[0], in[1], g[0], d[0], d[1], bias ? d[2] : Tensor());
    return d;
  };
  return c;
}

/// da = g b^T and db = a^T g, written for each way of storing a and b.
Case matmul_case(std::int64_t count, std::int64_t m, std::int64_t k, std::int64_t p, bool ta,
                 bool tb) {
  const Shape a = ta ? Shape{count, k, m} : Shape{count, m, k};
  const Shape b = tb ? Shape{count, p, k} : Shape{count, k, p};
  return {
      .name = std::string("matmul ") + a.text() + (ta ? "T" : "") + b.text() + (tb ? "T" : ""),
      .inputs = {{"a", a}, {"b", b}},
      .forward =
          [=](const Tensors& in) {
            const Tensor out = Tensor::empty({count, m, p}, in[0].dtype(), in[0].device());
            matmul(in[0], in[1], out, {.transpose_a = ta, .transpose_b = tb});
            return Tensors{out};
          },
      .backward =
          [=](const Tensors& in, const Tensors& g) {
            const Tensor da = gradient_like(in[0]), db = gradient_like(in[1]);
            if (ta) {
              matmul(in[1], g[0], da, {.transpose_a = tb, .transpose_b = true, .accumulate = true});
            } else {
              matmul(g[0], in[1], da, {.transpose_b = !tb, .accumulate = true});
            }
            if (tb) {
              matmul(g[0], in[0], db, {.transpose_a = true, .transpose_b = ta, .accumulate = true});
            } else {
              matmul(in[0], g[0], db, {.transpose_a = !ta, .accumulate = true});
            }
            return Tensors{da, db};
          }};
}

Case norm_case(kernels::NormKind kind, const Shape& x, std::int64_t groups, bool weight,
               double offset) {
  const kernels::NormOptions options{.kind = kind, .groups = groups, .scale_offset = offset};
  Case c{.name = named(kind == kernels::NormKind::layer ? "layer norm" : "rms norm", x) + " in " +
                 std::to_string(groups) + (weight ? " with weight" : "") +
                 (offset != 0.0 ? " from 1" : ""),
         .inputs = {{"x", x, -2.0, 2.0}}};
  if (weight) c.inputs.push_back({"weight", {x[-1]}, 0.25, 1.0});
  const auto run = [=](const Tensors& in, const Tensor& mean, const Tensor& rstd) {
    const Tensor y = empty_like(in[0]);
    kernels::norm_forward(options, in[0], weight ? in[1] : Tensor(), y, mean, rstd);
    return y;
  };
  const Shape statistics{x.elements() / x[-1], groups};
  c.forward = [=](const Tensors& in) {
    const Tensor mean = Tensor::empty(statistics, in[0].dtype(), in[0].device());
    return Tensors{run(in, mean, empty_like(mean))};
  };
  c.backward = [=](const Tensors& in, const Tensors& g) {
    const Tensor mean = Tensor::empty(statistics, in[0].dtype(), in[0].device()),
                 rstd = empty_like(mean);
    run(in, mean, rstd);
    Tensors d{gradient_like(in[0])};
    if (weight) d.push_back(gradient_like(in[1]));
    kernels::norm_backward(options, in[0], weight ? in[1] : Tensor(), mean, rstd, g[0], d[0],
                           weight ? d[1] : Tensor());
    return d;
  };
  return c;
}

Case embed_case(const Shape& ids, std::int64_t vocabulary, std::int64_t width) {
  return {.name = named("embed", ids) + " of " + Shape{vocabulary, width}.text(),
          .inputs = {{"ids", ids, 0.0, static_cast<double>(vocabulary), false, DType::i32},
                     {"table", {vocabulary, width}}},
          .forward =
              [=](const Tensors& in) {
                const Tensor out =
                    Tensor::empty({ids.elements(), width}, in[1].dtype(), in[1].device());
                kernels::embed_forward(in[0], in[1], out);
                return Tensors{out};
              },
          .backward =
              [](const Tensors& in, const Tensors& g) {
                const Tensor dtable = gradient_like(in[1]);
                kernels::embed_backward(in[0], g[0], dtable);
                return Tensors{Tensor(), dtable};
              }};
}

Case conv1d_case(const Shape& x, std::int64_t taps, bool window) {
  const Shape carried{x[0], taps, x[2]};
  Case c{.name = named("conv1d", x) + " by " + std::to_string(taps) + (window ? " carried" : ""),
         .inputs = {{"x", x}, {"w", {x[2], taps}}, {"b", {x[2]}}}};
  if (window) c.inputs.push_back({"window", carried});
  c.forward = [=](const Tensors& in) {
    const Tensor y = empty_like(in[0]);
    kernels::conv1d_forward(in[0], window ? in[3] : Tensor(), in[1], in[2], y, Tensor());
    return Tensors{y};
  };
  c.backward = [=](const Tensors& in, const Tensors& g) {
    Tensors d{gradient_like(in[0]), gradient_like(in[1]), gradient_like(in[2])};
    if (window) d.push_back(gradient_like(in[3]));
    kernels::conv1d_backward(in[0], window ? in[3] : Tensor(), in[1], g[0], d[0], d[1], d[2],
                             window ? d[3] : Tensor());
    return d;
  };
  return c;
}

/// The loss as a tensor of one number.
Case cross_entropy_case(const Shape& logits) {
  CaseInput targets{"targets", {logits.elements() / logits[-1]}};
  targets.differentiable = false;
  targets.dtype = DType::i32;
  // Every fourth target is ignored, but never all of them.
  targets.value = [classes = logits[-1]](std::int64_t n) {
    return static_cast<double>(n % 4 == 3 ? -1 : (n * 5 + 1) % classes);
  };
  return {.name = named("cross entropy", logits),
          .inputs = {{"logits", logits, -3.0, 3.0}, targets},
          .forward =
              [](const Tensors& in) {
                const double loss = kernels::cross_entropy(in[0], in[1], Tensor(), Tensor()).loss;
                const std::vector<double> values = {loss};
                return Tensors{Tensor::from<double>({1}, values, in[0].dtype()).to(in[0].device())};
              },
          .backward =
              [](const Tensors& in, const Tensors& g) {
                const Tensor dlogits = empty_like(in[0]);
                const double upstream = g[0].to(DType::f64).to(Device::cpu()).data<double>()[0];
                kernels::cross_entropy(in[0], in[1], dlogits, Tensor(), upstream);
                return Tensors{dlogits, Tensor()};
              }};
}

/// The gradient p (g - <g, p>) is spelled out here: generation needs no backward pass of its own.
Case softmax_case(const Shape& logits, double temperature) {
  return {.name = named("softmax", logits) + " at " + std::to_string(temperature),
          .inputs = {{"logits", logits, -3.0, 3.0}},
          .forward =
              [=](const Tensors& in) {
                const Tensor p = empty_like(in[0]);
                kernels::softmax(in[0], p, temperature);
                return Tensors{p};
              },
          .backward =
              [=](const Tensors& in, const Tensors& g) {
                const Tensor p = empty_like(in[0]);
                kernels::softmax(in[0], p, temperature);
                const Tensor exact = p.to(DType::f64).to(Device::cpu());
                const Tensor upstream = g[0].to(DType::f64).to(Device::cpu());
                const Tensor d = Tensor::zeros(exact.shape(), exact.dtype());
                const std::int64_t width = logits[-1];
                for (std::int64_t at = 0; at < logits.elements(); at += width) {
                  double dot = 0.0;
                  for (std::int64_t j = at; j < at + width; ++j) {
                    dot += exact.data<double>()[j] * upstream.data<double>()[j];
                  }
                  for (std::int64_t j = at; j < at + width; ++j) {
                    d.data<double>()[j] =
                        exact.data<double>()[j] * (upstream.data<double>()[j] - dot) / temperature;
                  }
                }
                return Tensors{d.to(in[0].dtype()).to(in[0].device())};
              }};
}

constexpr Activation kActivations[] = {
    Activation::sigmoid,     Activation::silu,    Activation::gelu,         Activation::tanh,
    Activation::log_sigmoid, Activation::relu,    Activation::relu_squared, Activation::selu,
    Activation::exponential, Activation::soft_cap};

}  // namespace

std::vector<Case> op_cases() {
  using kernels::NormKind;
  std::vector<Case> cases;
  for (const Shape& shape : {Shape{1, 1, 7}, Shape{2, 5, 13}, Shape{3, 600}}) {
    cases.push_back(add_case(shape));
    cases.push_back(scale_case(shape));
    cases.push_back(scale_columns_case(shape));
    cases.push_back(add_columns_case(shape));
    for (const Activation f : kActivations) cases.push_back(activation_case(f, shape));
    cases.push_back(gated_case(Activation::silu, shape));
    cases.push_back(gated_case(Activation::gelu, shape));
    cases.push_back(gated_case(Activation::sigmoid, shape));
  }
  cases.push_back(concat_case(1, 1));
  cases.push_back(concat_case(3, 170));

  for (const bool bias : {false, true}) {
    cases.push_back(linear_case({1, 1, 16}, 24, bias));
    cases.push_back(linear_case({1, 1}, 1, bias));
    cases.push_back(linear_case({2, 3, 5}, 7, bias));
    cases.push_back(linear_case({3, 33}, 65, bias));
    cases.push_back(linear_case({67, 19}, 3, bias));
    cases.push_back(linear_case({270, 20}, 37, bias));
    cases.push_back(headwise_case({1, 1, 0}, 4, 4, 4, bias));
    cases.push_back(headwise_case({2, 9, 0}, 16, 2, 2, bias));
    cases.push_back(headwise_case({2, 9, 0}, 8, 4, 4, bias));
    cases.push_back(headwise_case({19, 0}, 6, 8, 8, bias));
    cases.push_back(headwise_case({5, 0}, 3, 4, 4, bias));
    cases.push_back(headwise_case({2, 3, 0}, 3, 5, 7, bias));
    cases.push_back(headwise_case({7, 0}, 2, 17, 16, bias));
  }
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      cases.push_back(matmul_case(3, 5, 4, 7, ta, tb));
      cases.push_back(matmul_case(1, 1, 9, 3, ta, tb));
      cases.push_back(matmul_case(2, 17, 33, 19, ta, tb));
    }
  }
  for (const NormKind kind : {NormKind::layer, NormKind::rms}) {
    for (const bool weight : {false, true}) {
      cases.push_back(norm_case(kind, {1, 1, 8}, 1, weight, 1.0));
      cases.push_back(norm_case(kind, {2, 3, 24}, 4, weight, 1.0));
      cases.push_back(norm_case(kind, {3, 37}, 1, weight, 0.0));
      cases.push_back(norm_case(kind, {2, 60}, 3, weight, 0.0));
    }
  }
  cases.push_back(embed_case({1, 1}, 3, 5));
  cases.push_back(embed_case({2, 7}, 5, 9));
  cases.push_back(embed_case({40}, 6, 130));
  for (const bool window : {false, true}) {
    cases.push_back(conv1d_case({2, 6, 5}, 4, window));
    cases.push_back(conv1d_case({3, 1, 9}, 4, window));
    cases.push_back(conv1d_case({1, 2, 17}, 3, window));
    cases.push_back(conv1d_case({2, 4, 3}, 1, window));
  }
  cases.push_back(cross_entropy_case({1, 3}));
  cases.push_back(cross_entropy_case({2, 3, 11}));
  cases.push_back(cross_entropy_case({5, 700}));
  cases.push_back(softmax_case({2, 9}, 1.0));
  cases.push_back(softmax_case({1, 600}, 0.7));
  return cases;
}

std::vector<Case> op_timing_cases() {
  using kernels::NormKind;
  std::vector<Case> cases;
  for (const std::int64_t width : {64, 256}) {
    const Shape tokens{16, 128, width};
    const Shape wide{16, 128, 2 * width};
    cases.push_back(add_case(tokens));
    cases.push_back(scale_columns_case(wide));
    cases.push_back(add_columns_case(wide));
    cases.push_back(activation_case(Activation::silu, wide));
    cases.push_back(gated_case(Activation::gelu, wide));
    cases.push_back(linear_case(tokens, 4 * width, false));
    cases.push_back(linear_case(wide, width, false));
    cases.push_back(linear_case(wide, 8, true));
    cases.push_back(linear_case({1, 1, width}, 4 * width, false));
    cases.push_back(headwise_case(wide, width / 2, 4, 4, false));
    cases.push_back(headwise_case(tokens, 4, width / 4, width / 4, false));
    cases.push_back(headwise_case({1, 1, wide[-1]}, width / 2, 4, 4, false));
    cases.push_back(norm_case(NormKind::layer, tokens, 1, true, 1.0));
    cases.push_back(norm_case(NormKind::layer, tokens, 4, true, 1.0));
    cases.push_back(norm_case(NormKind::rms, tokens, 1, true, 0.0));
    cases.push_back(norm_case(NormKind::layer, {1, 1, width}, 1, true, 1.0));
    cases.push_back(embed_case({16, 128}, 64, width));
    cases.push_back(conv1d_case(wide, 4, false));
    cases.push_back(conv1d_case({1, 1, 2 * width}, 4, true));
    cases.push_back(cross_entropy_case({16, 128, width}));
  }
  cases.push_back(matmul_case(64, 128, 32, 128, false, true));
  cases.push_back(matmul_case(1, 1024, 256, 512, false, false));
  return cases;
}

}  // namespace xlab::tests
