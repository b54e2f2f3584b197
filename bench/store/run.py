#!/usr/bin/env python3
"""The object store against nginx and the disk, row by row, on this machine, now.

    bench/store/run.py [ROW..]      rows: get_64mb get_1kb put_1kb list memory

Writes build/bench/store.json: row -> {ours, peer, ratio, unit, ..}.  Every row is measured REPEATS times,
ours and its peer in turn, and the median counts: a shared machine is noisy.  Throughput "per core" is bytes
by the processor time that the server's process took (from /proc), which another program's load changes
little; rates per second are of the wall clock, the load generator on the same cores.
"""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOAD = os.path.join(ROOT, "build/bench/store/load")
ANNEAL = os.path.join(ROOT, "build/anneal")
REPEATS = int(os.environ.get("REPEATS", "3"))
SECONDS = int(os.environ.get("SECONDS_EACH", "3"))
LIST_KEYS = int(os.environ.get("LIST_KEYS", "1000000"))
LARGE = 64 << 20
ROWS = ["get_64mb", "get_1kb", "put_1kb", "list", "memory"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process):
    for _ in range(500):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def peak_mb(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0


class Store:
    def __init__(self, folder):
        self.port = free_port()
        env = dict(os.environ, AWS_ACCESS_KEY_ID="bench-key", AWS_SECRET_ACCESS_KEY="bench-secret", AWS_REGION="us-east-1")
        self.process = subprocess.Popen([ANNEAL, "store", "--data", folder, "--listen", f"127.0.0.1:{self.port}", "--log-level", "warning"], env=env)
        self.pid = self.process.pid
        wait_for(self.port, self.process)

    def bucket(self, name):
        env = dict(os.environ, AWS_ACCESS_KEY_ID="bench-key", AWS_SECRET_ACCESS_KEY="bench-secret")
        subprocess.run(["curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-K", "-", "-X", "PUT", f"http://127.0.0.1:{self.port}/{name}"],
                       input='user = "bench-key:bench-secret"\nheader = "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"\n',
                       text=True, check=True, env=env)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Nginx:
    """Debian's nginx over a folder of the same disk: sendfile, keep-alive, no log, one worker for each core."""

    def __init__(self, folder):
        self.port = free_port()
        self.home = os.path.join(folder, "nginx")
        os.makedirs(self.home + "/files")
        config = f"""
daemon off; pid {self.home}/pid; error_log {self.home}/log; worker_processes auto; {'user root;' if os.getuid() == 0 else ''}
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; default_type application/octet-stream;
  client_body_temp_path {self.home}/b; proxy_temp_path {self.home}/p; fastcgi_temp_path {self.home}/f; uwsgi_temp_path {self.home}/u; scgi_temp_path {self.home}/s;
  server {{ listen 127.0.0.1:{self.port}; root {self.home}/files; }} }}
"""
        with open(self.home + "/conf", "w") as f:
            f.write(config)
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([program, "-p", self.home, "-c", self.home + "/conf"], stderr=subprocess.DEVNULL)
        wait_for(self.port, self.process)

    def workers(self):
        out = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout
        return [int(p) for p in out.split()]

    def cpu(self):
        total = 0
        for pid in self.workers():
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def load(mode, port, pid=0, **flags):
    args = [LOAD, mode, "--port", str(port)] + (["--pid", str(pid)] if pid else [])
    for name, value in flags.items():
        args += ["--" + name] + ([] if value is True else [str(value)])
    return json.loads(subprocess.run(args, check=True, capture_output=True, text=True).stdout)


def median(values):
    return statistics.median(values)


def fsync_rate(folder):
    block, path = b"x" * 4096, os.path.join(folder, "fsync")
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    begun, n = time.monotonic(), 0
    while time.monotonic() - begun < 1.0:
        os.write(fd, block)
        os.fsync(fd)
        n += 1
    rate = n / (time.monotonic() - begun)
    os.close(fd)
    os.unlink(path)
    return rate


def row(ours, peer, unit, **more):
    return dict(ours=round(ours, 3), peer=None if peer is None else round(peer, 3),
                ratio=None if not peer else round(ours / peer, 3), unit=unit, **more)


def get_64mb(store, nginx):
    store.bucket("large")
    load("put", store.port, store.pid, bucket="large", keys=4, size=LARGE, connections=1, once=True)
    os.makedirs(nginx.home + "/files/large")
    for i in range(4):
        with open(f"{nginx.home}/files/large/k{i:08}", "wb") as f:
            f.write(os.urandom(1 << 20) * (LARGE >> 20))
    ours, theirs, wall, their_wall = [], [], [], []
    for _ in range(REPEATS):
        r = load("get", store.port, store.pid, bucket="large", keys=4, connections=4, seconds=SECONDS)
        ours.append(r["bytes"] / 1e9 / r["server_cpu_s"])
        wall.append(r["bytes"] / 1e9 / r["seconds"])
        before = nginx.cpu()
        r = load("get", nginx.port, bucket="large", keys=4, connections=4, seconds=SECONDS, plain=True)
        theirs.append(r["bytes"] / 1e9 / max(nginx.cpu() - before, 0.01))
        their_wall.append(r["bytes"] / 1e9 / r["seconds"])
    return row(median(ours), median(theirs), "GB/s per core", goal=">= 0.8 of the peer", wall_gb_s=round(median(wall), 3),
               peer_wall_gb_s=round(median(their_wall), 3), note="ours verifies a checksum over every block that it sends; the peer uses sendfile")


def get_1kb(store, nginx):
    store.bucket("small")
    load("put", store.port, store.pid, bucket="small", keys=10000, once=True)
    os.makedirs(nginx.home + "/files/small")
    for i in range(10000):
        with open(f"{nginx.home}/files/small/k{i:08}", "wb") as f:
            f.write(os.urandom(1024))
    ours, theirs, cpu = [], [], []
    for _ in range(REPEATS):
        r = load("get", store.port, store.pid, bucket="small", keys=10000, seconds=SECONDS)
        ours.append(r["requests"] / r["seconds"])
        cpu.append((r["server_cpu_s"] + r["client_cpu_s"]) / r["requests"])
        r = load("get", nginx.port, bucket="small", keys=10000, seconds=SECONDS, plain=True)
        theirs.append(r["requests"] / r["seconds"])
    return row(median(ours), median(theirs), "GET/s of 1 KB, 64 connections", goal=">= 40000", best=round(max(ours)),
               cpu_us_per_request_with_the_client=round(median(cpu) * 1e6, 1), by_cpu_on_2_cores=round(2 / median(cpu)))


def put_1kb(store, folder):
    store.bucket("puts")
    ours, cpu = [], []
    for _ in range(REPEATS):
        r = load("put", store.port, store.pid, bucket="puts", keys=50000, seconds=SECONDS)
        ours.append(r["requests"] / r["seconds"])
        cpu.append((r["server_cpu_s"] + r["client_cpu_s"]) / r["requests"])
    rate = median([fsync_rate(folder) for _ in range(REPEATS)])
    return row(median(ours), rate, "durable PUT/s of 1 KB, 64 connections; peer: fsyncs/s of the disk", goal=">= 10000", best=round(max(ours)),
               cpu_us_per_request_with_the_client=round(median(cpu) * 1e6, 1), by_cpu_on_2_cores=round(2 / median(cpu)))


def listing(store):
    store.bucket("many")
    load("put", store.port, store.pid, bucket="many", keys=LIST_KEYS, size=1, connections=256, once=True)
    ours, cpu = [], []
    for _ in range(REPEATS):
        r = load("list", store.port, store.pid, bucket="many")
        assert r["items"] == LIST_KEYS, r
        ours.append(r["items"] / r["seconds"])
        cpu.append(r["items"] / r["server_cpu_s"])
    return row(median(ours), None, f"keys/s, a list of {LIST_KEYS} keys", goal=">= 200000", best=round(max(ours)), keys_per_cpu_second=round(median(cpu)))


def main():
    wanted = sys.argv[1:] or ROWS
    for name in wanted:
        if name not in ROWS:
            sys.exit(f"bench/store/run.py: there is no row '{name}'; there are {' '.join(ROWS)}")
    out = os.path.join(ROOT, "build/bench/store.json")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    rows = json.load(open(out)) if os.path.exists(out) else {}
    folder = tempfile.mkdtemp(prefix="store-bench-", dir=os.path.join(ROOT, "build"))  # /tmp may be memory
    store, nginx = Store(folder), Nginx(folder)
    try:
        if "get_64mb" in wanted:
            rows["get_64mb"] = get_64mb(store, nginx)
        if "get_1kb" in wanted:
            rows["get_1kb"] = get_1kb(store, nginx)
        if "put_1kb" in wanted:
            rows["put_1kb"] = put_1kb(store, folder)
        if "list" in wanted:
            rows["list"] = listing(store)
        if "memory" in wanted:
            rows["memory"] = row(peak_mb(store.pid), None, "MB, peak resident memory over the rows before", goal="< 64", lower_is_better=True)
    finally:
        store.close()
        nginx.close()
        shutil.rmtree(folder)
    rows["machine"] = dict(cores=os.cpu_count(), load_average_before=round(os.getloadavg()[2], 1))
    with open(out, "w") as f:
        json.dump(rows, f, indent=2)
    for name, r in rows.items():
        print(f"{name:10} {json.dumps(r)}")
    print(f"written: {out}")


main()
