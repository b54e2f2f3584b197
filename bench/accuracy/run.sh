#!/usr/bin/env bash
# Compares the validation accuracy of a classifier of ours with that of its twin in PyTorch: the same data,
# net, schedule and augmentation, SEEDS seeds each, the best epoch of EPOCHS.  MODEL=detect-n compares mAP50 on
# blood cells with the same-size detector of the best-known library, as it is by default (detector_peer.py),
# both from random weights at 320x320.  Ours goes the way of a
# user: a server, `dataset import`, `train --wait`.  Status 1 if our mean is more than POINTS
# (1.5) below.  On two cores it takes hours; results go to build/accuracy/*.json and are kept, so a run that
# was stopped goes on (delete them to begin again).
#
# The weights of ours do not depend on THREADS; two runs of one thread each, side by side, keep two cores as busy as
# one run of two.
#
# A net that LEARNING_RATE drives to a chaotic start, as 0.05 does EfficientNet-B0 and ResNet-50 (whose default is 0.01),
# differs by points from seed to seed on both sides; a lower rate compares more with as many seeds.
#
#   bench/accuracy/run.sh [ours|torch|both]      SEEDS="1 2 3" EPOCHS=15 THREADS=2 MODEL=resnet18
#                                               LEARNING_RATE=.. POINTS=1.5 ZIP=... PYTHON=...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
what=${1:-both}
seeds=${SEEDS:-1 2 3}
epochs=${EPOCHS:-15}
model=${MODEL:-resnet18}
threads=${THREADS:-$(nproc)}
rate=${LEARNING_RATE:-}
case $model in
    detect-*) data_default=bccd-voc peer=detector_peer.py ;;
    *) data_default=cifar10-small peer=torch_twin.py ;;
esac
zip=$(realpath "${ZIP:-$root/../shared/data/$data_default.zip}")
anneal=${ANNEAL:-$root/build/anneal}
out=$root/build/accuracy
run=$epochs${rate:+-lr$rate} # in the names of results
mkdir -p "$out"
[ -z "$rate" ] || [ $peer = torch_twin.py ] || { echo "bench/accuracy: LEARNING_RATE is for classifiers; the detector's peer has its own"; exit 2; }
[ -f "$zip" ] || { echo "bench/accuracy: $zip is not there; set ZIP"; exit 2; }

has_torch() { "$1" -c 'import torch, torchvision, PIL, numpy' >/dev/null 2>&1; }

# Debian's PyTorch where there is one (the release that our other measurements name), else pip's, in
# build/peers.
find_python() {
    local p
    for p in "${PYTHON:-python3}" /usr/bin/python3 "$root/build/peers/python/bin/python"; do
        has_torch "$p" && { echo "$p"; return; }
    done
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get install -y --no-install-recommends python3-torch python3-torchvision python3-pil python3-numpy >&2 || true
        has_torch /usr/bin/python3 && { echo /usr/bin/python3; return; }
    fi
    python3 -m venv "$root/build/peers/python" >&2
    "$root/build/peers/python/bin/pip" install -q torch torchvision pillow numpy >&2
    echo "$root/build/peers/python/bin/python"
}

# A Python of its own: the library brings its own release of everything.
find_yolo() {
    local python=${PYTHON:-$root/build/peers/yolo/bin/python}
    "$python" -c 'import ultralytics' >/dev/null 2>&1 || {
        python3 -m venv "$root/build/peers/yolo" >&2
        "$root/build/peers/yolo/bin/pip" install -q ultralytics >&2
        python=$root/build/peers/yolo/bin/python
    }
    echo "$python"
}

run_peer() { # SEED: its last line is the result
    if [ $peer = detector_peer.py ]; then
        "$python" "$here/$peer" "$zip" --seed "$1" --epochs "$epochs" --threads "$threads" --work "$out/peer-$1"
        rm -rf "$out/peer-$1"
    else
        "$python" "$here/$peer" "$zip" --model "$model" --seed "$1" --epochs "$epochs" --threads "$threads" \
            ${rate:+--learning-rate "$rate"}
    fi
}

run_torch() {
    local python seed
    case $peer in detector_peer.py) python=$(find_yolo) ;; *) python=$(find_python) ;; esac
    for seed in $seeds; do
        [ -s "$out/$model-torch-$run-$seed.json" ] && continue
        run_peer "$seed" | tail -n 1 > "$out/$model-torch-$seed.tmp"
        mv "$out/$model-torch-$seed.tmp" "$out/$model-torch-$run-$seed.json"
    done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

run_ours() {
    local data port store pid seed
    data=$(mktemp -d "${TMPDIR:-/tmp}/anneal-accuracy-XXXXXX")
    port=$(free_port) store=$(free_port)
    "$anneal" serve --data "$data" --listen "127.0.0.1:$port" --store-listen "127.0.0.1:$store" \
        > "$out/serve-$model-$$.log" 2>&1 &
    pid=$!
    # shellcheck disable=SC2064
    trap "kill $pid 2>/dev/null; wait $pid 2>/dev/null; rm -rf '$data'" EXIT
    export ANNEAL_URL="http://127.0.0.1:$port" ANNEAL_DATA="$data"
    for _ in $(seq 100); do
        curl -fs "$ANNEAL_URL/health" >/dev/null && break
        kill -0 "$pid" 2>/dev/null || { echo "bench/accuracy: the server ended:"; cat "$out/serve-$model-$$.log"; exit 2; }
        sleep 0.1
    done
    "$anneal" dataset import "$zip" --name $data_default --json | tail -n 1
    for seed in $seeds; do
        [ -s "$out/$model-ours-$run-$seed.json" ] && continue
        "$anneal" train --dataset $data_default --model "$model" --epochs "$epochs" --seed "$seed" --threads "$threads" \
            ${rate:+--learning-rate "$rate"} --wait --json | tail -n 1 > "$out/$model-ours-$seed.tmp"
        mv "$out/$model-ours-$seed.tmp" "$out/$model-ours-$run-$seed.json"
    done
}

[ "$what" = torch ] || run_ours
[ "$what" = ours ] || run_torch
python3 - "$out/$model" "$run" "$seeds" "${POINTS:-1.5}" <<'PYTHON'
import json, os, sys
out, run, seeds, points = sys.argv[1], sys.argv[2], sys.argv[3].split(), float(sys.argv[4])
def read(kind, seed):
    path = f"{out}-{kind}-{run}-{seed}.json"
    if not os.path.exists(path):
        return None
    found = json.load(open(path))
    return found["best"]["value"] if kind == "ours" else found["best"]
values = {kind: [read(kind, s) for s in seeds] for kind in ("ours", "torch")}
print("seed      ours     torch")
for i, s in enumerate(seeds):
    print(f"{s:>4}", *(f"{values[k][i]:9.4f}" if values[k][i] is not None else "        -" for k in values))
if any(v is None for vs in values.values() for v in vs):
    sys.exit("some runs are missing")
mean = {k: sum(v) / len(v) for k, v in values.items()}
difference = 100 * (mean["ours"] - mean["torch"])
print(f"mean {mean['ours']:9.4f} {mean['torch']:9.4f}   difference {difference:+.2f} points")
sys.exit(0 if difference >= -points else 1)
PYTHON
