#!/usr/bin/env python3
"""Weights that Anneal wrote, in PyTorch's own MobileNetV2, as the ONNX file that the peer loads.

    export.py WEIGHTS.safetensors OUT.onnx
"""
import json
import struct
import sys

import torch
import torchvision

raw = open(sys.argv[1], "rb").read()
length = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8 : 8 + length])
meta = header.pop("__metadata__")
size, classes = int(meta["image_size"]), len(json.loads(meta["classes"]))
state = {}
for name, t in header.items():
    at, end = t["data_offsets"]
    data = bytearray(raw[8 + length + at : 8 + length + end])
    state[name] = torch.frombuffer(data, dtype=torch.float32).reshape(t["shape"])
net = torchvision.models.mobilenet_v2(num_classes=classes)
missing, unexpected = net.load_state_dict(state, strict=False)
assert not unexpected and all(m.endswith("num_batches_tracked") for m in missing), (missing, unexpected)
net.eval()  # the exporter folds batch norm into the convolutions
torch.onnx.export(net, torch.zeros(1, 3, size, size), sys.argv[2], opset_version=14,
                  input_names=["x"], output_names=["logits"])
