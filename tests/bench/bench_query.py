"""make bench-query: questions about many incidents, how long they take, what they cost ingest, and what an incident takes in Redis.

Fills a Redis with incidents of five alerts with four labels each, by the function that the bridge calls (rb_ingest_v2, many
events a call), most of them resolved. The events are copies of one that came through the bridge. Then asks, one
question after the other, each with other labels and another time range:

  list     incidents of a status, with two labels, opened within a thirtieth of the time
  related  incidents that share an instance or a service
  regex    the same as list, with a regex beside: what is left to the bridge

of Redis (rb_incidents, rb_related) and of the API; and then again beside new alerts that wrk sends, whose rate is held
against that without questions. docs/performance.md says how to read it.
"""
import argparse
import contextlib
import http.client
import json
import random
import statistics
import sys
import threading
import time
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
sys.path.insert(0, str(HERE))

from alerts import alert, notification  # noqa: E402
from bench_ingest import Server, wrk  # noqa: E402
from harness import RedisServer, Runbookd, make_folder, remove_folder, request_on  # noqa: E402
import store  # noqa: E402

KEY = "rb:{default:0}"
ALERTS, NAMES, SERVICES, CLUSTERS, HOSTS_FACTOR = 5, 40, 50, 10, 200
INCIDENTS_A_CALL = 20
LIMITS = "300000 900000 10000 6 900000 0 0 0 0 259200000"
P99_MS, RATIO, BYTES = 10.0, 0.8, 6 * 1024
SINGLE = ("bus", "labels", "labels:later", "incidents:open", "incidents:done", "alerts:firing", "alerts:resolved")
PART = 30  # of the time that a question looks at


class Redis(store.Redis):
    """A connection to a server that is there."""

    def __init__(self, path):
        self.socket = store.socket.socket(store.socket.AF_UNIX)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")


class Incidents:
    """Incident n of `total`: its labels, and the words of its events."""

    def __init__(self, total, template):
        self.total, self.hosts = total, max(1, total // HOSTS_FACTOR)
        self.template = template

    def shared(self, n):
        x = random.Random(n)
        return {"cluster": f"eu-{x.randrange(CLUSTERS)}", "instance": f"host-{x.randrange(self.hosts):05d}:9100",
                "service": f"service-{x.randrange(SERVICES)}"}

    def events(self, n, status):
        shared = self.shared(n)
        for i in range(ALERTS):
            labels = {"alertname": f"Alert{(n + i * 7) % NAMES}", **shared}
            text = json.dumps(labels, separators=(",", ":"))
            fp = f"{n * ALERTS + i:016x}"
            head = "+" + "".join(f"{k}={v}\0" for k, v in labels.items()) + \
                f'{{"title":"Disk of {shared["instance"]} is full","key":{{"instance":"{shared["instance"]}"}},"labels":{text}'
            event = self.template.replace("FINGERPRINT", fp).replace('"LABELS"', text).replace("STATUS", status)
            mark = ("f" if status == "firing" else "r") + f" {store.T0} "
            yield ["alertmanager:" + fp, mark, "4 0 600000 0 ", f"n{n}", head if status == "firing" else "", event]


def template_of(rb, redis):
    """An event as the bridge writes it, with places for what differs."""
    labels = {"alertname": "LABELS", "instance": "x"}
    rb.post_alertmanager(notification([alert(labels, annotations={"summary": "Disk is 91% full"})]))
    event = json.loads(redis.ask("XREVRANGE", f"{KEY}:bus", "+", "-", "COUNT", 1)[0][1][7])
    event.update(fingerprint="FINGERPRINT", labels="LABELS", status="STATUS")
    event["data"] = {**event["data"], "fingerprint": "FINGERPRINT", "labels": "LABELS", "status": "STATUS"} \
        if "labels" in event["data"] else event["data"]
    return json.dumps(event, separators=(",", ":"))


def load(redis, incidents, resolved):
    """All of them; then the share `resolved` of them ends."""
    begun = time.monotonic()
    for status, until in (("firing", incidents.total), ("resolved", int(incidents.total * resolved))):
        calls = []
        for first in range(0, until, INCIDENTS_A_CALL):
            words = [w for n in range(first, min(first + INCIDENTS_A_CALL, until)) for e in incidents.events(n, status) for w in e]
            calls.append(store.resp("FCALL", "rb_ingest_v2", 1, KEY, len(words) // 6, LIMITS, 0, "5" * 64, *words))
            if len(calls) == 20:
                redis.pipeline(calls, 20)
                calls = []
        redis.pipeline(calls, 20)
    return time.monotonic() - begun


class Questions:
    """Each with labels that some incident has, and a time range within the load's."""

    def __init__(self, incidents, begin, end, seed):
        self.incidents, self.begin, self.end, self.random = incidents, begin, end, random.Random(seed)

    def range(self):
        length = (self.end - self.begin) / PART
        since = self.begin + self.random.random() * (self.end - self.begin - length)
        return int(since), int(since + length)

    def two(self):
        n = self.random.randrange(self.incidents.total)
        labels = {"alertname": f"Alert{(n + 7 * self.random.randrange(ALERTS)) % NAMES}", **self.incidents.shared(n)}
        return [(k, labels[k]) for k in self.random.sample(sorted(labels), 2)]

    def status(self):
        return self.random.choice(["open", "resolved"])

    def host_and_service(self):
        labels = self.incidents.shared(self.random.randrange(self.incidents.total))
        return [(k, labels[k]) for k in ("instance", "service")]


def by_redis(redis, q):
    def listed():
        since, until = q.range()
        return redis.ask("FCALL_RO", "rb_incidents", 1, KEY, q.status(), since, until, 50, *map("=".join, q.two()))

    def related():
        return redis.ask("FCALL_RO", "rb_related", 1, KEY, 0, 0, 50, *map("=".join, q.host_and_service()))
    return {"rb_incidents": listed, "rb_related": related}


def by_api(address, q):
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port))

    def get(path, query):
        answer = request_on(connection, "GET", f"/api/v1/{path}?" + urllib.parse.urlencode(query))
        assert answer.status == 200, answer
        return answer.body

    def times():
        return [(k, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t / 1000)) + f".{t % 1000:03d}Z")
                for k, t in zip(("since", "until"), q.range())]

    def listed():
        return get("incidents", [("status", q.status()), ("filter", ", ".join(f'{k}="{v}"' for k, v in q.two())), *times()])

    def regex():
        (a, b), (c, d) = q.two()
        return get("incidents", [("status", q.status()), ("filter", f'{a}="{b}", {c}=~"{d[:-1]}."'), *times()])

    def related():
        return get("related", [("label", "=".join(p)) for p in q.host_and_service()])
    return {"GET incidents": listed, "GET incidents, regex": regex, "GET related": related}


def take_times(ask, n, pause=0.0, over=None):
    times, rows = [], 0
    for _ in range(n):
        begun = time.monotonic()
        rows += ask().count(b'"status":"')
        times.append((time.monotonic() - begun) * 1000)
        if over and over.wait(pause):
            break
    times.sort()
    return times, rows / len(times)


def verdict(good):
    return "good" if good else "MISSED"


def print_times(name, times, rows, bounded=True):
    p99 = times[int(len(times) * 0.99)]
    print(f"{name:28} {len(times):6d} {rows:7.1f} {statistics.median(times):8.2f} {p99:8.2f} {times[-1]:8.2f}"
          + (f"  {verdict(p99 <= P99_MS)}" if bounded else ""), flush=True)


def title(text):
    print(f"\n{text + ', ms':28} {'asked':>6} {'rows':>7} {'p50':>8} {'p99':>8} {'worst':>8}")


def kind_of(key):
    parts = key[len(KEY) + 1:].split(":")
    if parts[0] == "incident":
        return "incident:ID" + (":" + parts[2] if len(parts) > 2 else "")
    if parts[0] == "correlation":
        return parts[0]
    return "alert" if parts[0] == "alert" else parts[0] + (":" + parts[1] if parts[0] in ("incidents", "alerts") else "")


def print_memory(redis, before, total):
    """By kind of key, of a sample of the small ones. The bus, which is kept by its own age, apart from what belongs to an incident."""
    kinds, cursor, looked, keys = {}, "0", 0, int(redis.ask("DBSIZE"))
    while cursor != b"0" and looked < 50000:
        cursor, found = redis.ask("SCAN", cursor, "COUNT", 1000)
        for key in found:
            kinds.setdefault(kind_of(key.decode()), []).append(key)
        looked += len(found)
    print(f"\n{'bytes an incident':28} {'by MEMORY USAGE':>16}")
    for name, found in sorted(kinds.items()):
        if name in SINGLE:
            continue
        sample = random.Random(1).sample(found, min(len(found), 2000))
        size = statistics.mean(int(redis.ask("MEMORY", "USAGE", k, "SAMPLES", 50)) for k in sample)
        print(f"  {name:26} {size * len(found) * keys / looked / total:16.0f}")
    single = {name: int(redis.ask("MEMORY", "USAGE", f"{KEY}:{name}", "SAMPLES", 1000) or 0) / total for name in SINGLE}
    for name, size in single.items():
        print(f"  {name:26} {size:16.0f}")
    events = int(redis.ask("XLEN", f"{KEY}:bus")) / total
    each = (memory(redis) - before) / total
    print(f"{'all (used_memory)':28} {each:16.0f}  {events:.1f} events on the bus among it")
    own = each - single["bus"]
    print(f"{'without the bus':28} {own:16.0f}  wanted <= {BYTES}  {verdict(own <= BYTES)}", flush=True)


def memory(redis):
    return int(next(line for line in redis.ask("INFO", "memory").decode().split("\r\n")
                    if line.startswith("used_memory:")).partition(":")[2])


def beside_ingest(rb, incidents, begin, end, a):
    """The rate of new alerts alone and with questions, by turns."""
    server = Server(int(rb.address.rpartition(":")[2]), "/ingest/alertmanager", {})
    rates, times = {False: [], True: []}, {}
    for turn in range(2 * a.rounds):
        asking = bool(turn % 2)
        over = threading.Event()
        asked = by_api(rb.address, Questions(incidents, begin, end, turn))

        def ask_on():
            while not over.is_set():
                for name in ("GET incidents", "GET related"):
                    times.setdefault(name, []).extend(take_times(asked[name], 1, 1 / a.rate, over)[0])
        asker = threading.Thread(target=ask_on)
        if asking:
            asker.start()
        _, rate, _, errors = wrk(server, "b", 32, a.seconds, turn + 1)
        over.set()
        if asking:
            asker.join()
        rates[asking].append(rate)
        for text in errors:
            print(f"  !! {text}")
    title(f"beside, {a.rate}/s")
    for name, found in times.items():
        print_times(name, sorted(found), 0, bounded=False)
    alone, beside = (statistics.median(rates[k]) for k in (False, True))
    print(f"\nnew alerts/s alone {alone:.0f}, beside questions {beside:.0f}: {beside / alone:.2f}  wanted >= {RATIO}  "
          f"{verdict(beside / alone >= RATIO)}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--incidents", type=int, default=1000000, help="(1000000; 7 GB of memory, 12 GB of disk)")
    p.add_argument("--resolved", type=float, default=0.95, help="share of them (0.95)")
    p.add_argument("--questions", type=int, default=2000, help="of each kind (2000)")
    p.add_argument("--rate", type=int, default=50, help="questions a second beside ingest (50)")
    p.add_argument("--seconds", type=int, default=10, help="of one measurement of ingest (10)")
    p.add_argument("--rounds", type=int, default=3)
    a = p.parse_args()
    folder = make_folder()
    with contextlib.ExitStack() as stack:
        stack.callback(remove_folder, folder)
        server = RedisServer(folder).start("--auto-aof-rewrite-percentage", "0")
        stack.callback(server.kill)
        rb = Runbookd(folder, conf={"redis": server.url, "worker": {"enabled": False}}).start()
        stack.callback(rb.close)
        redis = Redis(server.socket)
        incidents = Incidents(a.incidents, template_of(rb, redis))
        redis.ask("CONFIG", "SET", "appendfsync", "no")  # while it is filled
        before, begin = memory(redis), int(time.time() * 1000)
        took = load(redis, incidents, a.resolved)
        end = int(begin + took * 1000 / (1 + a.resolved))  # by then all were open
        redis.ask("CONFIG", "SET", "appendfsync", "always")
        print(f"{a.incidents} incidents, {ALERTS} alerts each, {a.resolved:.0%} resolved: filled in {took:.0f} s", flush=True)
        print_memory(redis, before, a.incidents)
        title("nothing beside")
        for name, ask in {**by_redis(redis, Questions(incidents, begin, end, 1)),
                          **by_api(rb.address, Questions(incidents, begin, end, 2))}.items():
            print_times(name, *take_times(ask, a.questions), bounded="regex" not in name)
        beside_ingest(rb, incidents, begin, end, a)


if __name__ == "__main__":
    main()
