#!/usr/bin/python3
"""Repeats the steps of engine_twin in PyTorch (float64 and float32) and compares.

    bench/torch_twin.py [MODEL]    # all cases or one model's; needs python3-torch and python3-torchvision (Debian)

Same initial weights, same batches, same update rule.  The engine's distance from float64 must be
of the order of PyTorch's own float32 distance: deep ReLU nets amplify rounding (one activation
that falls on the other side of zero changes a gradient by 1e-2), so that is the measure, not a fixed
tolerance.  Dropout draws the engine's numbers (graph.h).  The figures of `tiny` are the golden values of net_test.c.
"""
import os
import struct
import subprocess
import sys
import tempfile

import numpy
import torch
import torchvision

from nets import build

CASES = [
    ("tiny", 16, "small", "sgd"),
    ("tiny", 16, "small", "adamw"),
    ("resnet18", 32, "small", "sgd"),
    ("resnet18", 64, "large", "adamw"),
    ("resnet34", 32, "small", "sgd"),
    ("mobilenetv2", 64, "large", "sgd"),
    ("mobilenetv2", 32, "small", "adamw"),
    ("resnet50", 32, "small", "sgd"),
    ("mobilenetv3-small", 64, "large", "sgd"),
    ("mobilenetv3-small", 32, "small", "adamw"),
    ("efficientnet-b0", 64, "large", "sgd"),
    ("efficientnet-b0", 32, "small", "adamw"),
]

DROPOUT_SEED = 0x64726F706F757473


def read(path):
    data, at, records = open(path, "rb").read(), 0, {}
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        name = data[at + 4 : at + 4 + length].decode()
        (count,) = struct.unpack_from("<Q", data, at + 4 + length)
        at += 12 + length
        records[name] = torch.frombuffer(bytearray(data[at : at + 4 * count]), dtype=torch.float32)
        at += 4 * count
    return records


def mix(z):
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return z ^ (z >> numpy.uint64(31))


def uniform(seed, *parts):
    """base/rand.c: rand_unit(rand_at(seed, a, b, c)), elementwise."""
    golden = numpy.uint64(0x9E3779B97F4A7C15)
    with numpy.errstate(over="ignore"):
        h = mix(numpy.array([seed], dtype=numpy.uint64) + golden)
        for part in parts:
            h = mix((h ^ part) + golden)
    return (h >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53


class Dropout(torch.nn.Module):
    """Each element, or each image as a whole, by the engine's numbers."""

    def __init__(self, p, stream, whole):
        super().__init__()
        self.p, self.stream, self.whole, self.step = p, stream, whole, 0

    def forward(self, x):
        if not self.training:
            return x
        images = numpy.arange(x.shape[0], dtype=numpy.uint64)[:, None]
        each = 1 if self.whole else x[0].numel()
        elements = numpy.arange(each, dtype=numpy.uint64)[None, :]
        u = uniform(DROPOUT_SEED + self.stream, numpy.uint64(self.step), images, elements)
        keep = numpy.where(u < self.p, 0.0, numpy.float32(1 / (1 - self.p)).astype(numpy.float64))
        factor = torch.from_numpy(keep).to(x.dtype)
        return x * (factor.view(-1, 1, 1, 1) if self.whole else factor.view(x.shape))


def with_dropout(net):
    """The engine counts the places that drop in their order; each draws its own numbers."""
    drops = []
    for m in list(net.modules()):
        for name, child in m.named_children():
            whole = isinstance(child, torchvision.ops.StochasticDepth)
            if not whole and not isinstance(child, torch.nn.Dropout):
                continue
            if child.p > 0 and (not whole or m.use_res_connect):
                p = float(numpy.float32(child.p)) if whole else child.p
                drops.append(Dropout(p, len(drops), whole))
                setattr(m, name, drops[-1])
    return drops


def run(net, records, size, optimizer, dtype, classes=5):
    state = net.state_dict()
    for name, value in state.items():
        if not name.endswith("num_batches_tracked"):
            value.copy_(records["init/" + name].view(value.shape))
    net.to(dtype).train()
    drops = with_dropout(net)
    decayed = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    if optimizer == "adamw":
        opt = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    else:
        opt = torch.optim.SGD(groups, lr=0.02, momentum=0.9, nesterov=True)
    losses, norms, step = [], [], 0
    while f"x/{step}" in records:
        x = records[f"x/{step}"].view(-1, 3, size, size).to(dtype)
        t = records[f"t/{step}"].view(-1, classes).to(dtype)
        for drop in drops:
            drop.step = step + 1
        opt.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), t)
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)))
        opt.step()
        losses.append(float(loss))
        step += 1
    net.eval()
    with torch.no_grad():
        logits = net(x)
    return losses, norms, {k: v.double() for k, v in net.state_dict().items()}, logits.double()


def apart(a, b):
    return float((a.double().flatten() - b.double().flatten()).norm() / b.double().norm())


def compare(program, case, backend, seed):
    """(good, line): the engine's run against float64, with PyTorch's own float32 beside it."""
    model, size, stem, optimizer = case
    with tempfile.NamedTemporaryFile() as f:
        args = [program, f.name, model, str(size), stem, optimizer, backend, str(seed)]
        subprocess.run(args, check=True)
        records = read(f.name)
    exact = run(build(model, stem, 5, dropout=True), records, size, optimizer, torch.float64)
    single = run(build(model, stem, 5, dropout=True), records, size, optimizer, torch.float32)
    names = [n for n in exact[2] if not n.endswith("num_batches_tracked")]
    flat = lambda get: torch.cat([get(n).double().flatten() for n in names])
    want = flat(lambda n: exact[2][n])
    # how far the weights moved is the scale: most of their length was there before
    moved = (want - flat(lambda n: records["init/" + n])).norm()
    ours = (flat(lambda n: records["end/" + n]) - want).norm() / moved
    torchs = (flat(lambda n: single[2][n]) - want).norm() / moved
    loss = [abs(float(records[f"loss/{i}"]) - l) for i, l in enumerate(exact[0])]
    norm = abs(float(records["norm/0"]) / exact[1][0] - 1)
    line = (
        f"{model} {size} {stem} {optimizer} {backend} seed {seed}: update differs by {ours:.1e} "
        f"(torch float32 {torchs:.1e}); loss by {', '.join(f'{v:.0e}' for v in loss)}; norm by {norm:.0e}; "
        f"logits by {apart(records['infer/'], exact[3]):.1e} (torch {apart(single[3], exact[3]):.1e})"
    )
    if model == "tiny" and seed == 11 and backend == "portable":
        line += f"\n    golden: losses {exact[0]}, norms {exact[1]}"
    return ours < 3 * torchs + 1e-4 and loss[0] < 1e-5 and norm < 2e-3, line


def main():
    torch.set_num_threads(2)
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../build/bench/engine_twin")
    bad = 0
    for case in CASES:
        if len(sys.argv) > 1 and case[0] != sys.argv[1]:
            continue
        for backend in ("onednn", "portable"):
            # one activation may fall on the other side of zero: several seeds, most must be close
            seeds = range(11, 16) if case[0] == "tiny" else range(11, 12)
            results = [compare(program, case, backend, seed) for seed in seeds]
            for good, line in results:
                print("close  " if good else "apart  ", line, flush=True)
            bad += sum(good for good, _ in results) * 2 <= len(seeds)
    print("FAILED" if bad else "all cases agree")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
