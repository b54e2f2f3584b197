#!/usr/bin/env python3
"""Our engine against its peers, row by row: `make bench-engine`.

    bench/engine/run.py [ROW..] [--rounds 15] [--threads 2]

Both contenders of a row are processes that stay alive and take a step each in turn when told to; a
figure is the median of the rounds after two to warm up, so whatever else the machine does falls on
both.  A turn of an inference row is CALLS calls: the first finds the caches full of the other
contenders' data and its own threads asleep, and is told apart (`ratio_first_call`, against the best
of all peers); the others are what a server that is asked again and again sees.  Where PyTorch has
several modes all are measured and the fastest is the peer.  Peers are installed from PyPI into
build/peers/python at the first run (5 GB) and nowhere else.  Result: build/bench/engine.json, row ->
{ours, peer, ratio, unit}; a ratio above 1 means that Anneal is better.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import zipfile

CALLS = 6
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
HERE = os.path.join(ROOT, "bench", "engine")
PEERS = os.path.join(ROOT, "build", "peers")
PYTHON = os.path.join(PEERS, "python", "bin", "python")
STEP = os.path.join(ROOT, "build", "bench", "engine", "step")
OUT = os.path.join(ROOT, "build", "bench", "engine.json")
PACKAGES = ["torch", "torchvision", "numpy", "onnxruntime", "onnx", "pillow"]
# What the fastest known PyTorch set-up wants of the allocator: no page faults for every tensor.
TUNED = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296:"
                           "glibc.malloc.top_pad=268435456"}
INFER = ["channels_last", "jit", "compile", "onnxruntime"]
ROWS = {  # batch, modes of the peer, unit
    "train_resnet18_f32": (128, ["channels_last"], "images/s"),
    "train_detect_n_f32": (8, ["channels_last"], "images/s"),
    "train_mobilenetv2_f32": (64, ["channels_last"], "images/s"),
    "train_detect_n_bf16": (8, ["channels_last"], "images/s"),
    "infer_resnet18_b1": (1, INFER, "images/s"),
    "infer_resnet18_b8": (8, INFER, "images/s"),
    "infer_detect_n_b1": (1, INFER, "images/s"),
    "infer_detect_n_b8": (8, INFER, "images/s"),
    "rss_train_detect_n": (8, ["channels_last"], "MiB"),
    "first_step": (1, ["channels_last"], "s"),
    "jpeg_224": (None, ["channels_last"], "images/s"),
    "wasm_mobilenetv2_b1": (1, [], "images/s"),
}


class Failed(Exception):
    pass


def say(text):
    print(text, flush=True)


def install_peers():
    if os.path.exists(PYTHON) and subprocess.run([PYTHON, "-c", "import torch, torchvision, onnxruntime"],
                                                 capture_output=True).returncode == 0:
        return
    say(f"installing the peers into {os.path.relpath(PEERS, ROOT)}: {' '.join(PACKAGES)} (5 GB, minutes)")
    subprocess.run([sys.executable, "-m", "venv", os.path.join(PEERS, "python")], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "-q", *PACKAGES], check=True)


def pictures():
    """The JPEG files of 640x480 of the sample data, unpacked once."""
    folder = os.path.join(ROOT, "build", "bench", "pictures")
    archive = os.path.join(ROOT, "..", "shared", "data", "bccd-voc.zip")
    if not os.path.isdir(folder):
        if not os.path.exists(archive):
            raise Failed(f"{archive} is not there; put JPEG files of 640x480 into {folder}")
        os.makedirs(folder + ".part", exist_ok=True)
        with zipfile.ZipFile(archive) as z:
            for name in [n for n in sorted(z.namelist()) if n.endswith(".jpg")][:128]:
                with open(os.path.join(folder + ".part", os.path.basename(name)), "wb") as f:
                    f.write(z.read(name))
        os.rename(folder + ".part", folder)
    return folder


class Contender:
    def __init__(self, name, command, env=None):
        self.name, self.command, self.times, self.first = name, command, [], []
        self.began = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        cwd=ROOT, env={**os.environ, **(env or {})})

    def turn(self, calls):
        time.sleep(0.02)  # the threads of the one before may still spin, waiting for work
        took = [self.step() for _ in range(calls)]
        self.first.append(took[0])
        self.times.append(statistics.median(took[1:] or took))

    def step(self):
        try:
            self.process.stdin.write("s\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline().split()
        if len(line) != 2 or line[0] != "T":
            raise Failed(f"{self.name} ended: {' '.join(self.command)}")
        return float(line[1])

    def finish(self):
        """Peak resident memory, MiB."""
        out, _ = self.process.communicate()
        return float(out.split()[-1])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def median(self):
        return statistics.median(self.times[2:])

    def median_first(self):
        return statistics.median(self.first[2:])


def ours(row, a):
    command = [STEP, "--row", row, "--threads", str(a.threads)]
    return Contender("ours", command + (["--pictures", pictures()] if row == "jpeg_224" else []))


def peer(row, mode, a):
    command = [PYTHON, os.path.join(HERE, "torch_step.py"), "--row", row, "--mode", mode, "--threads",
               str(a.threads)]
    if row == "jpeg_224":
        command += ["--pictures", pictures()]
    if mode == "onnxruntime":
        command += ["--onnx", onnx_of(row)]
    return Contender(mode, command, TUNED)


def onnx_of(row):
    """The network of a row, with the weights it starts from, as `anneal export` writes it."""
    path = os.path.join(ROOT, "build", "bench", row + ".onnx")
    subprocess.run([STEP, "--row", row, "--onnx", path], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    return path


def in_turn(row, modes, a):
    """Our contender and those of the peer that run, after the same number of steps."""
    calls = CALLS if row.startswith("infer") else 1
    all_of = [ours(row, a)] + [peer(row, m, a) for m in modes]
    try:
        for c in list(all_of):
            try:
                c.turn(calls)
            except Failed as e:
                if c.name in ("ours", "channels_last"):
                    raise
                say(f"  {row}: {e}")
                c.kill()
                all_of.remove(c)
        for _ in range(a.rounds + 1):
            for c in all_of:
                c.turn(calls)
        memory = [c.finish() for c in all_of]
    finally:
        for c in all_of:
            c.kill()
    return all_of, memory


def speed(row, a):
    batch, modes, unit = ROWS[row]
    batch = batch or len(os.listdir(pictures()))
    all_of, memory = in_turn(row, modes, a)
    figures = {c.name: batch / c.median() for c in all_of}
    torch_modes = {k: v for k, v in figures.items() if k not in ("ours", "onnxruntime")}
    best = max(torch_modes, key=torch_modes.get)
    result = {"ours": figures["ours"], "peer": figures[best], "ratio": figures["ours"] / figures[best],
              "unit": unit, "peer_mode": best, "all": figures,
              "peak_mib": {c.name: m for c, m in zip(all_of, memory)}}
    if "onnxruntime" in figures:
        result["ratio_onnxruntime"] = figures["ours"] / figures["onnxruntime"]
        first = {c.name: c.median_first() for c in all_of}
        result["ratio_first_call"] = min(v for k, v in first.items() if k != "ours") / first["ours"]
    return result


def memory(row, a):
    _, mib = in_turn("train_detect_n_f32", ["channels_last"], a)
    return {"ours": mib[0], "peer": mib[1], "ratio": mib[1] / mib[0], "unit": "MiB"}


def first_step(row, a):
    """From the start of the process to the end of its first step, several starts in turn."""
    took = {"ours": [], "peer": []}
    for _ in range(max(3, a.rounds // 3)):
        for name in took:
            c = ours(row, a) if name == "ours" else peer(row, "channels_last", a)
            try:
                c.step()
                took[name].append(time.perf_counter() - c.began)
                c.finish()
            finally:
                c.kill()
    mine, theirs = (statistics.median(took[k]) for k in ("ours", "peer"))
    return {"ours": mine, "peer": theirs, "ratio": theirs / mine, "unit": "s"}


def wasm(row, a):
    out = subprocess.run([os.path.join(ROOT, "bench", "wasm", "run")], cwd=ROOT, text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    result = json.loads(out.strip().splitlines()[-1])
    result.pop("row", None)
    return result


def main():
    p = argparse.ArgumentParser()
    p.add_argument("rows", nargs="*", metavar="ROW")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    unknown = [r for r in a.rows if r not in ROWS]
    if unknown:
        p.error(f"there is no row {unknown[0]}; there are {' '.join(ROWS)}")
    install_peers()
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    results = json.load(open(OUT)) if a.rows and os.path.exists(OUT) else {}
    failed = 0
    special = {"rss_train_detect_n": memory, "first_step": first_step, "wasm_mobilenetv2_b1": wasm}
    for row in a.rows or ROWS:
        try:
            results[row] = special.get(row, speed)(row, a)
        except (Failed, subprocess.CalledProcessError, OSError, ValueError) as e:
            failed += 1
            say(f"{row:24} failed: {e}")
            continue
        r = results[row]
        say(f"{row:24} {r['ours']:9.2f} {r['peer']:9.2f} {r['unit']:9} {r['ratio']:6.2f}x"
            + (f"  ({r['ratio_onnxruntime']:.2f}x ONNX Runtime)" if "ratio_onnxruntime" in r else ""))
        with open(OUT + ".part", "w") as f:
            json.dump(results, f, indent=1)
        os.replace(OUT + ".part", OUT)
    say(f"{os.path.relpath(OUT, ROOT)}: {len(results)} rows, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
