// Small model specifications that together touch every option, and models filled with numbers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/model.hpp"
#include "kernels/random.hpp"

namespace xlab::tests {

/// Two mLSTM blocks of width 8 over seven tokens.
inline ModelSpec small_mlstm() {
  ModelSpec spec;
  spec.vocab_size = 7;
  spec.embedding_dim = 8;
  spec.num_blocks = 2;
  spec.context_length = 16;
  spec.mlstm = MlstmSpec{.num_heads = 2, .round_proj_up_to_multiple_of = 8};
  return spec;
}

/// Two sLSTM blocks of width 8, with memory mixing and a feed-forward layer.
inline ModelSpec small_slstm() {
  ModelSpec spec = small_mlstm();
  spec.mlstm.reset();
  spec.slstm_at = {0, 1};
  spec.slstm = SlstmSpec{.num_heads = 2, .recurrent_weight_init = "standard"};
  spec.feedforward = FeedforwardSpec{.round_proj_up_to_multiple_of = 8};
  return spec;
}

/// mLSTM, sLSTM, mLSTM.
inline ModelSpec small_mixed() {
  ModelSpec spec = small_slstm();
  spec.num_blocks = 3;
  spec.slstm_at = {1};
  spec.mlstm = small_mlstm().mlstm;
  return spec;
}

/// Two blocks of the large family, of width 8 over seven tokens.
inline ModelSpec small_large() {
  ModelSpec spec;
  spec.vocab_size = 7;
  spec.embedding_dim = 8;
  spec.num_blocks = 2;
  spec.context_length = 16;
  spec.large = LargeSpec{.num_heads = 2, .ffn_round_up_to_multiple_of = 8};
  return spec;
}

/// The above and their variants, by name.
inline std::vector<std::pair<std::string, ModelSpec>> small_models() {
  std::vector<std::pair<std::string, ModelSpec>> list;
  const auto add = [&](const std::string& name, ModelSpec spec, auto&& change) {
    change(spec);
    list.emplace_back(name, std::move(spec));
  };
  const auto as_it_is = [](ModelSpec&) {};
  add("mlstm", small_mlstm(), as_it_is);
  add("slstm", small_slstm(), as_it_is);
  add("mixed", small_mixed(), as_it_is);
  add("bias", small_mixed(), [](ModelSpec& s) { s.bias = s.feedforward->bias = true; });
  add("tied", small_mixed(), [](ModelSpec& s) { s.tie_weights = true; });
  add("swish", small_slstm(), [](ModelSpec& s) { s.feedforward->act_fn = "swish"; });
  add("no_feedforward", small_slstm(), [](ModelSpec& s) { s.feedforward.reset(); });
  add("no_convolution", small_slstm(), [](ModelSpec& s) { s.slstm->conv1d_kernel_size = 0; });
  add("no_norms", small_mixed(), [](ModelSpec& s) {
    s.add_post_blocks_norm = false;
    s.slstm->group_norm_weight = false;
  });
  add("one_head", small_mixed(), [](ModelSpec& s) { s.mlstm->num_heads = s.slstm->num_heads = 1; });
  add("lstm", small_slstm(), [](ModelSpec& s) { s.slstm->memory = kernels::ScalarMemory::lstm; });
  add("mixed_lstm", small_mixed(), [](ModelSpec& s) {
    s.slstm->memory = kernels::ScalarMemory::lstm;
    s.slstm->conv1d_kernel_size = 0;
    s.slstm->variant.gate_soft_cap = 2.0;
    s.slstm->variant.number_format = NumberFormat::fp64;
  });
  add("exponential", small_mixed(), [](ModelSpec& s) {
    s.mlstm->variant.forget_gate = s.slstm->variant.forget_gate = ForgetGate::exponential;
    s.mlstm->variant.gate_soft_cap = s.slstm->variant.gate_soft_cap = 2.0;
  });
  add("unstabilised", small_mixed(), [](ModelSpec& s) {
    s.mlstm->variant.stabilizer = s.slstm->variant.stabilizer = false;
    s.mlstm->variant.scale = Scaled::queries;
    s.mlstm->variant.number_format = s.slstm->variant.number_format = NumberFormat::fp64;
  });
  add("floor_one", small_mlstm(), [](ModelSpec& s) {
    s.mlstm->variant.denominator_floor = DenominatorFloor::one;
    s.mlstm->variant.eps = 0.1;
  });
  add("sigmoids", small_mixed(), [](ModelSpec& s) {
    s.mlstm->variant.input_gate = InputGate::sigmoid;
    s.mlstm->variant.gate_soft_cap = 4.0;
  });
  add("undivided", small_mlstm(), [](ModelSpec& s) { s.mlstm->variant.normalizer = false; });
  add("windows", small_mixed(), [](ModelSpec& s) {
    s.mlstm->conv1d_kernel_size = 2;
    s.mlstm->qkv_proj_blocksize = 8;
    s.slstm->conv1d_kernel_size = 3;
    s.vocab_size = 3;
  });
  add("large", small_large(), as_it_is);
  add("large_bias", small_large(), [](ModelSpec& s) {
    s.large->use_bias = s.large->out_norm_bias = true;
    s.large->variant.gate_soft_cap = 3.0;
    s.large->output_logit_soft_cap = 1.0;
    s.large->v_dim_factor = 2.0;
  });
  add("large_plain", small_large(), [](ModelSpec& s) {
    s.tie_weights = true;
    s.large->add_out_norm = false;
    s.large->variant.gate_soft_cap = s.large->output_logit_soft_cap = 0.0;
    s.large->num_heads = 1;
    s.large->variant.eps = 1e-7;
  });
  add("large_sigmoids", small_large(), [](ModelSpec& s) {
    s.large->variant.input_gate = InputGate::sigmoid;
    s.large->variant.normalizer = false;
    // Would show, but nothing is divided by it.
    s.large->variant.eps = 0.1;
  });
  return list;
}

/// A model whose every parameter is away from the special values it is initialised with.
inline Model filled_model(const ModelSpec& spec, DType dtype, std::uint64_t seed = 1) {
  Model model(spec, dtype);
  model.params().initialise(seed);
  std::uint64_t stream = 0;
  for (const ParamInfo& info : model.params().infos()) {
    const Tensor& value = model.params()[model.params().find(info.name)].value;
    const Tensor noise = Tensor::empty(value.shape(), DType::f64);
    kernels::fill_uniform(noise, -0.3, 0.3, seed, ++stream);
    const Tensor wide = value.to(DType::f64);
    for (std::int64_t j = 0; j < wide.elements(); ++j)
      wide.data<double>()[j] += noise.data<double>()[j];
    value.copy_from(wide.to(dtype));
  }
  return model;
}

/// Tokens of a small vocabulary, the same for the same arguments.
inline std::vector<int> some_tokens(int count, int vocabulary, std::uint64_t seed = 1) {
  Random random(seed, 77);
  std::vector<int> tokens;
  for (int t = 0; t < count; ++t)
    tokens.push_back(static_cast<int>(random.below(static_cast<std::uint64_t>(vocabulary))));
  return tokens;
}

}  // namespace xlab::tests
