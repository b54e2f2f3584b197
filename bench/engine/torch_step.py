"""The peer's side of `make bench-engine`: the same row in PyTorch, a step at a time, when told to.

    torch_step.py --row train_resnet18_f32 --mode channels_last [--threads 2] [--pictures DIR]

Speaks as step.c does.  Modes: channels_last (eager; training adds SGD with foreach), jit
(optimize_for_inference), compile (torch.compile), onnxruntime (--onnx FILE).
"""
import argparse
import glob
import os
import resource
import sys
import time

ROWS = {  # model, size, batch, classes, training
    "train_resnet18_f32": ("resnet18", 32, 128, 10, True),
    "train_detect_n_f32": ("detect-n", 320, 8, 80, True),
    "train_detect_n_bf16": ("detect-n", 320, 8, 80, True),
    "train_mobilenetv2_f32": ("mobilenetv2", 96, 64, 10, True),
    "infer_resnet18_b1": ("resnet18", 32, 1, 10, False),
    "infer_resnet18_b8": ("resnet18", 32, 8, 10, False),
    "infer_detect_n_b1": ("detect-n", 320, 1, 80, False),
    "infer_detect_n_b8": ("detect-n", 320, 8, 80, False),
    "first_step": ("detect-n", 320, 1, 80, True),
}
BOXES = 6


def boxes_of(size, batch, classes):
    """[image, class, x0, y0, x1, y1] of every box; the same as in step.c."""
    rows = []
    for i in range(batch * BOXES):
        side = 24 + 17 * (i % 7)
        x, y = (size - side) * (i * 37 % 101) / 100, (size - side) * (i * 53 % 97) / 96
        rows.append((i // BOXES, i % classes, x, y, x + side, y + side * 0.8))
    return rows


def bench(folder):
    """Modules of bench/ and its folders can be imported."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder))


def classifier(name, classes):
    bench("")
    from nets import build

    return build(name, "large" if name == "mobilenetv2" else "small", classes)


def detector():
    bench("detect")
    import torch_twin

    return torch_twin


def trainer(torch, row, size, batch, classes):
    name, bf16 = ROWS[row][0], row.endswith("_bf16")
    x = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    if name == "detect-n":
        twin = detector()
        net = twin.Detector("n", classes)
        points, strides = twin.anchors_of(size, torch.float32)
        rows = torch.tensor(boxes_of(size, batch, classes))[:, 1:]
        truth = twin.padded(rows, range(0, batch * BOXES + 1, BOXES), torch.float32)
        loss_of = lambda out: twin.loss_of(*(o.float() for o in out), points, strides, *truth)["total"]
    else:
        net = classifier(name, classes)
        target = torch.arange(batch) % classes
        loss_of = lambda out: torch.nn.functional.cross_entropy(out, target)
    net = net.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, nesterov=True,
                                weight_decay=5e-4, foreach=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            out = net(x)
        loss_of(out).backward()
        optimizer.step()

    return step


def inference(torch, row, mode, size, batch, classes, onnx):
    x = torch.randn(batch, 3, size, size)
    if mode == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        name, data = session.get_inputs()[0].name, x.numpy()
        return lambda: session.run(None, {name: data})
    name = ROWS[row][0]
    net = detector().Detector("n", classes) if name == "detect-n" else classifier(
        name, classes)
    net = net.eval().to(memory_format=torch.channels_last)
    x = x.contiguous(memory_format=torch.channels_last)
    if mode == "jit":
        with torch.no_grad():
            net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))
    elif mode == "compile":
        net = torch.compile(net)

    def step():
        with torch.inference_mode():
            net(x)

    return step


def jpegs(torch, folder, threads):
    """The shorter side to 256, the centre's 224 as normalised floats, as torchvision's transforms do; a
    pool of threads (decoding releases the interpreter's lock), which was faster than processes."""
    from concurrent.futures import ThreadPoolExecutor

    import torchvision
    from torchvision.io import ImageReadMode, decode_jpeg
    from torchvision.transforms.v2 import functional as F

    files = [torch.frombuffer(bytearray(open(f, "rb").read()), dtype=torch.uint8)
             for f in sorted(glob.glob(folder + "/*.jpg"))]
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(threads)

    def one(data):
        picture = F.resize(decode_jpeg(data, mode=ImageReadMode.RGB), [256], antialias=True)
        picture = F.center_crop(picture, [224, 224]).float() / 255
        return F.normalize(picture, [0.0, 0.0, 0.0], [0.229, 0.224, 0.225])

    return lambda: list(pool.map(one, files))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--row", required=True)
    p.add_argument("--mode", default="channels_last")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--pictures")
    p.add_argument("--onnx")
    a = p.parse_args()
    import torch

    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    if a.row == "jpeg_224":
        step = jpegs(torch, a.pictures, a.threads)
    else:
        _, size, batch, classes, training = ROWS[a.row]
        step = trainer(torch, a.row, size, batch, classes) if training else inference(
            torch, a.row, a.mode, size, batch, classes, a.onnx)
    for _ in sys.stdin:
        began = time.perf_counter()
        step()
        print("T %.9f" % (time.perf_counter() - began), flush=True)
    print("R %.1f" % (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


if __name__ == "__main__":
    main()
