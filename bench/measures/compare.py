#!/usr/bin/env python3
"""Holds engine/measure against COCO's own evaluator over random cases, and times both.

    bench/measures/run [--cases 400] [--seed 1] [--speed-images 5000]      makes what this needs
    compare.py --golden DIR        writes the small cases that the unit tests read

The cases have what goes wrong in practice: crowds, areas on the edges of the size ranges, equal
scores, equal overlaps, overlaps on a threshold, pictures without objects, classes without objects,
over 100 detections in a picture, polygons that leave the picture, double vertices, several parts.
Every AP, recall and precision (10 IoUs x classes x 4 sizes x 101) is compared, not the means alone.
The last line is JSON; the status is 1 if a difference passes 1e-9.
"""
import argparse
import contextlib
import io
import json
import os
import random
import subprocess
import sys
import time

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

LIMIT = 1e-9


class Driver:
    def __init__(self, path):
        self.p = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, command):
        self.p.stdin.write(json.dumps(command).encode() + b"\n")

    def ask(self, command):
        self.tell(command)
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        if not line:
            sys.exit("compare.py: the driver ended; the command was %s" % str(command)[:2000])
        return json.loads(line)

    def close(self):
        self.p.stdin.close()
        return self.p.wait()


# ---- random things
def some_box(r, side):
    kind = r.random()
    if kind < .25:  # sides that land on the edges of the size ranges
        w = h = r.choice([31, 32, 33, 95, 96, 97])
    elif kind < .35:
        w, h = r.choice([(16, 64), (64, 16), (48, 192), (1024, 1), (0, 10), (1, 1)])
    elif kind < .7:
        w, h = r.randint(1, 12) * 8, r.randint(1, 12) * 8
    else:
        w, h = r.uniform(.5, side), r.uniform(.5, side)
    if r.random() < .6:
        return [float(r.randint(0, 10) * 8), float(r.randint(0, 10) * 8), float(w), float(h)]
    return [r.uniform(-5, side), r.uniform(-5, side), float(w), float(h)]


def near_box(r, box):
    x, y, w, h = box
    if r.random() < .3:  # overlaps of exactly .5, .75, ..
        return [x, y, w * r.choice([.5, .55, .6, .65, .7, .75, .8, .85, .9, .95, 1]), h]
    s = r.choice([.02, .1, .3])
    return [x + r.gauss(0, s) * w, y + r.gauss(0, s) * h, w * (1 + abs(r.gauss(0, s))),
            h * (1 + abs(r.gauss(0, s)))]


def some_polygon(r, w, h):
    n = r.choice([3, 3, 4, 5, 8, 20])
    far = r.random() < .2
    xy = []
    for _ in range(n):
        x = r.uniform(-w, 2 * w) if far else r.uniform(0, w)
        y = r.uniform(-h, 2 * h) if far else r.uniform(0, h)
        kind = r.random()
        if kind < .3:
            x, y = float(round(x)), float(round(y))
        elif kind < .5:
            x, y = round(x * 5) / 5 + .1, round(y * 10) / 10
        xy += [x, y]
        if r.random() < .1:
            xy += [x, y]
        if r.random() < .1:
            xy += [x, r.uniform(0, h)]
    return xy


def around(r, box, n=None):
    x, y, w, h = box
    n = n or r.choice([4, 6, 12])
    xy = []
    for i in range(n):
        a = 2 * np.pi * i / n
        k = r.uniform(.7, 1)
        xy += [x + w / 2 + k * w / 2 * float(np.cos(a)), y + h / 2 + k * h / 2 * float(np.sin(a))]
    return xy


def some_score(r, few):
    return r.choice([.1, .3, .5, .5, .9]) if few else r.random()


def random_case(r, kind, small=False):
    """A list of pictures: (h, w, truths, detections), with masks as polygons or counts."""
    classes = r.choice([1, 2, 3, 5])
    pictures = []
    few = r.random() < .5
    many = r.random() < .1 and not small
    for _ in range(r.choice([1, 2, 5]) if small else r.choice([1, 3, 8, 20])):
        h, w = r.randint(40, 140), r.randint(40, 140)
        truths, detections = [], []
        for _ in range(0 if r.random() < .2 else r.randint(0, 4 if small else 9)):
            box = some_box(r, 120)
            t = {"cls": r.randrange(max(1, classes - 1)), "crowd": r.random() < .15, "box": box}
            t["area"] = r.choice([box[2] * box[3], box[2] * box[3] * .7, 1024., 9216., 1023., 1e10])
            if kind == "masks":
                t["mask"] = {"polygons": [around(r, box) for _ in range(r.choice([1, 1, 2]))]}
            truths.append(t)
        for t in truths:
            for _ in range(r.choice([0, 1, 1, 2, 3])):
                d = {"cls": t["cls"] if r.random() < .9 else r.randrange(classes),
                     "score": some_score(r, few), "box": near_box(r, t["box"])}
                detections.append(d)
        for _ in range(130 if many else r.choice([0, 1, 5])):
            detections.append({"cls": 0 if many else r.randrange(classes),
                               "score": some_score(r, few), "box": some_box(r, 120)})
        r.shuffle(detections)
        if kind == "masks":
            for d in detections:
                d["mask"] = counts_of([around(r, d["box"])], h, w)
        pictures.append({"h": h, "w": w, "truths": truths, "detections": detections})
    return {"kind": kind, "classes": classes, "classless": r.random() < .1, "pictures": pictures}


def peer_mask(polygons, h, w):
    return coco_mask.merge(coco_mask.frPyObjects(polygons, h, w))


def counts_of(polygons, h, w):
    return peer_mask(polygons, h, w)["counts"].decode()


# ---- the peer
def coco_of(annotations, pictures, classes):
    c = COCO()
    c.dataset = {"images": [{"id": i + 1, "height": p["h"], "width": p["w"]}
                            for i, p in enumerate(pictures)],
                 "categories": [{"id": k + 1} for k in range(classes)],
                 "annotations": annotations}
    c.createIndex()
    return c


def peer_evaluate(case):
    truths, detections = [], []
    masks = case["kind"] == "masks"
    for i, p in enumerate(case["pictures"]):
        for t in p["truths"]:
            a = {"id": len(truths) + 1, "image_id": i + 1, "category_id": t["cls"] + 1,
                 "iscrowd": int(t["crowd"]), "bbox": t["box"], "area": t["area"]}
            if masks:
                a["segmentation"] = t["mask"]["polygons"]
            truths.append(a)
        for d in p["detections"]:
            a = {"id": len(detections) + 1, "image_id": i + 1, "category_id": d["cls"] + 1,
                 "iscrowd": 0, "bbox": d["box"], "score": d["score"]}
            if masks:
                a["segmentation"] = {"size": [p["h"], p["w"]], "counts": d["mask"].encode()}
                a["area"] = int(coco_mask.area(a["segmentation"]))
            else:
                a["area"] = d["box"][2] * d["box"][3]
            detections.append(a)
    with contextlib.redirect_stdout(io.StringIO()):
        e = COCOeval(coco_of(truths, case["pictures"], case["classes"]),
                     coco_of(detections, case["pictures"], case["classes"]),
                     "segm" if masks else "bbox")
        e.params.useCats = 0 if case["classless"] else 1
        start = time.process_time()
        e.evaluate()
        e.accumulate()
        e.summarize()
        seconds = time.process_time() - start
    return e, seconds


def peer_numbers(e):
    """summary, cells as the driver prints them."""
    precision, recall = e.eval["precision"], e.eval["recall"]
    cells = []
    t_n, _, k_n, a_n, _ = precision.shape
    for t in range(t_n):
        for k in range(k_n):
            for a in range(a_n):
                q = precision[t, :, k, a, 2]
                cells.append([float(q.mean())] + recall[t, k, a].tolist() + q.tolist())
    return e.stats.tolist(), cells


# ---- comparing
def ours_evaluate(driver, case, confusion=None):
    driver.tell({"new": {k: case[k] for k in ("kind", "classes", "classless")}})
    if confusion:
        driver.tell({"confusion": confusion})
    for p in case["pictures"]:
        driver.tell({"image": p})
    return driver.ask({"finish": True})


def worst(a, b):
    return float(np.max(np.abs(np.asarray(a, float) - np.asarray(b, float)))) if len(a) else 0.


def compare_case(driver, case):
    e, _ = peer_evaluate(case)
    summary, cells = peer_numbers(e)
    ours = ours_evaluate(driver, case)
    assert len(cells) == len(ours["cells"])
    return max(worst(summary, ours["summary"]), worst(cells, ours["cells"]))


def mask_case(r):
    h, w = r.choice([(1, 1), (1, 50), (50, 1), (r.randint(2, 90), r.randint(2, 90))])
    masks = []
    for _ in range(r.randint(1, 4)):
        kind = r.random()
        if kind < .6:
            masks.append({"polygons": [some_polygon(r, w, h) for _ in range(r.choice([1, 1, 3]))]})
        elif kind < .7:
            masks.append({"box": [r.uniform(-5, w), r.uniform(-5, h), r.uniform(0, w),
                                  r.uniform(0, h)]})
        else:
            bits = np.asarray([[r.random() < .5 for _ in range(w)] for _ in range(h)], np.uint8)
            if r.random() < .1:
                bits[:] = r.choice([0, 1])
            masks.append(coco_mask.encode(np.asfortranarray(bits))["counts"].decode())
    return {"h": h, "w": w, "masks": masks, "crowd": r.random() < .3}


def peer_masks(c):
    h, w = c["h"], c["w"]
    m = []
    for x in c["masks"]:
        if isinstance(x, str):
            m.append({"size": [h, w], "counts": x.encode()})
        elif "box" in x:
            m.append(coco_mask.frPyObjects(np.asarray([x["box"]]), h, w)[0])
        else:
            m.append(peer_mask(x["polygons"], h, w))
    iou = coco_mask.iou([m[0]], m, [int(c["crowd"])] * len(m))[0]
    rows = [[x["counts"].decode(), int(coco_mask.area(x))] + coco_mask.toBbox(x).tolist() +
            [float(iou[i])] for i, x in enumerate(m)]
    return {"masks": rows, "union": coco_mask.merge(m)["counts"].decode(),
            "intersection": coco_mask.merge(m, intersect=1)["counts"].decode()}


def compare_masks(driver, c):
    """0, or the difference of IoUs; texts, areas and boxes must be equal."""
    peer, ours = peer_masks(c), driver.ask({"rle": c})
    same = [p[:6] for p in peer["masks"]] == [o[:6] for o in ours["masks"]]
    if not same or peer["union"] != ours["union"] or \
            peer["intersection"] != ours["intersection"]:
        print("masks differ:", json.dumps(c), "\n", peer, "\n", ours)
        return 1.
    return worst([p[6] for p in peer["masks"]], [o[6] for o in ours["masks"]])


# ---- curves, confusion, labels: the definitions in a few lines of numpy
def box_iou(d, t, crowd):
    w = min(d[0] + d[2], t[0] + t[2]) - max(d[0], t[0])
    h = min(d[1] + d[3], t[1] + t[3]) - max(d[1], t[1])
    if w <= 0 or h <= 0:
        return 0.
    return w * h / (d[2] * d[3] if crowd else d[2] * d[3] + t[2] * t[3] - w * h)


def plain_confusion(case, confidence, iou):
    n = case["classes"]
    cells = np.zeros((n + 1, n + 1), int)
    for p in case["pictures"]:
        ds = [d for d in p["detections"] if d["score"] >= confidence]
        ts = [t for t in p["truths"] if not t["crowd"]]
        pairs = sorted((-box_iou(d["box"], t["box"], False), i, j) for i, d in enumerate(ds)
                       for j, t in enumerate(ts) if box_iou(d["box"], t["box"], False) >= iou)
        dets, truths = {}, {}
        for _, i, j in pairs:
            if i not in dets and j not in truths:
                dets[i], truths[j] = j, i
                cells[ts[j]["cls"], ds[i]["cls"]] += 1
        for j, t in enumerate(ts):
            cells[t["cls"], n] += j not in truths
        for i, d in enumerate(ds):
            crowd = any(t["crowd"] and t["cls"] == d["cls"] and
                        box_iou(d["box"], t["box"], True) >= iou for t in p["truths"])
            cells[n, d["cls"]] += i not in dets and not crowd
    return cells.ravel().tolist()


def plain_curves(e, t):
    """From the peer's own matches: [precision, recall, f1] for all and for each class."""
    grid = np.arange(1001) / 1000
    out = []
    for k in range(len(e.params.catIds)):
        rows = [x for x in e.evalImgs[k * 4 * len(e.params.imgIds):][:len(e.params.imgIds)] if x]
        n = sum(int((np.asarray(x["gtIgnore"]) == 0).sum()) for x in rows)
        if not n:
            out.append(None)
            continue
        s = np.concatenate([np.asarray(x["dtScores"], float) for x in rows])
        hit = np.concatenate([x["dtMatches"][t] > 0 for x in rows])
        skip = np.concatenate([x["dtIgnore"][t].astype(bool) for x in rows])
        keep = (s[None, :] >= grid[:, None]) & ~skip[None, :]
        tp, kept = (keep & hit[None, :]).sum(1), keep.sum(1)
        out.append([np.where(kept, tp / np.maximum(kept, 1), 1.), tp / n, 2 * tp / (kept + n)])
    some = [o for o in out if o is not None]
    all_ = np.mean(some, axis=0) if some else np.zeros((3, 1001))
    return [all_] + [np.zeros((3, 1001)) if o is None else np.asarray(o) for o in out]


def compare_curves(driver, r):
    case = random_case(r, "boxes")
    case["classless"] = False
    confidence, iou = r.choice([0, .25, .5]), r.choice([.3, .45, .5])
    ours = ours_evaluate(driver, case, {"confidence": confidence, "iou": iou})
    if ours["confusion"] != plain_confusion(case, confidence, iou):
        print("confusion differs:", json.dumps(case))
        return 1.
    e, _ = peer_evaluate(case)
    got = driver.ask({"curves": .5})["curves"]
    want = plain_curves(e, 0)
    diff = max(worst(np.asarray(g[:3]), w) for g, w in zip(got, want))
    best = got[0][3]
    f1 = np.asarray(got[0][2])
    diff = max(diff, abs(best[1] - f1.max()), abs(f1[round(best[0] * 1000)] - best[1]))
    return diff


def compare_labels(driver, r):
    n = r.choice([1, 2, 5, 21])
    rng = np.random.default_rng(r.randrange(1 << 30))
    size = r.choice([1, 10, 2000])
    t = rng.integers(0, n, size)
    p = np.where(rng.random(size) < .6, t, rng.integers(0, n, size))
    t = np.where(rng.random(size) < .1, 255, t)
    got = driver.ask({"semantic": {"classes": n, "truth": t.tolist(), "predicted": p.tolist()}})
    ok = t != 255
    c = np.zeros((n, n))
    np.add.at(c, (t[ok], p[ok]), 1)
    tp, truth, pred = np.diag(c), c.sum(1), c.sum(0)
    with np.errstate(all="ignore"):
        iou, dice, acc = tp / (truth + pred - tp), 2 * tp / (truth + pred), tp / truth
        want = [tp.sum() / c.sum(), np.nanmean(acc) if truth.any() else np.nan,
                np.nanmean(iou) if c.any() else np.nan,
                np.nansum(truth * iou) / c.sum(), np.nanmean(dice) if c.any() else np.nan]
    want += [x for pair in zip(iou, dice) for x in pair]
    return worst(np.nan_to_num(want, nan=-1), got["semantic"])


# ---- speed
def speed_case(seed, images, kind):
    """As COCO's validation set: 80 classes, 7 objects and 40 detections a picture."""
    r = random.Random(seed)
    pictures = []
    for _ in range(images):
        classes = r.sample(range(80), r.randint(1, 5))
        truths, detections = [], []
        for _ in range(r.randint(0, 14)):
            box = [r.uniform(0, 500), r.uniform(0, 400), r.lognormvariate(4, 1),
                   r.lognormvariate(4, 1)]
            t = {"cls": r.choice(classes), "crowd": r.random() < .01, "box": box,
                 "area": box[2] * box[3]}
            if kind == "masks":
                t["mask"] = {"polygons": [around(r, box, 12)]}
            truths.append(t)
        for i in range(40):
            near = truths and i < 2 * len(truths)
            t = r.choice(truths) if near else None
            d = {"cls": t["cls"] if near and r.random() < .8 else r.randrange(80),
                 "score": r.random(), "box": near_box(r, t["box"]) if near else
                 [r.uniform(0, 500), r.uniform(0, 400), r.uniform(8, 200), r.uniform(8, 200)]}
            if kind == "masks":
                d["mask"] = counts_of([around(r, d["box"], 12)], 480, 640)
            detections.append(d)
        pictures.append({"h": 480, "w": 640, "truths": truths, "detections": detections})
    return {"kind": kind, "classes": 80, "classless": False, "pictures": pictures}


def speed(driver, images, kind, repeats):
    """Processor time of the evaluation alone, both in turn, medians: what was read is in memory (the
    peer also turns the truths' polygons into masks in its evaluate(), which ours does while reading:
    left out of both)."""
    case = speed_case(7, images, kind)
    if kind == "masks":
        for p in case["pictures"]:
            for t in p["truths"]:
                t["mask"] = counts_of(t["mask"]["polygons"], 480, 640)
    ours, peer = [], []
    for _ in range(repeats):
        got = ours_evaluate(driver, case)
        ours.append(got["seconds"])
        e, seconds = peer_evaluate_counts(case) if kind == "masks" else peer_evaluate(case)
        peer.append(seconds)
    diff = worst(got["summary"], e.stats.tolist())
    return sorted(ours)[repeats // 2], sorted(peer)[repeats // 2], diff


def peer_evaluate_counts(case):
    for p in case["pictures"]:
        for t in p["truths"]:
            t["mask"] = {"polygons": {"size": [p["h"], p["w"]], "counts": t["mask"].encode()}}
    try:
        return peer_evaluate(case)
    finally:
        for p in case["pictures"]:
            for t in p["truths"]:
                t["mask"] = t["mask"]["polygons"]["counts"].decode()


# ---- golden cases
def rounded(x):
    if isinstance(x, float):
        return round(x, 3)
    if isinstance(x, list):
        return [rounded(v) for v in x]
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    return x


def write_golden(folder, seed):
    r = random.Random(seed)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "coco.jsonl"), "w") as f:
        for i in range(32):
            case = rounded(random_case(r, ["boxes", "masks"][i % 2], small=True))
            e, _ = peer_evaluate(case)
            summary, cells = peer_numbers(e)
            case["summary"] = summary
            case["ap"] = [c[0] for c in cells]
            case["recall"] = [c[1:4] for c in cells]
            f.write(json.dumps(case, separators=(",", ":")) + "\n")
    with open(os.path.join(folder, "rle.jsonl"), "w") as f:
        for _ in range(50):
            c = rounded(mask_case(r))
            c["want"] = peer_masks(c)
            f.write(json.dumps(c, separators=(",", ":")) + "\n")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--driver", default="build/bench/measures/driver")
    a.add_argument("--cases", type=int, default=400)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--speed-images", type=int, default=5000)
    a.add_argument("--speed-repeats", type=int, default=3)
    a.add_argument("--golden")
    a = a.parse_args()
    if a.golden:
        return write_golden(a.golden, 20)
    driver = Driver(a.driver)
    result = {"cases": a.cases, "seed": a.seed}
    jobs = {
        "boxes": lambda r: compare_case(driver, random_case(r, "boxes")),
        "masks": lambda r: compare_case(driver, random_case(r, "masks")),
        "rle": lambda r: compare_masks(driver, mask_case(r)),
        "curves": lambda r: compare_curves(driver, r),
        "labels": lambda r: compare_labels(driver, r),
    }
    for name, job in jobs.items():
        diff = 0.
        for i in range(a.cases):
            one = job(random.Random("%s %d %d" % (name, a.seed, i)))
            if one > LIMIT:
                print("%s: case %d of seed %d differs by %g" % (name, i, a.seed, one))
            diff = max(diff, one)
        result[name] = diff
        print("%-7s %d cases, worst difference %.3g" % (name, a.cases, diff), flush=True)
    for kind in ("boxes", "masks"):
        if not a.speed_images:
            break
        images = a.speed_images if kind == "boxes" else a.speed_images // 5
        ours, peer, diff = speed(driver, images, kind, a.speed_repeats)
        result["speed_" + kind] = {"images": images, "ours_s": ours, "peer_s": peer,
                                   "ratio": peer / ours, "difference": diff}
        print("%s of %d pictures: ours %.3f s, peer %.3f s, %.1f times as fast, difference %.2g" %
              (kind, images, ours, peer, peer / ours, diff), flush=True)
    status = driver.close()
    print(json.dumps(result))
    diffs = [result[k] for k in jobs] + [result["speed_" + k]["difference"]
                                         for k in ("boxes", "masks") if a.speed_images]
    return 1 if status or max(diffs) > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
