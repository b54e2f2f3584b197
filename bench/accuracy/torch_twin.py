"""The same training as `anneal train --model MODEL` with its default settings, in PyTorch.

Network, initial weights, optimiser, schedule, augmentation, targets and evaluation follow
src/spec/train.c and train_task.c (the defaults), src/flow/worker/train.c, src/engine/feed/augment.c and
src/engine/model/networks*.c; only the random numbers differ.  Prints one JSON object as its last line.

    torch_twin.py ZIP --model resnet18 --seed 1 --epochs 15
"""
import argparse
import io
import json
import math
import os
import random
import sys
import time
import zipfile

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from nets import build

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def load(path):
    """Pictures [n, 3, 32, 32] of bytes and labels, for train and val."""
    archive = zipfile.ZipFile(path)
    names = sorted(n for n in archive.namelist() if n.endswith(".jpg"))
    classes = sorted({n.split("/")[-2] for n in names})
    out = {}
    for split in ("train", "val"):
        mine = [n for n in names if n.split("/")[-3] == split]
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(n))).convert("RGB")) for n in mine]
        out[split] = (torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(),
                      torch.tensor([classes.index(n.split("/")[-2]) for n in mine]))
    return out, classes


def grey(x):
    return (0.299 * x[0] + 0.587 * x[1] + 0.114 * x[2]).unsqueeze(0)


def augment(x, a):
    """One picture of bytes to floats from 0 to 1, cropped, flipped and coloured."""
    pad = a.crop_padding
    x = F.pad(x, (pad, pad, pad, pad))
    top, left = random.randrange(2 * pad + 1), random.randrange(2 * pad + 1)
    x = x[:, top:top + 32, left:left + 32].float() / 255
    if random.random() < 0.5:
        x = x.flip(2)
    factor = lambda: 1 + a.colour * (2 * random.random() - 1)
    x = (x * factor()).clamp(0, 1)
    f = factor()
    x = (x * f + (1 - f) * grey(x).mean()).clamp(0, 1)
    f = factor()
    return (x * f + (1 - f) * grey(x)).clamp(0, 1)


def learning_rate(a, step, steps):
    all_steps = a.epochs * steps
    warm = min(int(a.warmup_epochs * steps + 0.5), all_steps // 2)
    if step < warm:
        return a.learning_rate * (step + 1) / warm
    final = a.learning_rate * a.final_lr_factor
    part = (step - warm) / (all_steps - warm)
    return final + (a.learning_rate - final) * (1 + math.cos(math.pi * part)) / 2


def evaluate(net, x, y):
    net.eval()
    hits = 0
    with torch.no_grad():
        for i in range(0, len(y), 250):
            out = net((x[i:i + 250].float() / 255 - MEAN) / STD)
            hits += (out.argmax(1) == y[i:i + 250]).sum().item()
    net.train()
    return hits / len(y)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("zip")
    p.add_argument("--model", default="resnet18")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--epochs", type=int, default=15)
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--batch-size", type=int, default=64)
    p.add_argument("--learning-rate", type=float, help="as ours by default: 0.05, or 0.01 of two nets")
    p.add_argument("--momentum", type=float, default=0.9)
    p.add_argument("--weight-decay", type=float, default=0.0005)
    p.add_argument("--warmup-epochs", type=float, default=1)
    p.add_argument("--final-lr-factor", type=float, default=0.01)
    p.add_argument("--label-smoothing", type=float, default=0.1)
    p.add_argument("--crop-padding", type=int, default=4)
    p.add_argument("--colour", type=float, default=0.1)
    a = p.parse_args()
    if a.learning_rate is None:
        a.learning_rate = 0.01 if a.model in ("resnet50", "efficientnet-b0") else 0.05

    random.seed(a.seed)
    torch.manual_seed(a.seed)
    if a.threads:
        torch.set_num_threads(a.threads)
    data, classes = load(a.zip)
    x, y = data["train"]
    net = build(a.model, "small", len(classes), dropout=True).to(memory_format=torch.channels_last)
    decay = [w for w in net.parameters() if w.dim() > 1]
    plain = [w for w in net.parameters() if w.dim() <= 1]
    optimizer = torch.optim.SGD([{"params": decay, "weight_decay": a.weight_decay},
                                 {"params": plain, "weight_decay": 0}],
                                lr=a.learning_rate, momentum=a.momentum, nesterov=True)
    steps = (len(y) + a.batch_size - 1) // a.batch_size
    history, began = [], time.time()
    for epoch in range(a.epochs):
        order, loss_sum = torch.randperm(len(y)), 0
        for step in range(steps):
            index = order[step * a.batch_size:(step + 1) * a.batch_size]
            batch = torch.stack([augment(x[i], a) for i in index])
            batch = ((batch - MEAN) / STD).contiguous(memory_format=torch.channels_last)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(a, epoch * steps + step, steps)
            loss = F.cross_entropy(net(batch), y[index], label_smoothing=a.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(index)
        history.append(evaluate(net, *data["val"]))
        print(f"torch seed {a.seed} epoch {epoch + 1}/{a.epochs} loss {loss_sum / len(y):.4f} "
              f"val/accuracy {history[-1]:.4f} ({time.time() - began:.0f} s)", file=sys.stderr, flush=True)
    print(json.dumps({"model": a.model, "seed": a.seed, "epochs": a.epochs, "best": max(history), "last": history[-1],
                      "seconds": round(time.time() - began, 1), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
