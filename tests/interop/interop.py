#!/usr/bin/env python3
"""Models and tokenizers made here open elsewhere, and the other way round.

    interop.py --xlstm build/release/app/xlstm [tokenizers] [paper] [large]

Compares with the packages `tokenizers`, `xlstm` and `transformers` on the CPU, as far as they are
installed, and prints one line a comparison. Exit code 0: everything agrees; 1: something does not;
77: nothing could be compared.

Error of logits: largest difference divided by the largest number.
"""
import argparse
import importlib
import json
import logging
import os
import random
import subprocess
import sys
import tempfile

MOST = 1e-4
CHECKED, WRONG, SKIPPED = [], [], []


def report(name, error, limit=MOST, unit=""):
    good = error <= limit
    CHECKED.append(name)
    if not good:
        WRONG.append(name)
    print(f"[ interop  ] {'same' if good else 'DIFFERENT'}  {name}: {error:.2g}{unit}", flush=True)


def needs(*packages):
    """Marks a group of comparisons that these packages are needed for."""
    def mark(check):
        def run(xlstm):
            for package in packages:
                try:
                    importlib.import_module(package)
                except ImportError as reason:
                    SKIPPED.append(f"{check.__name__}: {reason}")
                    return
            check(xlstm)
        run.__name__ = check.__name__
        return run
    return mark


class Program:
    """The command line."""

    def __init__(self, path):
        self.path = os.path.abspath(path)

    def __call__(self, *arguments):
        done = subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"xlstm {' '.join(map(str, arguments))}\n{done.stderr}")
        return done.stdout

    def logits(self, model, ids=None, prompt=None, step=False):
        from safetensors.numpy import load_file
        with tempfile.TemporaryDirectory() as folder:
            out = f"{folder}/logits.safetensors"
            what = ["--ids", ",".join(map(str, ids))] if ids is not None else ["--prompt", prompt]
            self("logits", model, *what, *(["--step"] if step else []), "--out", out)
            found = load_file(out)
        return found["logits"], found["ids"].tolist()


def distance(a, b):
    import numpy as np
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return float(np.abs(a - b).max() / np.abs(b).max()) if a.shape == b.shape else float("inf")


def here(name):
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), name)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as fh:
        json.dump(value, fh)


SENTENCES = ["To be, or not to be", " the  quick\n\n brown\tfox", "it's 2024-05-07, isn't it?", "a", " ",
             "x = {'a': [1, 2.5e-3]}", "\"quoted\" \\ back", "Hello, hello! HELLO", "123456 7 89"]
FOREIGN = ["Zażółć gęślą jaźń", "日本語のテキスト", "עברית العربية", "e\u0301 é Å \u212b", "👩‍👩‍👧‍👦 ok 🇩🇪",
           "\u0301 mark first", "tab\tand\u00a0nbsp\u3000wide", "<|endoftext|>end", "              spaces"]


# ---- tokenizers ----------------------------------------------------------------------------------

@needs("tokenizers", "safetensors.numpy")
def tokenizers(xlstm):
    from tokenizers import Tokenizer
    with tempfile.TemporaryDirectory() as folder:
        text = f"{folder}/text.txt"
        with open(text, "w", encoding="utf-8") as fh:
            fh.write("\n".join(SENTENCES * 3))
        write_json(f"{folder}/spec.json", {"model": {"embedding_dim": 8, "mlstm_block": {"mlstm": {
            "num_heads": 2, "round_proj_up_to_multiple_of": 8}}},
            "train": {"batch_size": 2, "sequence_length": 8}})
        for kind in ["characters", "bytes"] + [here(f"../golden_tokenizers/{name}.json")
                                               for name in ("neox", "gpt2", "llama3", "odd")]:
            name = os.path.basename(kind)
            run, out = f"{folder}/run.xlab", f"{folder}/{name}"
            xlstm("train", "--text", text, "--tokenizer", kind, "--spec", f"{folder}/spec.json",
                  "--steps", 1, "--out", run, "--force")
            xlstm("export", run, out)
            theirs = Tokenizer.from_file(f"{out}/tokenizer.json")
            wrong = 0
            prompts = SENTENCES + ([] if kind == "characters" else FOREIGN)
            for prompt in prompts:
                ids = xlstm.logits(run, prompt=prompt)[1]
                wrong += ids != theirs.encode(prompt, add_special_tokens=False).ids
                wrong += kind in ("characters", "bytes") and theirs.decode(ids) != prompt
                # The folder opened again, with what the tokenizer puts around a text.
                ids = xlstm.logits(out, prompt=prompt)[1]
                wrong += ids != theirs.encode(prompt).ids
            report(f"numbers of {len(prompts)} prompts, {name}", wrong, 0, " wrong")


@needs("transformers", "safetensors.numpy")
def tokenizers_in_transformers(xlstm):
    from transformers import AutoTokenizer
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/text.txt", "w", encoding="utf-8") as fh:
            fh.write("\n".join(SENTENCES * 3))
        for kind in ["characters", "bytes", here("../golden_tokenizers/neox.json")]:
            name = os.path.basename(kind)
            run, out = f"{folder}/run.xlab", f"{folder}/{name}"
            xlstm("train", "--text", f"{folder}/text.txt", "--tokenizer", kind, "--steps", 1, "--out", run, "--force")
            xlstm("export", run, out)
            # By name: the model's type would choose the class otherwise.
            theirs = AutoTokenizer.from_pretrained(out)
            wrong = sum(xlstm.logits(run, prompt=prompt)[1] != theirs.encode(prompt, add_special_tokens=False)
                        for prompt in SENTENCES)
            wrong += sum(theirs.decode(theirs.encode(prompt, add_special_tokens=False)) != prompt
                         for prompt in SENTENCES)
            report(f"AutoTokenizer on an exported folder, {name}", wrong, 0, " wrong")


# ---- the paper's family --------------------------------------------------------------------------

PAPER = {
    "mixed": {"vocab_size": 37, "embedding_dim": 32, "num_blocks": 4, "context_length": 64, "slstm_at": [1, 3],
              "mlstm_block": {"mlstm": {"num_heads": 4}},
              "slstm_block": {"slstm": {"num_heads": 2}, "feedforward": {"proj_factor": 1.3, "act_fn": "gelu"}}},
    "mlstm": {"vocab_size": 41, "embedding_dim": 48, "num_blocks": 3, "context_length": 64, "slstm_at": [],
              "mlstm_block": {"mlstm": {"num_heads": 2, "conv1d_kernel_size": 3, "qkv_proj_blocksize": 8,
                                        "proj_factor": 1.5}},
              "bias": True, "tie_weights": True},
    "slstm": {"vocab_size": 29, "embedding_dim": 24, "num_blocks": 3, "context_length": 64, "slstm_at": "all",
              "slstm_block": {"slstm": {"num_heads": 3, "conv1d_kernel_size": 0},
                              "feedforward": {"proj_factor": 2.0, "act_fn": "relu"}}},
}


def official_paper(config):
    from xlstm import (FeedForwardConfig, mLSTMBlockConfig, mLSTMLayerConfig, sLSTMBlockConfig,
                       sLSTMLayerConfig)
    from xlstm.xlstm_lm_model import xLSTMLMModel, xLSTMLMModelConfig
    allowed = lambda kind, values: {k: v for k, v in values.items()
                                    if k in kind.__dataclass_fields__ and not k.startswith("_")}
    options = allowed(xLSTMLMModelConfig, config)
    if config.get("mlstm_block"):
        options["mlstm_block"] = mLSTMBlockConfig(
            mlstm=mLSTMLayerConfig(**allowed(mLSTMLayerConfig, config["mlstm_block"]["mlstm"])))
    if config.get("slstm_block"):
        block = config["slstm_block"]
        options["slstm_block"] = sLSTMBlockConfig(
            slstm=sLSTMLayerConfig(**{**allowed(sLSTMLayerConfig, block["slstm"]), "backend": "vanilla"}),
            feedforward=FeedForwardConfig(**allowed(FeedForwardConfig, block.get("feedforward") or {})))
    return xLSTMLMModel(xLSTMLMModelConfig(**options)).eval()


def stir(model, seed):
    """Away from values such as 0 and 1, at which an exchange would go unnoticed."""
    import torch
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, value in model.named_parameters():
            scale = 0.15 if "norm" in name or value.dim() == 1 else 0.4 / value.shape[-1] ** 0.5
            value += scale * torch.randn_like(value)


def some_ids(vocabulary, count, seed):
    rng = random.Random(seed)
    return [rng.randrange(vocabulary) for _ in range(count)]


def paper_logits(model, ids):
    """In one pass, and one token at a time."""
    import torch
    with torch.no_grad():
        whole = model(torch.tensor([ids]))[0].numpy()
        state, steps = None, []
        for token in ids:
            row, state = model.step(torch.tensor([[token]]), state)
            steps.append(row[0, 0].numpy())
    return whole, steps


def compare_paper(xlstm, name, model, ours, vocabulary):
    ids = some_ids(vocabulary, 48, 5)
    whole, steps = paper_logits(model, ids)
    report(f"{name}, one pass", distance(xlstm.logits(ours, ids)[0], whole))
    report(f"{name}, token by token", distance(xlstm.logits(ours, ids, step=True)[0], steps))


@needs("torch", "xlstm", "safetensors.torch")
def paper(xlstm):
    import dataclasses

    from safetensors.torch import load_file, save_file
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/text.txt", "w", encoding="utf-8") as fh:
            fh.write("\n".join(SENTENCES * 3))
        for name, config in PAPER.items():
            # Made and trained here.
            spec = {k: v for k, v in config.items() if k != "vocab_size"}
            write_json(f"{folder}/spec.json", {"model": spec, "train": {
                "batch_size": 4, "sequence_length": 32, "warmup_steps": 2, "learning_rate": 0.02}})
            run, out = f"{folder}/run.xlab", f"{folder}/{name}-from-here"
            xlstm("train", "--text", f"{folder}/text.txt", "--spec", f"{folder}/spec.json", "--steps", 20,
                  "--out", run, "--force")
            xlstm("export", run, out)
            with open(f"{out}/config.json", encoding="utf-8") as fh:
                written = json.load(fh)
            model = official_paper(written)
            tensors = load_file(f"{out}/model.safetensors")
            if written.get("tie_weights"):
                tensors.setdefault("lm_head.weight", tensors["token_embedding.weight"])
            model.load_state_dict(tensors)
            compare_paper(xlstm, f"paper {name} made here, in xlstm", model, run, written["vocab_size"])

            # Made there: with the configuration as a person writes it, and as dataclasses print it.
            model = official_paper(config)
            model.reset_parameters()
            stir(model, 7)
            out = f"{folder}/{name}-from-there"
            os.makedirs(out)
            tensors = {k: v.contiguous() for k, v in model.state_dict().items()}
            if config.get("tie_weights"):
                tensors.pop("lm_head.weight")
            save_file(tensors, f"{out}/model.safetensors")
            write_json(f"{out}/config.json", config)
            compare_paper(xlstm, f"paper {name} made in xlstm, here", model, out, config["vocab_size"])
            write_json(f"{out}/config.json", dataclasses.asdict(model.config))
            ids = some_ids(config["vocab_size"], 48, 6)
            report(f"paper {name} with the configuration as dataclasses.asdict gives it",
                   distance(xlstm.logits(out, ids)[0], paper_logits(model, ids)[0]))


# ---- the large family ----------------------------------------------------------------------------

# transformers keeps states whose width it rounds up to 64, so all widths here are such multiples.
LARGE = {
    "small": {"vocab_size": 59, "hidden_size": 128, "num_hidden_layers": 2, "num_heads": 4},
    "wide values": {"vocab_size": 47, "hidden_size": 64, "num_hidden_layers": 2, "num_heads": 2,
                    "qk_dim_factor": 1.0, "v_dim_factor": 2.0, "ffn_proj_factor": 1.3},
    "bias, caps": {"vocab_size": 53, "hidden_size": 128, "num_hidden_layers": 3, "num_heads": 4, "use_bias": True,
                   "gate_soft_cap": 9.0, "output_logit_soft_cap": 4.0, "ffn_round_up_to_multiple_of": 32},
    "tied": {"vocab_size": 61, "hidden_size": 128, "num_hidden_layers": 2, "num_heads": 2,
             "tie_word_embeddings": True},
    "fused": {"vocab_size": 53, "hidden_size": 128, "num_hidden_layers": 2, "num_heads": 2,
              "weight_mode": "fused"},
}
KERNELS = {"chunk_size": 16, "autocast_kernel_dtype": "float32", "mode": "inference",
           "chunkwise_kernel": "chunkwise--native_autograd",
           "sequence_kernel": "native_sequence__native", "step_kernel": "native"}


def large_logits(model, ids):
    import torch
    with torch.no_grad():
        whole = model(torch.tensor([ids]), use_cache=False).logits[0].float().numpy()
        cache, steps = None, []
        for token in ids:
            out = model(torch.tensor([[token]]), cache_params=cache, use_cache=True)
            cache = out.cache_params
            steps.append(out.logits[0, -1].float().numpy())
    return whole, steps


def compare_large(xlstm, name, model, ours, vocabulary):
    ids = some_ids(vocabulary, 43, 5)
    whole, steps = large_logits(model, ids)
    report(f"{name}, one pass", distance(xlstm.logits(ours, ids)[0], whole))
    report(f"{name}, token by token", distance(xlstm.logits(ours, ids, step=True)[0], steps))


def stir_gates(model):
    """Gates as a trained model has them: the initial ones are constant."""
    import torch
    stir(model, 11)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "igate_preact.bias" in name:
                value += 8.0


@needs("torch", "transformers", "safetensors.torch")
def large(xlstm):
    import torch
    from transformers import xLSTMConfig, xLSTMForCausalLM
    from transformers.models.xlstm import configuration_xlstm
    from transformers.utils import logging as transformers_logging
    transformers_logging.disable_progress_bar()
    blocks = "the blocks of xlstm" if configuration_xlstm.external_xlstm else "its own blocks"
    there = f"transformers with {blocks}"
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/text.txt", "w", encoding="utf-8") as fh:
            fh.write("\n".join(SENTENCES * 3))
        for name, options in LARGE.items():
            config = xLSTMConfig(**options, **KERNELS)
            try:
                model = xLSTMForCausalLM(config).eval()
            except Exception as reason:  # pylint: disable=broad-except
                SKIPPED.append(f"large {name}: {there} does not make it ({type(reason).__name__})")
                continue
            stir_gates(model)
            out = f"{folder}/{name}-from-there"
            model.save_pretrained(out)
            compare_large(xlstm, f"large {name} made in {there}, here", model, out, options["vocab_size"])
            model.save_pretrained(f"{out}-shards", max_shard_size="60KB")
            ids = some_ids(options["vocab_size"], 43, 6)
            report(f"large {name}, several files", distance(xlstm.logits(f"{out}-shards", ids)[0],
                                                            large_logits(model, ids)[0]))
            model.to(torch.bfloat16).save_pretrained(f"{out}-bf16")
            rounded = xLSTMForCausalLM.from_pretrained(f"{out}-bf16", dtype=torch.float32, **KERNELS).eval()
            report(f"large {name}, stored as bf16", distance(xlstm.logits(f"{out}-bf16", ids)[0],
                                                             large_logits(rounded, ids)[0]))
            model = xLSTMForCausalLM.from_pretrained(out, **KERNELS).eval()
            # Opened and written again here, opened again there.
            xlstm("export", out, f"{out}-back")
            again = xLSTMForCausalLM.from_pretrained(f"{out}-back", **KERNELS).eval()
            report(f"large {name}, written again here, in {there}",
                   distance(large_logits(again, ids)[0], large_logits(model, ids)[0]))

            # Made and trained here.
            spec = {"model_type": "xlstm", **{k: v for k, v in options.items() if k != "vocab_size"}}
            write_json(f"{folder}/spec.json", {"model": spec, "train": {
                "batch_size": 4, "sequence_length": 32, "warmup_steps": 2, "learning_rate": 0.01}})
            run, out = f"{folder}/run.xlab", f"{folder}/{name}-from-here"
            xlstm("train", "--text", f"{folder}/text.txt", "--spec", f"{folder}/spec.json", "--steps", 20,
                  "--out", run, "--force")
            xlstm("export", run, out)
            model = xLSTMForCausalLM.from_pretrained(out, **KERNELS).eval()
            compare_large(xlstm, f"large {name} made here, in {there}", model, run, model.config.vocab_size)


@needs("torch", "transformers", "safetensors")
def large_generation(xlstm):
    """The same text from the same prompt, through tokenizer and model."""
    import torch
    from transformers import AutoTokenizer, xLSTMForCausalLM
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/text.txt", "w", encoding="utf-8") as fh:
            fh.write("\n".join((SENTENCES + FOREIGN) * 3))
        write_json(f"{folder}/spec.json", {"model": {
            "model_type": "xlstm", "hidden_size": 128, "num_hidden_layers": 2, "num_heads": 2},
            "train": {"batch_size": 4, "sequence_length": 32, "warmup_steps": 2, "learning_rate": 0.01}})
        for kind in ["characters", "bytes", here("../golden_tokenizers/neox.json")]:
            run, out = f"{folder}/run.xlab", f"{folder}/{os.path.basename(kind)}"
            xlstm("train", "--text", f"{folder}/text.txt", "--tokenizer", kind, "--spec",
                  f"{folder}/spec.json", "--steps", 60, "--out", run, "--force")
            xlstm("export", run, out)
            model = xLSTMForCausalLM.from_pretrained(out, **KERNELS).eval()
            tokenizer = AutoTokenizer.from_pretrained(out)
            wrong, prompts = 0, ["To be", "Zażółć", "日本", "Hello, hello"]
            for prompt in prompts:
                ids = torch.tensor([xlstm.logits(out, prompt=prompt)[1]])
                made = model.generate(ids, max_new_tokens=40, do_sample=False, eos_token_id=None)
                theirs = tokenizer.decode(made[0], skip_special_tokens=True)
                for ours in (run, out):
                    mine = xlstm("generate", ours, "--prompt", prompt, "--tokens", 40, "--temperature", 0)
                    wrong += mine != theirs + "\n"
            report(f"greedy texts from {len(prompts)} prompts, {os.path.basename(kind)}", wrong, 0, " wrong")


@needs("torch", "xlstm.xlstm_large.model", "mlstm_kernels.torch.chunkwise", "safetensors.torch")
def large_in_xlstm(xlstm):
    import torch
    from safetensors.torch import load_file, save_file
    from xlstm.xlstm_large.model import xLSTMLarge, xLSTMLargeConfig
    own = {"hidden_size": "embedding_dim", "num_hidden_layers": "num_blocks"}

    def make(options):
        return xLSTMLarge(xLSTMLargeConfig(
            # It knows no tying.
            **{own.get(k, k): v for k, v in options.items() if k != "tie_word_embeddings"}, **KERNELS,
            return_last_states=True)).eval()

    def logits(model, ids):
        with torch.no_grad():
            return model(torch.tensor([ids]))[0][0].numpy()

    with tempfile.TemporaryDirectory() as folder:
        for name, options in LARGE.items():
            model = make(options)
            stir_gates(model)
            out = f"{folder}/{name}"
            os.makedirs(out)
            renamed = {("backbone.embeddings.weight" if k == "embedding.weight" else k): v.contiguous()
                       for k, v in model.state_dict().items()}
            save_file(renamed, f"{out}/model.safetensors")
            write_json(f"{out}/config.json", {"model_type": "xlstm", **options})
            ids = some_ids(options["vocab_size"], 43, 8)
            report(f"large {name} made in xlstm.xlstm_large, here",
                   distance(xlstm.logits(out, ids)[0], logits(model, ids)))
            # And back, with what was written here: matrices that were fused are apart now.
            xlstm("export", out, f"{out}-back")
            back = {("embedding.weight" if k == "backbone.embeddings.weight" else k): v
                    for k, v in load_file(f"{out}-back/model.safetensors").items()}
            again = make({**options, "weight_mode": "single"})
            again.load_state_dict(back)
            report(f"large {name} written here, in xlstm.xlstm_large",
                   distance(logits(again, ids), logits(model, ids)))


def large_without_xlstm(xlstm):
    """transformers once more as it is where the package xlstm is not installed."""
    code = ("import sys; sys.modules['xlstm'] = None; sys.path.insert(0, {!r}); import interop; "
            "sys.exit(interop.run({!r}, ['large']))").format(here(""), xlstm.path)
    done = subprocess.run([sys.executable, "-c", code], check=False)
    kind = {0: CHECKED, 77: SKIPPED}.get(done.returncode, WRONG)
    kind.append("large_without_xlstm")


# ---- recordings ----------------------------------------------------------------------------------

def follows(tensors, block):
    """How far n, C and what is read lie from the equations of the convention that the file names."""
    import numpy as np
    of = {name: tensors[f"{block['path']}/{name}"].astype(np.float64) for name in
          ("C", "n", "k", "v", "q", "h", "forget_gate", "input_gate", "normalizer")}
    eps = 1e-6
    C, n = np.zeros(of["C"].shape[1:]), np.zeros(of["n"].shape[1:])
    kept, read = [], []
    for t in range(len(of["C"])):
        f, i = of["forget_gate"][t], of["input_gate"][t]
        C = f[:, :, None] * C + i[:, :, None] * of["k"][t][:, :, None] * of["v"][t][:, None, :]
        n = f * n + i * of["k"][t]
        kept.append(max(distance(C, of["C"][t]), distance(n, of["n"][t])))
        read.append(np.einsum("hkv,hk->hv", C, of["q"][t]) / (of["normalizer"][t] + eps))
    return max(kept), distance(np.array(read), of["h"])


@needs("numpy", "safetensors.numpy")
def recordings(xlstm):
    from safetensors import safe_open
    from safetensors.numpy import load_file
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/text.txt", "w", encoding="utf-8") as fh:
            fh.write("\n".join(SENTENCES * 3))
        large = {"model_type": "xlstm", "hidden_size": 32, "num_hidden_layers": 2, "num_heads": 2,
                 "ffn_round_up_to_multiple_of": 8}
        mixed = {k: v for k, v in PAPER["mixed"].items() if k != "vocab_size"}
        for name, spec in {"paper": mixed, "large": large}.items():
            write_json(f"{folder}/spec.json", {"model": spec, "train": {
                "batch_size": 4, "sequence_length": 32, "warmup_steps": 2, "learning_rate": 0.02}})
            run, out = f"{folder}/run.xlab", f"{folder}/{name}.safetensors"
            xlstm("train", "--text", f"{folder}/text.txt", "--spec", f"{folder}/spec.json", "--steps", 20,
                  "--out", run, "--force")
            prompt = SENTENCES[0]
            xlstm("trace", run, "--prompt", prompt, "--memory", "--out", out)
            tensors = load_file(out)
            with safe_open(out, "numpy") as fh:
                said = fh.metadata()
            ids = tensors.pop("ids")
            wrong = ids.dtype != "int64" or ids.tolist() != xlstm.logits(run, prompt=prompt)[1]
            wrong += "".join(json.loads(said["tokens"])) != prompt
            words = json.loads(said["values"])
            for path, tensor in tensors.items():
                kind = path if path in words else path.split("/", 1)[1]
                wrong += tensor.dtype != "float32" or len(tensor) != len(ids) or kind not in words
            report(f"recording of {len(tensors)} values, {name}", int(wrong), 0, " wrong")
            for block in json.loads(said["blocks"]):
                if "scaled" in block:
                    kept, read = follows(tensors, block)
                    report(f"recorded memory of {name} {block['path']}", kept, 1e-5)
                    report(f"what is read of it, {name} {block['path']}", read, 1e-4)


GROUPS = {"tokenizers": [tokenizers, tokenizers_in_transformers], "paper": [paper],
          "large": [large], "large_generation": [large_generation], "large_in_xlstm": [large_in_xlstm],
          "large_without_xlstm": [large_without_xlstm], "recordings": [recordings]}


def run(program, groups):
    logging.disable(logging.WARNING)
    for group in groups:
        for check in GROUPS[group]:
            check(Program(program))
    for reason in SKIPPED:
        print(f"[ interop  ] skipped  {reason}")
    print(f"[ interop  ] {len(CHECKED)} compared, {len(WRONG)} different, {len(SKIPPED)} skipped", flush=True)
    return 1 if WRONG else 0 if CHECKED else 77


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--xlstm", required=True, help="the program")
    parser.add_argument("groups", nargs="*", default=[], help=", ".join(GROUPS))
    args = parser.parse_args()
    return run(args.xlstm, args.groups or list(GROUPS))


if __name__ == "__main__":
    sys.exit(main())
