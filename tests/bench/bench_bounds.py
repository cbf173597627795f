"""make bench-bounds: what attacks cost a good sender beside them, and the bridge in memory.

Each attack runs for some seconds, in processes of its own, beside a good sender that posts RATE notifications a second
on one connection, and did so alone just before: a slow minute of the machine hits both. Figures are medians of the
rounds. The bridge is started anew for each attack, so that its peak of memory is that attack's. At the end, a flood on
one source beside a calm one. docs/performance.md says how to read it.
"""
import argparse
import collections
import contextlib
import gzip
import http.client
import multiprocessing
import os
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import packers  # noqa: E402
from alerts import alert, notification  # noqa: E402
from harness import Runbookd, http_request, make_folder, memory_kb, remove_folder, request_on  # noqa: E402

RATE = 200  # requests a second of the good sender
CALM_RATE = 100  # and of the one beside a flood
CALM_CONNECTIONS = 50  # so that a slow answer does not keep back the next request
FLOOD_ALERTS, CAPACITY_CONNECTIONS, FLOOD_CONNECTIONS = 256, 16, 600
FLOOD_TIMES = 10  # what the bridge can do
RATIO = 3.0
MEMORY_MB = 96
INGEST = "/ingest/alertmanager"
SOURCES = {"flood": {"kind": "alertmanager"}, "calm": {"kind": "alertmanager"}}
GZIP, ZSTD = {"Content-Encoding": "gzip"}, {"Content-Encoding": "zstd"}


def connect(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


# ---- attacks: each is called with the address, a tally of answers and a function that says whether to go on ----

def keys(n):
    inside = b",".join(b'"%d":0' % i for i in range(n))
    return b'{"alerts":[{"status":"firing","labels":{"alertname":"x"},"more":{' + inside + b"}}]}"


class Bodies:
    """One body after the other, each on a connection of its own."""

    def __init__(self, make, headers=None):
        self.make, self.headers, self.body = make, headers or {}, None

    def prepare(self):
        self.body = self.body or self.make()

    def run(self, address, tally, go_on):
        while go_on():
            tally[http_request(address, "POST", INGEST, self.body, self.headers).status] += 1


class Headers:
    """A megabyte of them."""

    def prepare(self):
        pass

    def run(self, address, tally, go_on):
        lines = b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(1000))
        while go_on():
            with contextlib.closing(connect(address)) as s:
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    s.sendall(f"POST {INGEST} HTTP/1.1\r\nHost: x\r\n".encode() + lines)
                r = http.client.HTTPResponse(s)
                try:
                    r.begin()
                    tally[r.status] += 1
                except (ConnectionResetError, http.client.HTTPException):
                    tally["reset"] += 1


class Connections:
    """Many that are opened, say something or nothing, and then a byte a second or nothing."""

    def __init__(self, n, first=b"", more=b"", answered=False):
        self.n, self.first, self.more, self.answered = n, first, more, answered

    def prepare(self):
        pass

    def run(self, address, tally, go_on):
        watch, left = selectors.DefaultSelector(), []
        for _ in range(self.n):
            s = connect(address)
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                s.sendall(self.first)
                if self.answered:
                    s.recv(4096)
            s.setblocking(False)
            watch.register(s, selectors.EVENT_READ)
            left.append(s)
        on = True
        while on:
            on = go_on()
            for key, _ in watch.select(1 if on else 0):
                self.look(key.fileobj, watch, tally)
            for s in left if self.more else []:
                with contextlib.suppress(OSError):
                    s.send(self.more)
        tally["left open"] = len(watch.get_map())

    @staticmethod
    def look(s, watch, tally):
        with contextlib.suppress(BlockingIOError):
            try:
                said = s.recv(4096)
            except ConnectionResetError:
                said = b""
            if said:
                tally[int(said.split()[1])] += 1
                return
            tally["closed"] += 1
            watch.unregister(s)
            s.close()


BEGIN = f"POST {INGEST} HTTP/1.1\r\nHost: x\r\n".encode()
ATTACKS = {
    "gzip bomb": Bodies(lambda: gzip.compress(b" " * (200 << 20)), GZIP),
    "zstd bomb": Bodies(lambda: packers.zstd(b" " * (200 << 20)), ZSTD),
    "100,000 deep": Bodies(lambda: b"[" * 100_000 + b"]" * 100_000),
    "5 million keys": Bodies(lambda: keys(5_000_000)),
    "10 million keys, gzip": Bodies(lambda: gzip.compress(keys(10_000_000), 1), GZIP),
    "headers of 1 MB": Headers(),
    "1 byte a second, 10,000": Connections(9990, BEGIN + b"Content-Length: 1000\r\n\r\n", b" "),
    "12,000 idle": Connections(12_000),
    "10,000 idle, asked once": Connections(9990, b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n", answered=True),
}


# ---- beside them ----

class GoodSender:
    """Posts rate notifications a second over its connections, in a process of its own, from now until end()."""

    def __init__(self, address, path, rate, connections=1):
        self.over = multiprocessing.Event()
        self.process = start(good_sender, address, path, rate, connections, self.over)

    def end(self):
        """[(when it was sent, ms, status)]"""
        self.over.set()
        return end(self.process)


def good_sender(address, path, rate, connections, over, pipe):
    seen, begun = [], time.monotonic()
    threads = [threading.Thread(target=good_connection, args=(address, path, rate / connections, begun + i / rate, over, seen))
               for i in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    pipe.send(seen)


def good_connection(address, path, rate, due, over, seen):
    host, _, port = address.rpartition(":")
    c = http.client.HTTPConnection(host, int(port), timeout=60)
    c.connect()
    c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while not over.is_set():
        time.sleep(max(0, due - time.monotonic()))
        sent = time.monotonic()
        body = notification([alert({"alertname": "Good", "instance": f"web-{threading.get_ident()}-{sent}"})])
        try:
            status = request_on(c, "POST", path, body).status
        except (OSError, http.client.HTTPException) as e:
            status = type(e).__name__
            c.close()
        seen.append((sent, (time.monotonic() - sent) * 1000, status))
        due = max(due + 1 / rate, time.monotonic() - 1)


def attacker(attack, address, over, pipe):
    tally = collections.Counter()
    attack.run(address, tally, lambda: not over.is_set())
    pipe.send(tally)


def start(target, *args):
    ours, theirs = multiprocessing.Pipe(duplex=False)
    p = multiprocessing.Process(target=target, args=(*args, theirs), daemon=True)
    p.start()
    theirs.close()
    return p, ours


def end(started):
    p, pipe = started
    result = pipe.recv()
    p.join()
    return result


def p99(seen, begun, ended):
    found = sorted(ms for sent, ms, _ in seen if begun <= sent < ended)
    return found[min(len(found) - 1, int(len(found) * 0.99))]


def one_round(rb, attack, args):
    """(p99 alone, p99 beside, what the good one got, the attack's answers)."""
    good = GoodSender(rb.address, INGEST, RATE)
    time.sleep(0.5)
    marks = [time.monotonic()]
    time.sleep(args.seconds)
    over = multiprocessing.Event()
    marks.append(time.monotonic())
    attackers = [start(attacker, attack, rb.address, over) for _ in range(args.attackers if isinstance(attack, Bodies) else 1)]
    time.sleep(args.seconds)
    marks.append(time.monotonic())
    over.set()
    tally = collections.Counter()
    for a in attackers:
        tally.update(end(a))
    seen = good.end()
    return p99(seen, *marks[:2]), p99(seen, *marks[1:]), collections.Counter(s for _, _, s in seen), tally


@contextlib.contextmanager
def bridge(**conf):
    """One of its own, as it comes but for what the attacks are about."""
    folder = make_folder()
    http_conf = {"listen": ["127.0.0.1:0"], "connections_per_address": 20_000, "request_timeout": "5m"}
    rb = Runbookd(folder, conf={"worker": {"enabled": False}, "http": http_conf, **conf})
    try:
        yield rb.start()
    finally:
        rb.close()
        remove_folder(folder)


def verdict(good):
    return "good" if good else "MISSED"


def counted(tally):
    return ", ".join(f"{n} x {k}" for k, n in tally.items())


def measure_attack(name, args):
    ATTACKS[name].prepare()
    with bridge() as rb:
        rounds = [one_round(rb, ATTACKS[name], args) for _ in range(args.rounds)]
        peak = memory_kb(rb.pid("bridge"), "VmHWM") / 1024
    alone, beside = (statistics.median(r[i] for r in rounds) for i in (0, 1))
    ratio = statistics.median(r[1] / r[0] for r in rounds)
    got, tally = (sum((r[i] for r in rounds), collections.Counter()) for i in (2, 3))
    good = ratio <= RATIO and peak < MEMORY_MB and set(got) == {200}
    print(f"{name:25} {alone:9.2f} {beside:9.2f} {ratio:6.2f} {peak:8.0f}  {verdict(good):7} {counted(tally)}", flush=True)
    if set(got) != {200}:
        print(f"  !! the good sender got {counted(got)}", flush=True)


# ---- a flood on one source, another one calm ----

def flood(rb, connections, seconds):
    """A process that keeps that many requests of the source flood under way."""
    return subprocess.Popen(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE.parent / "integration/flood.lua"),
                             f"http://{rb.address}"], env={**os.environ, "FLOOD_ALERTS": str(FLOOD_ALERTS)}, stdout=subprocess.DEVNULL)


def answered(rb):
    return {"taken": rb.metric("runbookd_events_total", source="flood", status="firing") / FLOOD_ALERTS,
            "busy": rb.metric("runbookd_ingest_rejected_total", source="flood", reason="busy")}


def measure_flood(args):
    """What the bridge can do with as many connections as it takes, and the calm source beside many times as much."""
    with bridge(sources=SOURCES) as rb:
        flood(rb, CAPACITY_CONNECTIONS, args.seconds).wait()
        capacity = answered(rb)["taken"] / args.seconds
        good = GoodSender(rb.address, "/ingest/calm", CALM_RATE, CALM_CONNECTIONS)
        before = answered(rb)
        flood(rb, FLOOD_CONNECTIONS, args.seconds * args.rounds).wait()
        seen, after = good.end(), answered(rb)
    did = {k: (after[k] - before[k]) / (args.seconds * args.rounds) for k in after}
    offered, got = did["taken"] + did["busy"], collections.Counter(s for _, _, s in seen)
    rate = len(seen) / (args.seconds * args.rounds)
    print(f"\nflood of messages with {FLOOD_ALERTS} alerts: {capacity:.0f}/s taken over {CAPACITY_CONNECTIONS} connections; over "
          f"{FLOOD_CONNECTIONS}, offered {offered:.0f}/s: {did['taken']:.0f}/s taken, {did['busy']:.0f}/s refused as busy")
    print(f"offered to what the bridge can do: {offered / capacity:.1f}  at least {FLOOD_TIMES}  "
          f"{verdict(offered >= FLOOD_TIMES * capacity)}")
    print(f"beside it, {rate:.0f} requests/s of another source: {counted(got)}, p99 {p99(seen, 0, float('inf')):.1f} ms  "
          f"{verdict(set(got) == {200} and rate > 0.9 * CALM_RATE)}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=int, default=5, help="of one measurement (5)")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--attackers", type=int, default=1, help="processes that send a body again and again (1)")
    p.add_argument("--only", default="", help="attacks whose names hold this")
    args = p.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {args.rounds} rounds of {args.seconds} s")
    print(f"{'attack':25} {'p99 alone':>9} {'beside':>9} {'ratio':>6} {'peak MB':>8}  {'':7} the attack got", flush=True)
    for name in ATTACKS:
        if args.only in name:
            measure_attack(name, args)
    if args.only in "flood":
        measure_flood(args)


if __name__ == "__main__":
    main()
