"""The same-size detector of the best-known library (Ultralytics, YOLOv8n) from random weights on a VOC zip.

    detector_peer.py ZIP --epochs N --seed S --batch B --size 320 --threads T --work DIR

Its own defaults in all that is not named; no pretrained weights, nothing downloaded.  The last line is
{"best": mAP50 of the best epoch, "epoch": that epoch, "map": mAP50-95 there}.  Called by
run.sh; Ultralytics is a peer of this measurement (AGPL-3.0) and no part of Anneal.
"""
import argparse
import csv
import json
import os
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

p = argparse.ArgumentParser()
p.add_argument("zip")
p.add_argument("--epochs", type=int, required=True)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--batch", type=int, default=16)
p.add_argument("--size", type=int, default=320)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--work", required=True)
a = p.parse_args()
work = Path(a.work).resolve()
work.mkdir(parents=True, exist_ok=True)
os.environ["YOLO_CONFIG_DIR"] = str(work)
os.environ["YOLO_OFFLINE"] = "true"
os.environ["OMP_NUM_THREADS"] = str(a.threads)


def yolo_folder():
    """The VOC files as that library reads them: pictures in a folder a split, one text file each."""
    out = work / "data"
    with zipfile.ZipFile(a.zip) as z:
        names = z.namelist()
        root = next(n for n in names if n.endswith("ImageSets/")).removesuffix("ImageSets/")
        classes = []
        for split in ("train", "val"):
            (out / "images" / split).mkdir(parents=True, exist_ok=True)
            (out / "labels" / split).mkdir(parents=True, exist_ok=True)
            for name in z.read(f"{root}ImageSets/Main/{split}.txt").decode().split():
                tree = ET.fromstring(z.read(f"{root}Annotations/{name}.xml"))
                w, h = (float(tree.findtext(f"size/{k}")) for k in ("width", "height"))
                lines = []
                for o in tree.iter("object"):
                    if (cls := o.findtext("name")) not in classes:
                        classes.append(cls)
                    x0, y0, x1, y1 = (float(o.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax"))
                    if x1 > x0 and y1 > y0:
                        box = ((x0 + x1) / 2 / w, (y0 + y1) / 2 / h, (x1 - x0) / w, (y1 - y0) / h)
                        lines.append(f"{classes.index(cls)} " + " ".join(f"{v:.6f}" for v in box))
                (out / "images" / split / f"{name}.jpg").write_bytes(z.read(f"{root}JPEGImages/{name}.jpg"))
                (out / "labels" / split / f"{name}.txt").write_text("\n".join(lines) + "\n")
    yaml = out / "data.yaml"
    yaml.write_text(f"path: {out}\ntrain: images/train\nval: images/val\nnames: {json.dumps(classes)}\n")
    return yaml


import torch
from ultralytics import YOLO, settings

torch.set_num_threads(a.threads)
settings.update({"sync": False})
model = YOLO("yolov8n.yaml")
model.train(data=str(yolo_folder()), epochs=a.epochs, imgsz=a.size, batch=a.batch, seed=a.seed, pretrained=False,
            device="cpu", workers=1, plots=False, amp=False, cache="ram", project=str(work), name="run",
            exist_ok=True, verbose=False)
with open(work / "run" / "results.csv") as f:
    rows = [{k.strip(): v for k, v in row.items()} for row in csv.DictReader(f)]
best = max(rows, key=lambda r: float(r["metrics/mAP50(B)"]))
print(json.dumps({"best": float(best["metrics/mAP50(B)"]), "epoch": int(best["epoch"]),
                  "map": float(best["metrics/mAP50-95(B)"])}))
