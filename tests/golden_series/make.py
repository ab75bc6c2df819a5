#!/usr/bin/env python3
"""Makes the folders beside it: small forecasting models in the layouts of TiRex-2 and TiRex, series,
and what such a model foretells of each, in float64 and by plain loops. Needs numpy. The numbers do not come
from xLSTM Lab, nor from the original programs: they follow their published sources.

    tests/golden_series/make.py
"""
import json
import math
import pathlib
import struct

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
QUANTILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def write_safetensors(path, tensors):
    header, blob = {}, b""
    for name in sorted(tensors):
        data = np.ascontiguousarray(tensors[name], dtype="<f4")
        header[name] = {"dtype": "F32", "shape": list(data.shape),
                        "data_offsets": [len(blob), len(blob) + data.nbytes]}
        blob += data.tobytes()
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


ACTIVATIONS = {
    "ReLU": lambda x: np.maximum(x, 0.0),
    "SiLU": lambda x: x * sigmoid(x),
    "GELU": lambda x: 0.5 * x * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0))),
}


class Model:
    def __init__(self, config, weights):
        self.config = config
        self.weights = {name: np.asarray(w, dtype=np.float32).astype(np.float64)
                        for name, w in weights.items()}
        self.act = ACTIVATIONS[config["act_func"].split(".")[-1]]

    def linear(self, name, x):
        y = x @ self.weights[name + ".weight"].T
        return y + self.weights[name + ".bias"] if name + ".bias" in self.weights else y

    def residual(self, name, x):
        inner = self.act(self.linear(name + ".hidden_layer", x))
        return self.linear(name + ".output_layer", inner) + self.linear(name + ".residual_layer", x)

    def rms(self, name, x, eps):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * self.weights[name + ".weight"]

    def cell(self, name, x, heads, room=".", eps=1e-6, offset=0.0):
        steps, width = x.shape
        units = width // heads
        # (head, from, gate, to) and (head, gate, to)
        kernel = self.weights[name + room + "_recurrent_kernel_"].reshape(heads, units, 4, units)
        bias = self.weights[name + room + "_bias_"].reshape(heads, 4, units)
        out = np.zeros_like(x)
        for h in range(heads):
            own = slice(h * units, (h + 1) * units)
            y, c, n, m = (np.zeros(units) for _ in range(4))
            for t in range(steps):
                raw = []
                # The published program hands its forget gate's projection to the input gate, and
                # the other way round.
                for g, gate in enumerate(["fgate", "igate", "zgate", "ogate"]):
                    w = self.weights[f"{name}.{gate}.weight"][h]
                    raw.append(w @ x[t, own] + kernel[h, :, g, :].T @ y + bias[h, g])
                i, f, z, o = raw
                kept = -np.logaddexp(0.0, -f) + m
                new = i if t == 0 else np.maximum(i, kept)
                write, keep = np.exp(i - new), np.exp(kept - new)
                c, n, m = keep * c + write * np.tanh(z), keep * n + write, new
                y = sigmoid(o) * c / n
                centred = y - y.mean()
                out[t, own] = centred / np.sqrt((centred ** 2).mean() + eps)
        return out * (offset + self.weights[name + ".group_norm.weight"])

    def outputs(self, patches):
        """(tokens, 2 * patch) -> (tokens, quantiles, patch)"""
        config = self.config
        x = self.residual("input_patch_embedding", patches)
        for b, template in enumerate(config["stack_config"]["recipe"]):
            mixer = config["stack_config"]["templates"][template]["time_mixer"]
            heads = mixer.get("num_slstm_heads") or mixer["num_heads"]
            name = f"stack.{b}.time_mixer"
            x = x + self.cell(name + ".fwd_cell", self.rms(name + ".norm_lstm", x, 1e-6), heads)
            inner = self.rms(name + ".norm_ffn", x, 1e-6)
            gate = self.linear(name + ".ffn.proj_up_gate", inner)
            x = x + self.linear(name + ".ffn.proj_down",
                                gate * sigmoid(gate) * self.linear(name + ".ffn.proj_up", inner))
        norm = config.get("stack_out_norm_config")
        if norm is not None:
            x = self.rms("stack_out_norm", x, norm.get("eps", 1e-7))
        x = self.residual("output_patch_embedding", x)
        return x.reshape(len(x), len(config["quantiles"]), config["output_patch_size"])

    def once(self, series, horizon):
        config = self.config
        patch, future = config["output_patch_size"], config["future_len"]
        rising = config.get("tta_diff", True) and trends(series)
        last = next((v for v in series[::-1] if not math.isnan(v)), 0.0)
        x = np.concatenate([[0.0], np.diff(series)]) if rising else series
        x = np.concatenate([x, np.full(future, np.nan)])
        whole = config["context_len"] + future
        x = x[-whole:] if len(x) >= whole else np.concatenate([np.full(whole - len(x), np.nan), x])
        seen = x[~np.isnan(x)]
        mean = seen.mean() if len(seen) else 0.0
        scale = math.sqrt(((seen - mean) ** 2).mean()) if len(seen) else 1.0
        scaler = config["scaler_cfg"]
        scale = max(scale, scaler.get("eps", 1e-8))
        binary = scaler.get("binaryaware", False) and all(v in (0.0, 1.0) for v in seen)
        if binary:
            mean, scale = 0.0, 1.0
        squashed = scaler.get("use_arcsinh", False) and not binary
        x = (x - mean) / scale
        if squashed:
            x = np.arcsinh(x)
        x = np.concatenate([np.full(-len(x) % patch, np.nan), x]).reshape(-1, patch)
        there = ~np.isnan(x)
        out = self.outputs(np.concatenate([np.where(there, x, 0.0), there.astype(float)], axis=1))
        out = out[:-1].transpose(1, 0, 2).reshape(out.shape[1], -1)[:, -future:][:, :horizon]
        if squashed:
            out = np.sinh(np.clip(out, -20.0, 20.0))
        return bands(out * scale + mean, rising, last)

    def forecast(self, series, horizon):
        horizon = min(horizon, self.config["future_len"])
        first = self.once(series, horizon)
        if not self.config.get("tta_sign_flip", False):
            return first
        return (first - self.once(-series, horizon)[::-1]) / 2.0


class FirstModel(Model):
    """TiRex. Its sLSTM layer is that of the xlstm package, with a norm of its own for each head."""

    def __init__(self, config, weights):
        self.inner = config.get("model_config", config)
        super().__init__({"act_func": "ReLU"}, weights)
        self.config = config

    def outputs(self, patches):
        kwargs = self.inner["block_kwargs"]
        eps = kwargs.get("norm_eps", 1e-6)
        x = self.residual("input_patch_embedding", patches)
        for b in range(kwargs["num_blocks"]):
            name = f"block_stack.blocks.{b}"
            x = x + self.cell(name + ".slstm_layer", self.rms(name + ".norm_slstm", x, eps),
                              kwargs["num_heads"], ".slstm_cell.", 1e-5, 1.0)
            inner = self.rms(name + ".norm_ffn", x, eps)
            gate = self.linear(name + ".ffn.proj_up_gate", inner)
            x = x + self.linear(name + ".ffn.proj_down",
                                gate * sigmoid(gate) * self.linear(name + ".ffn.proj_up", inner))
        if kwargs.get("add_out_norm", True):
            x = self.rms("block_stack.out_norm", x, eps)
        x = self.residual("output_patch_embedding", x)
        return x.reshape(len(x), len(self.inner["quantiles"]), self.inner["output_patch_size"])

    def forecast(self, series, horizon):
        context, patch = self.config["train_ctx_len"], self.inner["input_patch_size"]
        rows, x = [], series
        while sum(row.shape[1] for row in rows) < horizon:
            x = x[-context:]
            x = np.concatenate([np.full(context - len(x), np.nan), x])
            seen = x[~np.isnan(x)]
            mean = seen.mean() if len(seen) else 0.0
            scale = math.sqrt(((seen - mean) ** 2).mean()) if len(seen) else 1.0
            if len(seen) and (seen == seen[0]).all():
                mean, scale = seen[0], abs(seen[0]) + 1e-5
            scaled = (x - mean) / scale
            scaled = np.concatenate([np.full(-len(scaled) % patch, np.nan), scaled])
            there = ~np.isnan(scaled)
            out = self.outputs(np.concatenate(
                [np.where(there, scaled, 0.0).reshape(-1, patch),
                 there.astype(float).reshape(-1, patch)], axis=1))
            rows.append(out[-1] * scale + mean)
            x = np.concatenate([x, np.full(patch, np.nan)])
        return np.concatenate(rows, axis=1)[:, :horizon]


def trends(series):
    at = np.flatnonzero(~np.isnan(series)).astype(float)
    if len(at) < 4:
        return False
    values = series[~np.isnan(series)]
    spread = values.std(ddof=1)
    if spread < 1e-12:
        return False
    z = (values - values.mean()) / spread
    slope = ((at - at.mean()) * (z - z.mean())).sum() / ((at - at.mean()) ** 2).sum()
    line = z.mean() + slope * (at - at.mean())
    total = ((z - z.mean()) ** 2).sum()
    fit = 1.0 - ((z - line) ** 2).sum() / total if total > 1e-12 else 0.0
    return bool(abs(slope) * len(series) >= 1.5 and fit >= 0.87)


def bands(out, rising, last):
    middle = out[len(out) // 2]
    offset = out - middle
    steps = np.arange(1, out.shape[1] + 1, dtype=float)
    if not rising:
        return middle + math.sqrt(0.90) * steps ** 0.02 * offset
    side = np.sign(offset.sum(-1, keepdims=True))
    width = np.sqrt(np.cumsum(offset ** 2, -1)) * steps ** 0.01
    return np.cumsum(middle) + math.sqrt(1.68) * side * width + last


class Weights(dict):
    def __init__(self, rng):
        super().__init__()
        self.rng = rng

    def fill(self, name, *shape, by=None, around=0.0):
        by = by if by is not None else 1.0 / math.sqrt(shape[-1])
        self[name] = around + by * self.rng.standard_normal(shape)

    def residual(self, name, into, inner, out):
        for part, shape in (("hidden_layer", (inner, into)), ("output_layer", (out, inner)),
                            ("residual_layer", (out, into))):
            self.fill(f"{name}.{part}.weight", *shape)
            self.fill(f"{name}.{part}.bias", shape[0], by=0.2)


def make_weights(config, rng):
    width, patch = config["embedding_dim"], config["input_patch_size"]
    weights = Weights(rng)
    fill, residual = weights.fill, weights.residual
    residual("input_patch_embedding", 2 * patch, config["input_ff_dim"], width)
    residual("output_patch_embedding", width, int(width * config["h_expand"]),
             len(config["quantiles"]) * patch)
    # So that quantiles lie above one another, as those of a trained model do.
    weights["output_patch_embedding.output_layer.bias"] += np.repeat(
        np.linspace(-1.5, 1.5, len(config["quantiles"])), patch)
    up = width * 2.667 + 63
    up = int(up - math.fmod(up, 64))
    for b, template in enumerate(config["stack_config"]["recipe"]):
        mixer = config["stack_config"]["templates"][template]["time_mixer"]
        heads = mixer.get("num_slstm_heads") or mixer["num_heads"]
        units = width // heads
        name = f"stack.{b}.time_mixer"
        fill(name + ".norm_lstm.weight", width, by=0.2, around=1.0)
        fill(name + ".norm_ffn.weight", width, by=0.2, around=1.0)
        for gate in ("fgate", "igate", "zgate", "ogate"):
            fill(f"{name}.fwd_cell.{gate}.weight", heads, units, units)
        fill(name + ".fwd_cell._recurrent_kernel_", heads, units, 4, units, by=0.3)
        fill(name + ".fwd_cell._bias_", heads, 4, units, by=0.8)
        fill(name + ".fwd_cell.group_norm.weight", width, by=0.2, around=1.0)
        fill(name + ".ffn.proj_up_gate.weight", up, width)
        fill(name + ".ffn.proj_up.weight", up, width)
        fill(name + ".ffn.proj_down.weight", width, up)
        # Of several series at once only; it does nothing here.
        fill(name + ".combination.weight", width, 2 * width)
        fill(f"stack.{b}.variate_mixer.attn.WQ.weight", width, width)
        fill(f"stack.{b}.variate_mixer.norm_attn.weight", width, by=0.2, around=1.0)
    if config.get("stack_out_norm_config") is not None:
        fill("stack_out_norm.weight", width, by=0.2, around=1.0)
    return weights


def make_first_weights(config, rng):
    inner = config.get("model_config", config)
    kwargs, patch = inner["block_kwargs"], inner["input_patch_size"]
    width, heads = kwargs["embedding_dim"], kwargs["num_heads"]
    units = width // heads
    weights = Weights(rng)
    fill = weights.fill
    weights.residual("input_patch_embedding", 2 * patch, inner["input_ff_dim"], width)
    weights.residual("output_patch_embedding", width, inner["input_ff_dim"],
                     len(inner["quantiles"]) * patch)
    weights["output_patch_embedding.output_layer.bias"] += np.repeat(
        np.linspace(-1.5, 1.5, len(inner["quantiles"])), patch)
    multiple = kwargs.get("ffn_round_up_to_multiple_of", 64)
    up = int((width * kwargs.get("ffn_proj_factor", 2.6667) + multiple - 1) // multiple * multiple)
    for b in range(kwargs["num_blocks"]):
        name = f"block_stack.blocks.{b}"
        fill(name + ".norm_slstm.weight", width, by=0.2, around=1.0)
        fill(name + ".norm_ffn.weight", width, by=0.2, around=1.0)
        for gate in ("fgate", "igate", "zgate", "ogate"):
            fill(f"{name}.slstm_layer.{gate}.weight", heads, units, units)
        fill(name + ".slstm_layer.slstm_cell._recurrent_kernel_", heads, units, 4 * units, by=0.3)
        fill(name + ".slstm_layer.slstm_cell._bias_", 4 * width, by=0.8)
        fill(name + ".slstm_layer.group_norm.weight", width, by=0.2)
        fill(name + ".ffn.proj_up_gate.weight", up, width)
        fill(name + ".ffn.proj_up.weight", up, width)
        fill(name + ".ffn.proj_down.weight", width, up)
    if kwargs.get("add_out_norm", True):
        fill("block_stack.out_norm.weight", width, by=0.2, around=1.0)
    return weights


def make_config(**changes):
    def template(**mixer):
        return {"time_mixer": {"model_type": "bi-slstm", "embedding_dim": 16, **mixer},
                "variate_mixer": {"embedding_dim": 16, "num_heads": 2}, "dropout": 0.0, "eps": 1e-6}
    config = {
        "stack_config": {"templates": {"standard": template(num_heads=2),
                                       "recurrent": template(num_heads=4, num_slstm_heads=2)},
                         "recipe": ["standard", "recurrent", "standard"]},
        "num_blocks": 3, "embedding_dim": 16, "input_patch_size": 8, "output_patch_size": 8,
        "quantiles": QUANTILES,
        "tokenizer_cfg": {"input_patch_size": 8, "output_patch_size": 8, "input_patch_stride": 8},
        "scaler_cfg": {"eps": 1e-8}, "h_expand": 1.5, "context_len": 64, "future_len": 24,
        "input_ff_dim": 20, "act_func": "ReLU", "dropout": 0.0, "use_qk_norm": True,
        "stack_out_norm_config": {"eps": 1e-6, "use_rmsnorm": True},
    }
    config.update(changes)
    return config


def make_series(rng):
    t = np.arange(150.0)
    wave = np.sin(t[:50] / 4.0) * 3.0 + 10.0 + 0.2 * rng.standard_normal(50)
    wave[[3, 4, 17, 30]] = np.nan
    return {
        "wave": wave,
        "rising": 0.7 * t[:40] + 4.0 * np.sin(t[:40] / 3.0),
        "long": 40.0 * np.cos(t / 9.0) + rng.standard_normal(150),
        "long_falling": 100.0 - 2.0 * t + 5.0 * rng.standard_normal(150),
        "switch": (np.sin(t[:37]) > 0.2).astype(float),
        "flat": np.full(12, 3.25),
        "three": np.array([1.0, np.nan, 2.5]),
        "ends_unseen": np.concatenate([wave[:20], [np.nan, np.nan]]),
        "nothing": np.full(6, np.nan),
        "flat_tenth": np.full(50, 0.1),  # whose mean is not exact
    }


def write(name, config, weights, kind, series):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    write_safetensors(folder / "model.safetensors", weights)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    model = kind(config, weights)
    expected = {f"{title} {horizon}": model.forecast(values, horizon).tolist()
                for title, values in series.items() for horizon in (24, 10)}
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


def main():
    rng = np.random.default_rng(5)
    series = make_series(rng)
    configs = {
        "relu": make_config(),
        "flipped": make_config(
            act_func="torch.nn.SiLU", tta_sign_flip=True, stack_out_norm_config={},
            scaler_cfg={"eps": 1e-6, "use_arcsinh": True, "binaryaware": True}, context_len=60),
        "undifferenced": make_config(act_func="GELU", tta_diff=False, stack_out_norm_config=None),
        # More patches than numbers that it puts out, and a context that is no multiple of them.
        "single": make_config(
            quantiles=[0.5], input_patch_size=4, output_patch_size=4, context_len=42,
            tokenizer_cfg={"input_patch_size": 4, "output_patch_size": 4, "input_patch_stride": 4}),
    }
    for name, config in configs.items():
        write(name, config, make_weights(config, rng), Model, series)
    rng = np.random.default_rng(6)
    inner = {"input_patch_size": 8, "output_patch_size": 8, "quantiles": QUANTILES,
             "block_kwargs": {"embedding_dim": 16, "num_heads": 2, "num_blocks": 3, "vocab_size": 1,
                              "all_slstm": True, "gate_soft_cap": 15.0},
             "input_ff_dim": 20}
    firsts = {
        "first": {"model_config": inner, "train_ctx_len": 64},
        # All keys in one object, a context that is no multiple of the patches, and no last norm.
        "first_flat": {**inner, "train_ctx_len": 60, "block_kwargs": {
            "embedding_dim": 12, "num_heads": 3, "num_blocks": 2, "all_slstm": False,
            "slstm_at": [0, 1], "norm_eps": 1e-3, "add_out_norm": False, "ffn_proj_factor": 1.5,
            "ffn_round_up_to_multiple_of": 4}},
    }
    for name, config in firsts.items():
        write(name, config, make_first_weights(config, rng), FirstModel, series)
    nothing = {title: [None if math.isnan(v) else v for v in values]
               for title, values in series.items()}
    (HERE / "series.json").write_text(json.dumps(nothing) + "\n")


if __name__ == "__main__":
    main()
