#!/usr/bin/env python3
"""CPU that Redis spends on an event in the function library, by kind of call.

Starts a redis-server of its own (append-only file, fsync always, as runbookd's), loads bridge/store/library/ and
sends calls in pipelines, as the bridge does under load, most of one event each. Reads the CPU time of Redis's main thread
before and after (INFO cpu), so that what else runs on the machine counts little; still, it prints the best of the rounds.
With --instructions it counts instructions instead (valgrind), which no neighbour disturbs.

    tests/bench/store.py [--calls N] [--rounds N] [--pipeline N] [--library FOLDER] [--only TEXT]
    tests/bench/store.py --instructions --calls 300
"""
import argparse
import glob
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# As in ceiling.c.
CEILING = """local new = redis.call('SET', KEYS[1]..':new', 1, 'NX')
redis.call('HINCRBY', KEYS[1], 'count', 1)
redis.call('HSET', KEYS[1], 'last', 5)
redis.call('XADD', 'bus', 'MAXLEN', '~', 10000, '*', 'alert', KEYS[1], 'new', new and 1 or 0)
return new and 1 or 0"""
CEILING_SHA = hashlib.sha1(CEILING.encode()).hexdigest()
KEY = "rb:{bench:0}"
HERE = os.path.dirname(os.path.abspath(__file__))
T0 = int(time.time() * 1000)


def resp(*args):
    out = [b"*%d\r\n" % len(args)]
    for a in args:
        b = a if isinstance(a, bytes) else str(a).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(b), b))
    return b"".join(out)


class Redis:
    def __init__(self, folder, more=(), before=()):
        path = os.path.join(folder, "sock")
        self.folder = folder
        self.process = subprocess.Popen(
            list(before) + ["redis-server", "--port", "0", "--unixsocket", path, "--dir", folder, "--appendonly", "yes",
             "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0",
             "--logfile", os.path.join(folder, "log")] + list(more))
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.file = self.socket.makefile("rb")

    def read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            n = int(rest)
            return None if n < 0 else self.file.read(n + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return rest

    def ask(self, *args):
        self.socket.sendall(resp(*args))
        return self.read()

    def cpu(self):
        """Seconds of the main thread, user and system."""
        info = self.ask("INFO", "cpu").decode()
        v = dict(line.split(":") for line in info.split("\r\n") if ":" in line)
        return float(v["used_cpu_user_main_thread"]), float(v["used_cpu_sys_main_thread"])

    def instructions(self, calls, size):
        """Thousands of them, of all calls."""
        control = ["callgrind_control", str(self.process.pid)]
        subprocess.run(control + ["-z"], check=True, capture_output=True)
        self.pipeline(calls, size)
        subprocess.run(control + ["-d"], check=True, capture_output=True)
        newest = max(glob.glob(os.path.join(self.folder, "cg.*")), key=lambda f: int(f.rsplit(".", 1)[1]))
        with open(newest) as f:
            total = int(re.search(r"^(?:totals|summary): (\d+)", f.read(), re.M).group(1))
        return total / 1000

    def pipeline(self, calls, size):
        for i in range(0, len(calls), size):
            part = calls[i:i + size]
            self.socket.sendall(b"".join(part))
            for _ in part:
                self.read()


def event(n, status="f", corr="", rule=None, starts=T0, fp=None, cooldown=1800000):
    fp = fp or "%016x" % n
    labels = ('{"alertname":"HostOutOfDiskSpace","cluster":"eu-1","device":"/dev/sda1","fstype":"ext4","instance":"web-%d:9100",'
              '"job":"node","mountpoint":"/var/log","severity":"critical"}' % n)
    json = ('{"source":"alertmanager","type":"alert","status":"%s","time":"2026-11-22T19:19:32.624714673Z","fingerprint":"%s",'
            '"starts_at":"2026-11-22T19:19:32.624714673Z","ends_at":null,"severity":"critical","summary":"Disk of web-%d is full",'
            '"labels":%s,"annotations":{"description":"/var/log has 4%% left of 20 GB","runbook_url":"https://wiki/disk","summary":'
            '"Disk of web-%d is full"},"links":{"generator":"http://prometheus:9090/graph?g0.expr=node_filesystem_avail_bytes"},'
            '"data":{"status":"firing","fingerprint":"%s"}}'
            % ("firing" if status == "f" else "resolved", fp, n, labels, n, fp))
    head = '{"title":"Disk of web-%d is full","key":{"instance":"web-%d"},"labels":%s' % (n, n, labels)
    found_by = "+" + "".join("%s=%s\0" % pair for pair in re.findall('"(.*?)":"(.*?)"', labels))
    words = []
    if rule:
        words = [rule, "run", "web-%d" % (n % 10), "", "%d 1" % cooldown,
                 "0 0 1 0 0 0 default\0disk-usage\0" + "5" * 64 + '\0{"path":"/var/log"}\0disk-usage']
    return ["alertmanager:" + fp, "%s %d " % (status, starts), "4 0 600000 %d " % len(words), corr, found_by + head, json] + words


def ingest(*events):
    """One call of as many messages, one event each."""
    return resp("FCALL", "rb_ingest_v2", 1, KEY, " ".join("1" for _ in events),
                "300000 900000 10000 6 900000 1000000 60000 1000000 600000", 0, "5" * 64, *(w for e in events for w in e))


def together(events, size):
    return [ingest(*events[i:i + size]) for i in range(0, len(events), size)]


def kinds(calls, base):
    """Name, calls that come first unmeasured, calls that are measured."""
    n = calls
    known = [ingest(event(base + i, corr="k%d" % (i // 10))) for i in range(1000)]
    yield "resend of a known alert", known, [known[i % 1000] for i in range(n)]
    light = [resp("FCALL", "rb_again_v1", 1, KEY + ":alert:alertmanager:%016x" % (base + i), "f %d " % T0, 300000)
             for i in range(1000)]
    yield "resend without its JSON", known, [light[i % 1000] for i in range(n)]
    base += 1000
    yield ("new alert, ten to an incident", [],
           [ingest(event(base + i, corr="a%d" % ((base + i) // 10))) for i in range(n)])
    base += n
    yield ("new alert into one incident", [ingest(event(base - 1, corr="one%d" % base))],
           [ingest(event(base + i, corr="one%d" % base)) for i in range(n)])
    base += n
    yield ("new alert with a new incident", [],
           [ingest(event(base + i, corr="b%d" % (base + i))) for i in range(n)])
    base += n
    storm = "storm%d" % base
    yield ("new alert with a run", [],
           [ingest(event(base + i, corr="d%d" % ((base + i) // 10), rule="disk", cooldown=0)) for i in range(n)])
    base += n
    yield ("claim of a run", [resp("FCALL", "rb_hello_v1", 1, KEY, "w1", "instance", "home", 15000, "default")] +
           [ingest(event(base + i, corr="f%d" % ((base + i) // 10), rule="disk", cooldown=0)) for i in range(n)],
           [resp("FCALL", "rb_claim_v1", 1, KEY, "w1", "instance", 15000, i, "", "default", "host:w1") for i in range(n)])
    base += n
    yield ("new alert, rule in cooldown", [ingest(event(base - 1, corr=storm, rule="disk"))],
           [ingest(event(base + i, corr=storm, rule="disk")) for i in range(n)])
    base += n
    yield ("the same, 8 in a call", [],
           together([event(base + i, corr=storm, rule="disk") for i in range(n)], 8))
    base += n
    yield ("the same, 43 in a call", [],
           together([event(base + i, corr=storm, rule="disk") for i in range(n)], 43))
    base += n
    yield ("ten to an incident, 8 in a call", [],
           together([event(base + i, corr="e%d" % ((base + i) // 10)) for i in range(n)], 8))
    base += n
    fired = [ingest(event(base + i, corr="c%d" % ((base + i) // 10))) for i in range(n)]
    yield ("resolve", fired,
           [ingest(event(base + i, "r", corr="c%d" % ((base + i) // 10))) for i in range(n)])
    base += n
    yield ("four commands (the ceiling's script)", [resp("SCRIPT", "LOAD", CEILING)],
           [resp("EVALSHA", CEILING_SHA, 1, "%016x" % (i % 1000), "x" * 1200) for i in range(n)])
    yield "PING", [], [resp("PING")] * n


def take_times(redis, a):
    best = {}
    for r in range(a.rounds):
        for name, before, calls in kinds(a.calls, r * 10000000 + 1000):
            if a.only not in name:
                continue
            redis.pipeline(before, a.pipeline)
            user, system = redis.cpu()
            redis.pipeline(calls, a.pipeline)
            user2, system2 = redis.cpu()
            v = ((user2 - user) * 1e6 / a.calls, (system2 - system) * 1e6 / a.calls)
            best[name] = min(best.get(name, v), v, key=sum)
    print("%-37s %10s %10s %10s" % ("CPU us an event, pipeline %d" % a.pipeline, "user", "system", "sum"))
    for name, (user, system) in best.items():
        print("%-37s %10.1f %10.1f %10.1f" % (name, user, system, user + system))


def count_instructions(redis, a):
    for name, before, calls in kinds(a.calls, 1000):
        if a.only in name:
            redis.pipeline(before, a.pipeline)
            print("%-37s %10.1f thousand instructions an event" % (name, redis.instructions(calls, a.pipeline) / a.calls), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--calls", type=int, default=10000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--pipeline", type=int, default=500)
    p.add_argument("--library", default=os.path.join(HERE, "../../bridge/store/library"))
    p.add_argument("--instructions", action="store_true", help="count them with valgrind; slow: give few --calls")
    p.add_argument("--redis", default="", help="more options of redis-server, as '--latency-tracking no'")
    p.add_argument("--only", default="", help="only kinds whose name holds this")
    a = p.parse_args()
    folder = tempfile.mkdtemp(prefix="rb-bench-")
    valgrind = ["valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + os.path.join(folder, "cg")]
    redis = Redis(folder, a.redis.split(), valgrind if a.instructions else ())
    try:
        redis.ask("FUNCTION", "LOAD", "REPLACE", b"".join(p.read_bytes() for p in sorted(Path(a.library).glob("*.lua"))))
        if a.instructions:
            count_instructions(redis, a)
        else:
            take_times(redis, a)
    finally:
        redis.process.terminate()
        redis.process.wait()
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
