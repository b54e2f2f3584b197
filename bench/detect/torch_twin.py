#!/usr/bin/python3
"""The detectors and segmenters, their losses and their assignment in PyTorch: the check and the peer.

    bench/detect/torch_twin.py check [MODEL SIZE]   # loss and gradients of one step against float64
    bench/detect/torch_twin.py train [STEPS]        # images a second: detect-n, 320x320, batch 8

Needs python3-torch (Debian).  `check` runs build/bench/detect/twin, which writes down weights,
pictures, boxes, loss and gradients of one step, and repeats the step in float64 and in float32: with
convolutions by plain sums, where the gradients of each tiny form must be within 1e-5, and by Winograd
too, as training has them.
`train` is what the speed rows compare with, tuned as far as PyTorch goes on a CPU: channels_last,
threads set, SGD(foreach), no page faults for tensors (GLIBC_TUNABLES), one convolution for both
branches of a block.
"""
import math
import os
import struct
import subprocess
import sys
import tempfile
import time

if "GLIBC_TUNABLES" not in os.environ:
    os.environ["GLIBC_TUNABLES"] = (
        "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296:"
        "glibc.malloc.top_pad=268435456"
    )
    os.execv(sys.executable, [sys.executable] + sys.argv)

import torch
import torch.nn.functional as F
from torch import nn

BINS, TOP = 16, 10
SIZES = {
    "tiny": ([16, 32, 32, 32, 32], [1, 1, 1, 1], 16),
    "n": ([16, 32, 64, 128, 256], [1, 2, 2, 1], 64),
    "s": ([32, 64, 128, 256, 512], [1, 2, 2, 1], 128),
}
CASES = [("detect-tiny", 64), ("segment-tiny", 64), ("semseg-tiny", 64),
         ("detect-n", 96), ("detect-s", 64), ("segment-n", 96), ("semseg-n", 64)]
GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5, "mask": 7.5}


class Conv(nn.Module):
    def __init__(self, ic, oc, k=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(ic, oc, k, stride, k // 2, bias=False)
        self.norm = nn.BatchNorm2d(oc)

    def forward(self, x):
        return F.silu(self.norm(self.conv(x)), inplace=True)


class Bottleneck(nn.Module):
    def __init__(self, c, residual):
        super().__init__()
        self.cv1, self.cv2, self.residual = Conv(c, c, 3), Conv(c, c, 3), residual

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.residual else y


class Block(nn.Module):
    """`both` is around and into in one convolution."""

    def __init__(self, ic, oc, depth, residual):
        super().__init__()
        self.both = Conv(ic, oc)
        self.m = nn.ModuleList(Bottleneck(oc // 2, residual) for _ in range(depth))
        self.join = Conv(oc // 2 * (2 + depth), oc)

    def forward(self, x):
        parts = list(self.both(x).chunk(2, 1))
        for m in self.m:
            parts.append(m(parts[-1]))
        return self.join(torch.cat(parts, 1))


class Pool(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.cv1, self.cv2 = Conv(c, c // 2), Conv(c * 2, c)

    def forward(self, x):
        parts = [self.cv1(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        return self.cv2(torch.cat(parts, 1))


class Branch(nn.Module):
    def __init__(self, ic, oc, out=None):
        super().__init__()
        self.cv1, self.cv2 = Conv(ic, oc, 3), Conv(oc, oc, 3)
        self.out = nn.Conv2d(oc, out, 1) if out else None

    def forward(self, x):
        x = self.cv2(self.cv1(x))
        return self.out(x) if self.out else x


class Detector(nn.Module):
    def __init__(self, size, classes):
        super().__init__()
        w, depth, head = SIZES[size]
        layers = [Conv(3, w[0], 3, 2)]
        for i in range(4):
            layers += [Conv(w[i], w[i + 1], 3, 2), Block(w[i + 1], w[i + 1], depth[i], True)]
        self.backbone = nn.ModuleList(layers + [Pool(w[4])])
        self.neck = nn.ModuleList(
            [
                Block(w[4] + w[3], w[3], 1, False),
                Block(w[3] + w[2], w[2], 1, False),
                Conv(w[2], w[2], 3, 2),
                Block(w[2] + w[3], w[3], 1, False),
                Conv(w[3], w[3], 3, 2),
                Block(w[3] + w[4], w[4], 1, False),
            ]
        )
        self.box = nn.ModuleList(Branch(c, min(head, 64), 4 * BINS) for c in w[2:])
        self.cls = nn.ModuleList(Branch(c, head) for c in w[2:])
        self.head = nn.ModuleList(nn.Conv2d(head, classes, 1) for _ in range(3))
        for i in range(3):
            nn.init.constant_(self.box[i].out.bias, 1)
            nn.init.constant_(self.head[i].bias, math.log(5 / classes / (640 / (8 << i)) ** 2))

    def scales(self, x):
        scales = []
        for i, layer in enumerate(self.backbone):
            x = layer(x)
            if i in (2, 4, 6, 9):
                scales.append(x)
        return scales

    def features(self, x):
        scales = self.scales(x)
        up = lambda t: F.interpolate(t, scale_factor=2.0, mode="nearest")
        n = self.neck
        p4 = n[0](torch.cat([up(scales[3]), scales[2]], 1))
        p3 = n[1](torch.cat([up(p4), scales[1]], 1))
        q4 = n[3](torch.cat([n[2](p3), p4], 1))
        return scales, [p3, q4, n[5](torch.cat([n[4](q4), scales[3]], 1))]

    def forward(self, x):
        return self.boxes(self.features(x)[1])

    def boxes(self, maps):
        box = torch.cat([self.box[i](m).flatten(2) for i, m in enumerate(maps)], 2)
        cls = torch.cat([self.head[i](self.cls[i](m)).flatten(2) for i, m in enumerate(maps)], 2)
        return box.transpose(1, 2), cls.transpose(1, 2)


class Prototypes(nn.Module):
    def __init__(self, ic, oc):
        super().__init__()
        self.cv1, self.cv2, self.out = Conv(ic, oc, 3), Conv(oc, oc, 3), nn.Conv2d(oc, 32, 1)

    def forward(self, x):
        return self.out(self.cv2(F.interpolate(self.cv1(x), scale_factor=2.0, mode="nearest")))


class Segmenter(Detector):
    def __init__(self, size, classes):
        super().__init__(size, classes)
        w, _, head = SIZES[size]
        self.mask = nn.ModuleList(Branch(c, 32, 32) for c in w[2:])
        self.proto = Prototypes(w[2], head)

    def forward(self, x):
        maps = self.features(x)[1]
        box, cls = self.boxes(maps)
        masks = torch.cat([self.mask[i](m).flatten(2) for i, m in enumerate(maps)], 2)
        return box, cls, masks.transpose(1, 2), self.proto(maps[0])


class Semantic(Detector):
    def __init__(self, size, classes):
        super().__init__(size, classes)
        w, _, head = SIZES[size]
        del self.neck, self.box, self.cls
        self.pyramid = nn.ModuleList(Conv(c, head) for c in w[1:])
        self.decode = nn.ModuleList([Conv(head, head, 3), Conv(head, head, 3)])
        self.head = nn.Conv2d(head, classes, 1)

    def forward(self, x):
        scales = self.scales(x)
        x = self.pyramid[3](scales[3])
        for i in (2, 1, 0):
            x = self.pyramid[i](scales[i]) + F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.head(self.decode[1](self.decode[0](x)))


def anchors_of(size, dtype):
    points, strides = [], []
    for stride in (8, 16, 32):
        at = (torch.arange(size // stride, dtype=dtype) + 0.5) * stride
        y, x = torch.meshgrid(at, at, indexing="ij")
        points.append(torch.stack([x, y], -1).view(-1, 2))
        strides.append(torch.full((points[-1].shape[0], 1), float(stride), dtype=dtype))
    return torch.cat(points), torch.cat(strides)


def iou_of(a, b):
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inter = (high - low).clamp_(min=0).prod(-1)
    area = lambda t: (t[..., 2:] - t[..., :2]).prod(-1)
    return inter / (area(a) + area(b) - inter + 1e-12)


@torch.no_grad()
def assign(cls, boxes, points, truths, kinds, real):
    """owner [B, A], target [B, A] (0: background); truths [B, M, 4], kinds and real [B, M]."""
    p = points[None, None]
    t = truths[:, :, None]
    inside = ((p > t[..., :2]) & (p < t[..., 2:])).all(-1)
    cells = int(math.sqrt(len(points) * 64 / 84))  # a truth without a centre: the cell of its middle
    middle = ((truths[..., :2] + truths[..., 2:]) / 16).long().clamp_(0, cells - 1)
    middle = (middle[..., 1] * cells + middle[..., 0])[..., None]
    inside.scatter_(2, middle, inside.gather(2, middle) | ~inside.any(2, keepdim=True))
    inside &= real[..., None]
    iou = iou_of(t, boxes[:, None])
    logits = cls.transpose(1, 2).gather(1, kinds[..., None].expand(-1, -1, cls.shape[1]))
    alignment = logits.sigmoid_().sqrt_() * iou.pow(6) * inside
    best, at = alignment.topk(TOP, -1)
    claimed = torch.zeros_like(inside).scatter_(2, at, best > 0)
    owner = torch.where(claimed, iou, iou.new_tensor(-1.0)).argmax(1)
    own = claimed & (torch.arange(truths.shape[1])[None, :, None] == owner[:, None])
    alignment, iou = alignment * own, iou * own
    most = alignment.amax(2, keepdim=True).clamp_(min=1e-300 if iou.dtype == torch.float64 else 1e-38)
    return owner, (alignment / most * iou.amax(2, keepdim=True)).sum(1)


def ciou_of(p, t):
    iou = iou_of(p, t)
    size, truth = p[..., 2:] - p[..., :2], t[..., 2:] - t[..., :2]
    hull = torch.maximum(p[..., 2:], t[..., 2:]) - torch.minimum(p[..., :2], t[..., :2])
    shift = ((t[..., :2] + t[..., 2:] - p[..., :2] - p[..., 2:]) / 2).square().sum(-1)
    angle = torch.atan2(truth[..., 0], truth[..., 1]) - torch.atan2(size[..., 0], size[..., 1])
    v = 4 / math.pi**2 * angle.square()
    with torch.no_grad():
        alpha = v / (1 - iou + v + 1e-7)
    return iou - shift / (hull.square().sum(-1) + 1e-7) - alpha * v


def cells_of(low, high, side):
    at = (torch.arange(side, dtype=low.dtype) + 0.5) * 4
    inside = (at >= low[:, None]) & (at < high[:, None])
    middle = ((low + high) / 2 / 4).long().clamp(0, side - 1)
    return inside | (~inside.any(1, keepdim=True) & (torch.arange(side) == middle[:, None]))


def mask_loss(masks, prototypes, instances, image, anchor, owner, truth):
    """Mean over the positive anchors; `owner` and `truth` of each."""
    logits = torch.einsum("pk,pkyx->pyx", masks[image, anchor], prototypes[image])
    side = prototypes.shape[-1]
    inside = cells_of(truth[:, 1], truth[:, 3], side)[:, :, None] & cells_of(truth[:, 0], truth[:, 2], side)[:, None]
    target = (instances[image] == (owner + 1)[:, None, None]).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * inside
    return (loss.sum((1, 2)) / inside.sum((1, 2))).sum() / max(1, len(image))


def loss_of(box, cls, points, strides, truths, kinds, real, segments=None):
    bins = box.view(*box.shape[:2], 4, BINS)
    distance = bins.softmax(-1) @ torch.arange(BINS, dtype=box.dtype)
    boxes = torch.cat([points - distance[..., :2] * strides, points + distance[..., 2:] * strides], -1)
    owner, target = assign(cls.detach(), boxes.detach(), points, truths, kinds, real)
    total = target.sum().clamp(min=1)
    positive = target > 0
    kind = kinds.gather(1, owner)
    parts = {"cls": (F.softplus(cls).sum() - (cls.gather(2, kind[..., None])[..., 0] * target).sum()) / total}
    b, a = positive.nonzero(as_tuple=True)
    weight, truth = target[b, a], truths[b, owner[b, a]]
    parts["box"] = (weight * (1 - ciou_of(boxes[b, a], truth))).sum() / total
    d = torch.cat([points[a] - truth[:, :2], truth[:, 2:] - points[a]], -1) / strides[a]
    d = d.clamp(0, BINS - 1 - 0.01)
    low = d.long()
    high_part = d - low
    log_p = bins[b, a].log_softmax(-1)
    cross = -(log_p.gather(2, low[..., None])[..., 0] * (1 - high_part)) - log_p.gather(2, low[..., None] + 1)[..., 0] * high_part
    parts["dfl"] = (weight * cross.mean(-1)).sum() / total
    if segments:
        masks, prototypes, instances = segments
        parts["mask"] = mask_loss(masks, prototypes, instances, b, a, owner[b, a], truth)
    parts["total"] = sum(GAINS[k] * parts[k] for k in GAINS if k in parts)
    return parts


def padded(boxes, first, dtype):
    """Rows (class, x0, y0, x1, y1) of all images to [B, M, ..]."""
    images, most = len(first) - 1, max(1, max(b - a for a, b in zip(first, first[1:])))
    truths, kinds = torch.zeros(images, most, 4, dtype=dtype), torch.zeros(images, most, dtype=torch.long)
    real = torch.zeros(images, most, dtype=torch.bool)
    for i in range(images):
        n = first[i + 1] - first[i]
        rows = boxes[first[i] : first[i + 1]]
        kinds[i, :n], truths[i, :n], real[i, :n] = rows[:, 0].long(), rows[:, 1:].to(dtype), True
    return truths, kinds, real


# ---- check


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


def ours_of(name, tensor):
    """A tensor of the twin as the engine names it."""
    if ".both." not in name:
        return [(name, tensor)]
    half = tensor.shape[0] // 2
    return [(name.replace(".both.", ".around."), tensor[:half]), (name.replace(".both.", ".into."), tensor[half:])]


def load(net, records):
    state = net.state_dict()
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            parts = [records["init/" + n] for n, _ in ours_of(name, tensor)]
            state[name] = torch.cat(parts).view(tensor.shape).to(tensor.dtype)
    net.load_state_dict(state)


def one_step(model, size, records, dtype):
    """Loss parts and gradients as the engine names them."""
    task, scale = model.split("-")
    first = [int(v) for v in records["first"]]
    images, classes = len(first) - 1, int(records["classes"])
    x = records["x"].view(images, 3, size, size).to(dtype)
    net = {"detect": Detector, "segment": Segmenter, "semseg": Semantic}[task](scale, classes).to(dtype).train()
    load(net, records)
    if task == "semseg":
        logits = F.interpolate(net(x), scale_factor=4.0, mode="nearest")
        labels = records["labels"].view(images, size, size).long()
        parts = {"total": F.cross_entropy(logits, labels, ignore_index=255)}
    else:
        truth = padded(records["boxes"].view(-1, 5), first, dtype)
        box, cls, *rest = net(x)
        if rest:
            rest.append(records["instances"].view(images, size // 4, size // 4).long())
        parts = loss_of(box, cls, *anchors_of(size, dtype), *truth, rest)
    parts["total"].backward()
    return parts, {n: g for k, p in net.named_parameters() for n, g in ours_of(k, p.grad.double())}


def engine_step(model, size, *how):
    with tempfile.TemporaryDirectory(prefix="detect-twin-") as folder:
        out = os.path.join(folder, "out")
        subprocess.run(["make", "-s", "build/bench/detect/twin"], check=True)
        subprocess.run(["build/bench/detect/twin", out, model, str(size), *how], check=True)
        return read(out)


def check(model, size, *how):
    records = engine_step(model, size, *how)
    parts, exact = one_step(model, size, records, torch.float64)
    _, single = one_step(model, size, records, torch.float32)
    name = " ".join([model, str(size), *(how or ["winograd"])])
    for k, ours in zip(("total", "box", "cls", "dfl", "mask"), records["loss"]):
        if k in parts:
            print(f"{name} loss {k:5} {parts[k].item():12.7f}  engine differs by {abs(ours.item() / parts[k].item() - 1):.1e}")
    engine = {n: records["grad/" + n].double().view(g.shape) for n, g in exact.items()}
    flat = lambda g: torch.cat([g[n].flatten() for n in sorted(exact)])
    far = lambda a, b: ((a - b).norm() / b.norm()).item()
    worst = max((far(engine[n], g), n) for n, g in exact.items())
    ours, theirs = far(flat(engine), flat(exact)), far(flat(single), flat(exact))
    print(f"{name} gradients: relative L2 {ours:.1e} (PyTorch float32 {theirs:.1e}); worst tensor {worst[0]:.1e} {worst[1]}")
    # Batch norm over few samples amplifies rounding: beyond the tiny forms PyTorch's own distance is the measure.
    return ours < (1e-5 if how and model.endswith("-tiny") else max(1e-5, 3 * theirs))


# ---- speed


def train(steps, size=320, batch=8, classes=80):
    torch.set_num_threads(2)
    torch.manual_seed(1)
    net = Detector("n", classes).train().to(memory_format=torch.channels_last)
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True, foreach=True)
    x = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    points, strides = anchors_of(size, torch.float32)
    low = torch.rand(batch * 10, 2) * size * 0.7
    rows = torch.cat([torch.randint(classes, (batch * 10, 1)), low, low + size * (0.05 + 0.25 * torch.rand(batch * 10, 2))], 1)
    truth = padded(rows, list(range(0, batch * 10 + 1, 10)), torch.float32)
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        parts = loss_of(*net(x), points, strides, *truth)
        opt.zero_grad(set_to_none=True)
        parts["total"].backward()
        opt.step()
        parts["total"].item()
        times.append(time.perf_counter() - start)
    times = sorted(times[2:])
    median = times[len(times) // 2]
    print(f"train_detect_n_f32 {batch / median:.1f} images/s (median of {len(times)} steps, {1000 * median:.0f} ms; best {1000 * times[0]:.0f} ms)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train(int(sys.argv[2]) if len(sys.argv) > 2 else 30)
    elif sys.argv[1:2] == ["check"]:
        cases = [(sys.argv[2], int(sys.argv[3]))] if len(sys.argv) > 3 else CASES
        sys.exit(not all([check(*c, *how) for c in cases for how in (["sums"], [])]))
    else:
        sys.exit(__doc__)
