"""make bench-ingest: what a notification costs, held against webhook and against the machine's ceiling.

Cases, in turn and interleaved, at 1, 32 and 128 connections:
  a  runbook-bridge: resends of known alerts
  b  runbook-bridge: distinct new alerts that no rule matches, ten to an incident
  c  runbook-bridge: a storm into one incident, with a matching rule in cooldown
  d  webhook: a regex rule that is not satisfied
  e  webhook: a regex rule that is, running /bin/true
  f  tests/bench/ceiling.c: libmicrohttpd and pipelined Redis, nothing else
and then: POST to a script's first instruction, and memory when idle. Redis runs with appendfsync always
in a, b, c and f. docs/performance.md says how to read it.
"""
import argparse
import http.client
import json
import os
import re
import select
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from alerts import alert, notification  # noqa: E402
from harness import (Runbookd, builddir, free_port, http_request, make_folder, remove_folder,  # noqa: E402
                     request_on, spawn, wait_for)

TICKS = os.sysconf("SC_CLK_TCK")
DRAIN = 5  # seconds that webhook gets, after its clients have gone, for the commands it still owes
CASES = "abcdef"
TITLES = {
    "a": "bridge, resends",
    "b": "bridge, new alerts",
    "c": "bridge, storm in cooldown",
    "d": "webhook, rule not satisfied",
    "e": "webhook, runs /bin/true",
    "f": "ceiling",
}
RULES = """
rules:
  - name: no-alert-of-the-benchmark
    match: 'alertname =~ "Nothing.*|None[0-9]+"'
    steps: [{runbook: "true"}]
  - name: storm
    match: 'alertname =~ "Bench(mark)?Storm"'
    cooldown: 1h
    steps: [{runbook: "true"}]
  - name: stamp
    match: 'alertname =~ "Bench(mark)?Stamp"'
    steps: [{runbook: stamp}]
"""
FRONT = "# ---\n# summary: Part of the benchmark\n# kind: diagnose\n# ---\n"
ANNOTATIONS = {"summary": "Disk of web-01 is 91% full"}


def one_alert(name, instance, n=0):
    labels = {"alertname": name, "instance": instance, "job": "node", "severity": "warning", "n": f"{n:08d}"}
    return notification([alert(labels, starts_at="2026-11-22T19:19:32.624714673Z", annotations=ANNOTATIONS)])


def text_of(payload):
    return json.dumps(payload, separators=(",", ":"))


class Server:
    """Something that takes the notifications: its port, its path, the processes whose CPU counts."""

    def __init__(self, port, path, processes):
        self.port, self.path, self.processes = port, path, processes


class Redis:
    def __init__(self, folder):
        self.socket = folder / "redis.sock"
        self.process = spawn(["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder),
                              "--appendonly", "yes", "--appendfsync", "always", "--save", ""], folder / "redis.log")
        wait_for(lambda: self.socket.exists(), "the ceiling's redis-server")


class Bench:
    """Starts all servers once; they idle while another one is measured."""

    def __init__(self, folder, cases):
        self.folder, self.started, self.rb = folder, [], None
        self.fifo = folder / "stamps"
        os.mkfifo(self.fifo, 0o666)
        self.stamp_script = f"#!{builddir() / 'tests/bench/stamp'} {self.fifo}\n" + FRONT
        self.servers = {}
        if set("abc") & set(cases):
            bridge = self.start_runbookd()
            self.servers.update({c: bridge for c in "abc"})
        if set("de") & set(cases):
            webhook = self.start_webhook()
            self.servers.update({"d": Server(webhook, "/hooks/unsatisfied", self.webhook_pids),
                                 "e": Server(webhook, "/hooks/satisfied", self.webhook_pids)})
        if "f" in cases:
            self.servers["f"] = self.start_ceiling()

    def start_runbookd(self):
        self.rb = Runbookd(self.folder, rules=RULES, conf={"limits": {"queue": 1000000}},
                           runbooks={"true.sh": "#!/bin/sh\n" + FRONT, "stamp.sh": self.stamp_script})
        self.rb.start()
        pids = {"bridge": self.rb.pid("bridge"), "redis": self.rb.pid("redis")}
        return Server(int(self.rb.address.rpartition(":")[2]), "/ingest/alertmanager", pids)

    def start_webhook(self):
        """Writes the hooks and starts webhook, on the same port again after restart_webhook()."""
        stamp = self.folder / "stamp-for-webhook"
        stamp.write_text(self.stamp_script)
        stamp.chmod(0o755)

        def hook(name, command, regex):
            return {"id": name, "execute-command": str(command), "trigger-rule": {"match": {
                "type": "regex", "regex": regex, "parameter": {"source": "payload", "name": "alerts.0.labels.alertname"}}}}
        hooks = self.folder / "hooks.json"
        hooks.write_text(json.dumps([hook("unsatisfied", "/bin/true", "^(Nothing.*|None[0-9]+)$"),
                                     hook("satisfied", "/bin/true", "^Bench.*$"), hook("stamp", stamp, "^Bench.*$")]))
        self.webhook_argv = ["webhook", "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(free_port())]
        self.webhook_pids = {}
        self.run_webhook()
        return int(self.webhook_argv[-1])

    def run_webhook(self):
        self.webhook = spawn(self.webhook_argv, self.folder / "webhook.log")
        self.started.append(self.webhook)
        self.webhook_pids["webhook"] = self.webhook.pid
        wait_for(lambda: http_request(f"127.0.0.1:{self.webhook_argv[-1]}", "GET", "/").status, "webhook")

    def restart_webhook(self):
        """webhook answers before it runs the command, and keeps what it owes in memory: without this, case e would go
        on through the cases that follow it, and take their CPU."""
        self.webhook.kill()
        self.webhook.wait()
        self.run_webhook()

    def start_ceiling(self):
        folder = self.folder / "ceiling"
        folder.mkdir()
        redis = Redis(folder)
        port = free_port()
        p = spawn([str(builddir() / "tests/bench/ceiling"), str(port), str(redis.socket)], folder / "log")
        self.started += [redis.process, p]
        wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, "the ceiling")
        return Server(port, "/", {"ceiling": p.pid, "redis": redis.process.pid})

    def close(self):
        for p in self.started:
            p.kill()
            p.wait()
        if self.rb:
            self.rb.close()


def cpu_seconds(pid):
    """(own, of children that ended): all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / TICKS, sum(map(int, fields[13:15])) / TICKS


def wrk(server, case, connections, seconds, run):
    """One measurement: (requests, requests/s, p99 in ms, errors)."""
    argv = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s", "--latency",
            "-s", str(HERE / "notify.lua"), f"http://127.0.0.1:{server.port}{server.path}", "--", case, str(run)]
    out = subprocess.run(argv, capture_output=True, text=True, check=True,
                         env={**os.environ, "BENCH_BODY": text_of(one_alert("BenchmarkAlert", "INSTANCE"))}).stdout
    requests = int(re.search(r"(\d+) requests in", out)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    errors = re.findall(r"(?:Non-2xx or 3xx responses|Socket errors):.*", out)
    return requests, rate, float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit], errors


def forks():
    """Processes and threads started on this machine since it booted."""
    return int(re.search(r"^processes (\d+)", Path("/proc/stat").read_text(), re.M)[1])


def commands_a_second(started, begin, requests):
    """Of case e: how many commands a second webhook really ran, until it had run all or DRAIN seconds had gone by."""
    limit = time.monotonic() + DRAIN
    while forks() - begin < requests and time.monotonic() < limit:
        time.sleep(0.05)
    return min(forks() - begin, requests) / (time.monotonic() - started)


def measure(bench, case, connections, seconds, run):
    server = bench.servers[case]
    started, begin = time.monotonic(), forks()
    counts = bridge_counts(bench.rb) if case in "abc" else None
    before = {name: cpu_seconds(pid) for name, pid in server.processes.items()}
    requests, rate, p99, errors = wrk(server, case, connections, seconds, run)
    cpu = {}
    for name, pid in server.processes.items():
        own, children = (b - a for a, b in zip(before[name], cpu_seconds(pid)))
        cpu[name] = own / requests * 1e6
        if children:
            cpu[f"children of {name}"] = children / requests * 1e6
    if counts:
        check_case(case, counts, bridge_counts(bench.rb), requests)
    for text in errors:
        print(f"  !! {case} at {connections}: {text}", flush=True)
    result = {"rate": rate, "p99": p99, "cpu": cpu, "did": rate}
    if case == "e":
        result["did"] = commands_a_second(started, begin, requests)
        bench.restart_webhook()
    return result


def bridge_counts(rb):
    """What of the bridge's work tells the three cases apart."""
    return {"a": rb.metric("runbookd_events_duplicate_total"), "c": rb.metric("runbookd_decisions_total", decision="cooldown"),
            "all": rb.metric("runbookd_events_total")}


def check_case(case, before, after, requests):
    """That the bridge did what the case says, and not something cheaper: all but the first hundred and the last in flight."""
    did = {k: after[k] - before[k] for k in after}
    did["b"] = did["all"] - did["a"] - did["c"]
    if did[case] < 0.99 * requests - 100:
        print(f"  !! {case}: of {requests} answers only {did[case]:.0f} were of this case", flush=True)


def own_cpu(result):
    return sum(us for name, us in result["cpu"].items() if not name.startswith("children"))


def median_of(results):
    """The median of each figure over the rounds."""
    names = sorted({n for r in results for n in r["cpu"]})
    return {**{key: statistics.median(r[key] for r in results) for key in ("rate", "p99", "did")},
            "cpu": {n: statistics.median(r["cpu"].get(n, 0.0) for r in results) for n in names}}


def run_rounds(bench, cases, connections, rounds, seconds):
    results = {(case, c): [] for case in cases for c in connections}
    run = 0
    for turn in range(rounds):
        for c in connections:
            order = cases[turn % len(cases):] + cases[:turn % len(cases)]
            for case in order:
                run += 1
                r = measure(bench, case, c, seconds, run)
                results[case, c].append(r)
                print(f"  round {turn + 1}, {c:3d} connections, {case}: {r['rate']:8.0f}/s", file=sys.stderr, flush=True)
    return {key: median_of(v) for key, v in results.items()}


def print_table(results, cases, connections):
    print(f"{'case':33} {'conns':>5} {'requests/s':>11} {'p99 ms':>8} {'CPU us':>7}  by process, us a request")
    for c in connections:
        for case in cases:
            r = results[case, c]
            parts = ", ".join(f"{n} {us:.1f}" for n, us in r["cpu"].items())
            print(f"({case}) {TITLES[case]:29} {c:5d} {r['rate']:11.0f} {r['p99']:8.2f} {own_cpu(r):7.1f}  {parts}")
        if "e" in cases:
            print(f"(e) ran its command {results['e', c]['did']:.0f} times a second, the {DRAIN} s after the last answer included")


def print_ratios(results, cases, c):
    """Those that docs/performance.md promises, each with its bound."""
    def rate(x, y):
        return results[x, c]["rate"] / results[y, c]["rate"]

    def cpu(x, y):
        return own_cpu(results[x, c]) / own_cpu(results[y, c])

    def done(x, y):
        return results[x, c]["did"] / results[y, c]["did"]
    wanted = [("a", "f", "requests/s", rate, ">=", 0.7), ("a", "d", "CPU", cpu, "<=", 0.75),
              ("b", "f", "requests/s", rate, ">=", 0.35), ("b", "d", "CPU", cpu, "<=", 1.3),
              ("c", "e", "requests/s", rate, ">=", 2.0), ("c", "e", "done/s", done, ">=", 2.0)]
    print(f"\nratios at {c} connections")
    for x, y, what, ratio, sign, bound in wanted:
        if x in cases and y in cases:
            value = ratio(x, y)
            good = value >= bound if sign == ">=" else value <= bound
            print(f"  {what:10} of ({x}) to ({y}): {value:5.2f}  wanted {sign} {bound}  {'good' if good else 'MISSED'}")


def children(pid):
    """The processes that any thread of pid started and has not reaped."""
    return {c for tasks in Path(f"/proc/{pid}/task").glob("*/children") for c in tasks.read_text().split()}


class Starter:
    """One way from a POST to a script's first instruction."""

    def __init__(self, rest, name, address, path, pid):
        host, _, port = address.rpartition(":")
        self.rest, self.name, self.path, self.pid, self.found = rest, name, path, pid, []
        self.idle = children(pid)
        self.connection = http.client.HTTPConnection(host, int(port))
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def sample(self, n, fifo):
        """Adds the milliseconds from before one POST to the script's first instruction; returns when it has ended and
        what started it knows, and self.rest has gone by."""
        body = text_of(one_alert("BenchmarkStamp", f"host-{self.name}-{n}")).encode()
        sent = time.time_ns()
        answer = request_on(self.connection, "POST", self.path, body, {"Content-Type": "application/json"})
        assert answer.status == 200, answer
        if not select.select([fifo], [], [], 30)[0]:
            raise RuntimeError(f"{self.name}: no script started within 30 s")
        self.found.append((int(os.read(fifo, 100)) - sent) / 1e6)
        limit = time.monotonic() + 30
        while not children(self.pid) <= self.idle:
            assert time.monotonic() < limit, f"{self.name}: the script does not end"
            time.sleep(0.0005)
        time.sleep(self.rest)


def print_latency(bench, samples):
    """Each way in turn; then again with a pause before each, in which processors sleep and caches go cold."""
    for rest, title in ((0, "one at a time and in turn"), (0.05, "the same, 50 ms after the last one")):
        ways = []
        if "e" in bench.servers:
            ways.append(Starter(rest, "webhook", f"127.0.0.1:{bench.servers['e'].port}", "/hooks/stamp", bench.webhook.pid))
        if bench.rb:
            ways.append(Starter(rest, "runbookd", bench.rb.address, "/ingest/alertmanager", bench.rb.pid("worker")))
        fifo = os.open(bench.fifo, os.O_RDONLY | os.O_NONBLOCK)
        keep = os.open(bench.fifo, os.O_WRONLY | os.O_NONBLOCK)  # so that the FIFO never reads as ended
        for n in range(samples):
            for way in ways:
                way.sample(f"{rest}-{n}", fifo)
        os.close(keep)
        os.close(fifo)
        print(f"\nPOST to the script's first instruction, {title}, ms")
        print_ways(ways, samples, bounded=not rest)


def print_ways(ways, samples, bounded):
    p50 = {}
    for way in ways:
        found = sorted(way.found)
        p50[way.name] = statistics.median(found)
        print(f"  {way.name:9} p50 {p50[way.name]:6.2f}   p90 {found[int(len(found) * 0.9)]:6.2f}   worst {found[-1]:6.2f}   of {samples}")
    if len(p50) == 2:
        gap = p50["runbookd"] - p50["webhook"]
        verdict = ("  wanted <= 1  good" if gap <= 1 else "  wanted <= 1  MISSED") if bounded else ""
        print(f"  runbookd - webhook, p50: {gap:.2f}{verdict}")


def pss_mb(pid):
    return int(re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1]) / 1024


def print_memory(rb, when):
    pids = {"runbookd": rb.process.pid, "bridge": rb.pid("bridge"), "worker": rb.pid("worker"), "redis": rb.pid("redis")}
    pss = {name: pss_mb(pid) for name, pid in pids.items()}
    print(f"\nPSS {when}, MB: " + ", ".join(f"{n} {mb:.1f}" for n, mb in pss.items()))
    if when == "idle":
        for what, value, bound in (("bridge and worker", pss["bridge"] + pss["worker"], 12), ("runbookd", pss["runbookd"], 4)):
            print(f"  {what}: {value:.1f}  wanted <= {bound}  {'good' if value <= bound else 'MISSED'}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=int, default=10, help="of one measurement (10)")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--connections", default="1,32,128")
    p.add_argument("--cases", default=CASES)
    p.add_argument("--samples", type=int, default=300, help="of POST to the script's start (300); 0: none")
    o = p.parse_args()
    connections = [int(c) for c in o.connections.split(",")]
    body = text_of(one_alert("BenchmarkAlert", "host-00000001:9100"))
    print(f"{os.cpu_count()} CPUs, body {len(body)} bytes, {o.rounds} rounds of {o.seconds} s, medians", flush=True)
    folder = make_folder()
    bench = None
    try:
        bench = Bench(folder, o.cases)
        if bench.rb:
            print_memory(bench.rb, "idle")
        if o.samples:
            print_latency(bench, o.samples)
        print(flush=True)
        results = run_rounds(bench, o.cases, connections, o.rounds, o.seconds)
        print_table(results, o.cases, connections)
        print_ratios(results, o.cases, connections[-1])
        if bench.rb:
            print_memory(bench.rb, "after the load")
    finally:
        if bench:
            bench.close()
        remove_folder(folder)


if __name__ == "__main__":
    main()
