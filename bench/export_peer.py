#!/usr/bin/env python3
"""Runs the ONNX files that build/bench/export left in DIR under ONNX Runtime and holds the outputs
against the engine's; checks each with onnx.checker.  Both packages are test peers: they lie in
build/peers/onnx, never in the product:

    pip install --target build/peers/onnx onnx onnxruntime
    build/bench/export /tmp/x && bench/export_peer.py /tmp/x
"""
import glob
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "build", "peers", "onnx"))
try:
    import numpy
    import onnx
    import onnxruntime
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed in build/peers/onnx")
    sys.exit(0)


def check(path):
    stem = path[: -len(".onnx")]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    x = numpy.fromfile(stem + ".in", numpy.float32).reshape(-1, *port.shape[1:])
    want = numpy.fromfile(stem + ".out", numpy.float32)
    have = numpy.concatenate([y.reshape(-1) for y in session.run(None, {port.name: x})])
    if have.shape != want.shape:
        return float("inf")
    # Boxes count as parts of the picture's side, as engine/export/export.h measures them.
    unit = numpy.ones_like(want)
    if any(p.key == "boxes" for p in model.metadata_props):
        rows, anchors = session.get_outputs()[0].shape[1:]
        boxes = unit[: len(x) * rows * anchors].reshape(len(x), rows, anchors)
        boxes[:, :4] = port.shape[2]
    have, want = have / unit, want / unit
    return float(numpy.max(numpy.abs(have - want) / numpy.maximum(1, numpy.abs(want))))


def main():
    worst = 0.0
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.onnx"))):
        d = check(path)
        worst = max(worst, d)
        print(f"{os.path.basename(path):28} {d:.1e}")
    print(f"ONNX Runtime {onnxruntime.__version__}, onnx.checker {onnx.__version__}: largest {worst:.1e}")
    return not worst <= 1e-4


sys.exit(main())
