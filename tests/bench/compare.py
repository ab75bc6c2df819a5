#!/usr/bin/env python3
"""Runs our training and generation steps and the official PyTorch code's in turn, and prints ratios.

    python3 tests/bench/compare.py --bench build/release/tests/xlab_bench --rounds 5

A round times every case of both sides once, so that whatever else the machine does meets both. A
figure is the median over the rounds, its spread the fastest and the slowest round. The other side
runs with one and with two threads, and the better one counts.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def ours(bench, case, seconds):
    out = subprocess.run(
        [bench, f"--benchmark_filter=^{re.escape(case)}/real_time$", "--benchmark_format=json",
         f"--benchmark_min_time={seconds}"],
        check=True, capture_output=True, text=True)
    found = json.loads(out.stdout)["benchmarks"][0]
    unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3}[found["time_unit"]]
    return found["real_time"] * unit


def theirs(python, case, seconds):
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY")}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    out = subprocess.run(
        [python, os.path.join(HERE, "peer.py"), "--seconds", str(seconds), *case],
        check=True, capture_output=True, text=True, env=environment)
    return json.loads(out.stdout)["median_s"]


def show(seconds):
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bench", required=True, help="our timing program")
    arguments.add_argument("--python", default=sys.executable, help="a Python with torch and xlstm")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=2.0, help="per case and round")
    args = arguments.parse_args()

    mine = [f"{what}/{size}/threads:{threads}" for size in ("tiny", "small")
            for what in ("train", "step") for threads in (1, 2) if (what, threads) != ("step", 2)]
    others = [(size, what, model, threads) for size in ("tiny", "small") for what in ("train", "step")
              for model in ("xlstm", "lstm") for threads in (1, 2) if (what, threads) != ("step", 2)]
    times = {case: [] for case in mine + others}
    for round_ in range(args.rounds):
        for case in mine:
            times[case].append(ours(args.bench, case, args.seconds))
        for case in others:
            size, what, model, threads = case
            times[case].append(theirs(args.python, ["--size", size, "--what", what, "--model", model,
                                                    "--threads", str(threads)], args.seconds))
        print(f"round {round_ + 1} of {args.rounds}", file=sys.stderr)

    print("| case | ours, median (fastest to slowest round) | official xLSTM | ratio | nn.LSTM | ratio |")
    print("|---|---|---|---|---|---|")
    for case in mine:
        what, size, _ = case.split("/")
        median = statistics.median(times[case])
        columns = [case, f"{show(median)} ({show(min(times[case]))} to {show(max(times[case]))})"]
        for model in ("xlstm", "lstm"):
            best = min(statistics.median(times[other]) for other in others
                       if other[:3] == (size, what, model))
            columns += [show(best), f"{best / median:.1f}x"]
        print("| " + " | ".join(columns) + " |")


if __name__ == "__main__":
    main()
