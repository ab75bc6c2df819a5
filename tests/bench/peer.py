#!/usr/bin/env python3
"""Times the official PyTorch code (package `xlstm`) and torch.nn.LSTM on the sizes of bench.hpp.

Prints one JSON object: milliseconds of the fastest and the median training step, microseconds of a
generation step. Needs the packages torch and xlstm; uses no GPU.
"""
import argparse
import json
import resource
import statistics
import sys
import time

SIZES = {
    "tiny": {"vocabulary": 64, "context": 128, "batch": 16, "width": 64, "blocks": 2, "slstm_at": [1]},
    "small": {"vocabulary": 256, "context": 256, "batch": 8, "width": 256, "blocks": 4, "slstm_at": [3]},
}


def official_model(size):
    import xlstm

    config = xlstm.xLSTMLMModelConfig(
        vocab_size=size["vocabulary"],
        context_length=size["context"],
        num_blocks=size["blocks"],
        embedding_dim=size["width"],
        slstm_at=size["slstm_at"],
        mlstm_block=xlstm.mLSTMBlockConfig(mlstm=xlstm.mLSTMLayerConfig(num_heads=4)),
        slstm_block=xlstm.sLSTMBlockConfig(
            slstm=xlstm.sLSTMLayerConfig(num_heads=4, backend="vanilla", dtype="float32"),
            feedforward=xlstm.FeedForwardConfig(proj_factor=1.3, act_fn="gelu"),
        ),
    )
    model = xlstm.xLSTMLMModel(config)
    model.reset_parameters()
    return model


def lstm_model(size):
    import torch

    class Lstm(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(size["vocabulary"], size["width"])
            self.lstm = torch.nn.LSTM(size["width"], size["width"], num_layers=2, batch_first=True)
            self.head = torch.nn.Linear(size["width"], size["vocabulary"], bias=False)

        def forward(self, ids):
            return self.head(self.lstm(self.embedding(ids))[0])

        def step(self, ids, state=None):
            y, state = self.lstm(self.embedding(ids), state)
            return self.head(y), state

    return Lstm()


def timed(body, seconds):
    """Times of single calls, after two that are not counted."""
    body()
    body()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        begin = time.perf_counter()
        body()
        times.append(time.perf_counter() - begin)
    return times


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", choices=SIZES, required=True)
    arguments.add_argument("--model", choices=["xlstm", "lstm"], default="xlstm")
    arguments.add_argument("--what", choices=["train", "step"], required=True)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--seconds", type=float, default=3.0)
    args = arguments.parse_args()

    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    size = SIZES[args.size]
    model = official_model(size) if args.model == "xlstm" else lstm_model(size)
    if args.what == "train":
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
        data = torch.randint(0, size["vocabulary"], (size["batch"], size["context"] + 1))
        inputs, targets = data[:, :-1].contiguous(), data[:, 1:].reshape(-1).contiguous()

        def body():
            optimizer.zero_grad(set_to_none=True)
            logits = model(inputs)
            torch.nn.functional.cross_entropy(logits.reshape(-1, size["vocabulary"]), targets).backward()
            optimizer.step()

    else:
        model.eval()
        state = [None]
        ids = torch.zeros((1, 1), dtype=torch.long)

        @torch.no_grad()
        def body():
            if args.model == "lstm":
                _, state[0] = model.step(ids, state[0])
            else:
                _, state[0] = model.step(ids, state=state[0] or {})

    times = timed(body, args.seconds)
    json.dump(
        {
            "torch": torch.__version__,
            "parameters": sum(p.numel() for p in model.parameters()),
            "median_s": statistics.median(times),
            "fastest_s": min(times),
            "count": len(times),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        },
        sys.stdout,
    )
    print()


if __name__ == "__main__":
    main()
