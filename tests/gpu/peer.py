#!/usr/bin/env python3
"""Times PyTorch code of others on the card at the shapes of tests/bench/cuda.cpp, and prints ratios.

    python3 tests/gpu/peer.py build/gpu/results/bench.json

The file is what xlab_bench wrote on the same machine just before. Of the others' settings the fastest
counts. What is not installed is said and left out:
  mlstm_kernels (with torch and triton): the authors' Triton kernels of the mLSTM
  torch: its LSTM, which is cuDNN's
  xlstm: training steps of the authors' models, sLSTM in plain PyTorch
"""
import importlib.util
import json
import os
import statistics
import sys
import time

BATCHES = 9
BATCH_SECONDS = 0.02


def installed(*names):
    return all(importlib.util.find_spec(name) for name in names)


def timed(torch, body):
    """The median of batches, each with one wait at its end, as ours are timed."""

    def seconds_of(calls):
        begin = time.perf_counter()
        for _ in range(calls):
            body()
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / calls

    seconds_of(3)
    calls = min(1000, max(1, int(BATCH_SECONDS / seconds_of(1))))
    return statistics.median(seconds_of(calls) for _ in range(BATCHES))


def ours(path):
    """Seconds by name; without the suffixes of the library."""
    with open(path) as file:
        rows = json.load(file)["benchmarks"]
    return {row["name"].split("/iterations:")[0]: row["median_us"] * 1e-6
            for row in rows if "median_us" in row}


def show(seconds):
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"


def line(what, mine, theirs, setting):
    print(f"| {what} | {show(mine)} | {show(theirs)} | {theirs / mine:.2f}x | {setting} |", flush=True)


def attempt(what, settings, time_one):
    """The fastest of the settings that run, and which one it was; says what does not run."""
    best = None
    for setting in settings:
        try:
            seconds = time_one(setting)
        except Exception as error:  # whatever a foreign kernel throws
            reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            print(f"{what}, {setting}: does not run here: {reason}", file=sys.stderr, flush=True)
            continue
        if best is None or seconds < best[0]:
            best = seconds, setting
    return best


def fastest(candidates, precision):
    """The fastest of our forms with products of that precision: "scan", "chunk:64", "chunk:64-tf32"."""
    forms = [form for form in candidates if (form.split("-") + ["exact"])[1] == precision]
    return min(forms, key=candidates.get, default=None)


def mlstm(torch, mine):
    from mlstm_kernels.torch.chunkwise import registry

    if "triton_xl_chunk" not in registry:
        print("mlstm_kernels offers no Triton kernels here: it is left out.")
        return
    shapes = sorted({name.split("/")[2] for name in mine if name.startswith("cuda/mlstm/")})
    for shape in shapes:
        B, H, T, K, V = map(int, shape.split("x"))
        for what in ("forward", "forward+backward"):
            candidates = {name.split("/")[3]: seconds for name, seconds in mine.items()
                          if name.startswith(f"cuda/mlstm/{shape}/") and name.endswith(f"/{what}")}
            for dtype in (torch.float32, torch.bfloat16) if candidates else ():
                def time_one(setting):
                    kernel, chunk = setting
                    generator = torch.Generator("cuda").manual_seed(1)

                    def numbers(*size, low=-1.0, high=1.0, kind=dtype):
                        wide = torch.rand(size, generator=generator, device="cuda") * (high - low) + low
                        return wide.to(kind).requires_grad_(what != "forward")

                    inputs = [numbers(B, H, T, K), numbers(B, H, T, K), numbers(B, H, T, V),
                              numbers(B, H, T, low=-3.0, high=3.0, kind=torch.float32),
                              numbers(B, H, T, low=2.0, high=6.0, kind=torch.float32)]
                    dh = torch.rand(B, H, T, V, device="cuda").to(dtype)

                    def body():
                        h = registry[kernel](*inputs, chunk_size=chunk, autocast_kernel_dtype=dtype)
                        if what != "forward":
                            torch.autograd.grad(h, inputs, dh)

                    with torch.set_grad_enabled(what != "forward"):
                        return timed(torch, body)

                settings = [("triton_xl_chunk", 128), ("triton_xl_chunk", 256),
                            ("triton_xl_chunk", 64), ("triton_limit_chunk", 64)]
                theirs = str(dtype)[6:]
                label = f"mLSTM {shape} {what}, theirs {theirs}"
                best = attempt(label, settings, time_one)
                # Triton shortens float32 factors to TF32. Ours stay float32 in memory always.
                for precision in ("exact", "tf32") if theirs == "float32" else ("bf16",):
                    form = fastest(candidates, precision)
                    if best and form:
                        line(f"{label}, ours {form}", candidates[form], best[0],
                             f"{best[1][0]} {best[1][1]}")
                torch.cuda.empty_cache()


def lstm(torch, mine):
    for name in sorted(mine):
        if not name.startswith("cuda/slstm/"):
            continue
        shape, what = name.split("/")[2:4]
        B, T, H, D = map(int, shape.split("x"))

        def time_one(_):
            layer = torch.nn.LSTM(H * D, H * D, batch_first=True, device="cuda")
            x = torch.rand(B, T, H * D, device="cuda", requires_grad=what != "forward")
            dy = torch.rand(B, T, H * D, device="cuda")
            parameters = [x, *layer.parameters()]

            def body():
                y = layer(x)[0]
                if what != "forward":
                    torch.autograd.grad(y, parameters, dy)

            with torch.set_grad_enabled(what != "forward"):
                return timed(torch, body)

        label = f"sLSTM {shape} {what}, theirs nn.LSTM of the same width with its input products"
        best = attempt(label, ["float32"], time_one)
        if best:
            line(label, mine[name], best[0], best[1])


def training(torch, mine):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
    import peer as cpu_peer

    for size_name, size in cpu_peer.SIZES.items():
        name = f"cuda/train/{size_name}"
        if name not in mine:
            continue

        def time_one(_):
            model = cpu_peer.official_model(size).to("cuda")
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1, fused=True)
            data = torch.randint(0, size["vocabulary"], (size["batch"], size["context"] + 1)).to("cuda")
            inputs, targets = data[:, :-1].contiguous(), data[:, 1:].reshape(-1).contiguous()

            def body():
                optimizer.zero_grad(set_to_none=True)
                logits = model(inputs).reshape(-1, size["vocabulary"])
                torch.nn.functional.cross_entropy(logits, targets).backward()
                optimizer.step()

            return timed(torch, body)

        label = f"a training step, {size_name}, theirs package xlstm"
        best = attempt(label, ["plain PyTorch"], time_one)
        if best:
            line(label, mine[name], best[0], best[1])


def main():
    if len(sys.argv) != 2 or not os.path.exists(sys.argv[1]):
        sys.exit("usage: peer.py BENCH.json, the file that xlab_bench has written")
    if not installed("torch"):
        print("torch is not installed: nothing to compare with.")
        return
    import torch

    if not torch.cuda.is_available():
        print("torch finds no card: nothing to compare with.")
        return
    # As exact as ours: no shortened factors.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    mine = ours(sys.argv[1])
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    print("| what | ours | theirs | theirs / ours | their fastest setting |\n|---|---|---|---|---|")
    lstm(torch, mine)
    if installed("xlstm"):
        training(torch, mine)
    else:
        print("xlstm is not installed: training steps are left out.")
    if installed("triton", "mlstm_kernels"):
        mlstm(torch, mine)
    else:
        print("triton and mlstm_kernels are not both installed: the authors' kernels are left out.")


if __name__ == "__main__":
    main()
