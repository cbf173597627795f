"""make bench-logs: lines a second and processor time a line, one core, by how lines are sent and how many patterns there are.

Lines are those of a small data centre (sshd, nginx, kernel, cron, a database, an application), one in a thousand is wanted by a pattern,
the patterns take turns. The bridge has one processor, the sender and Redis the other one. Beside it: sec (Debian) with the same
patterns, and grep -cP with one alternation of all of them. docs/performance.md says how to read it.
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from harness import Runbookd, make_folder, remove_folder  # noqa: E402

BLOCK = 100_000  # lines that are made; they are sent again with other times
BODY = 10_000  # lines a request
WANTED = 1000  # one line in so many
TICK = os.sysconf("SC_CLK_TCK")
DAEMONS = ["storage", "billing", "gateway", "indexer", "mailer", "scheduler", "replica", "cache", "auth", "crawler"]
FAULTS = ["connection pool exhausted", "checksum mismatch", "lease expired", "disk quota exceeded", "handshake refused", "queue overflow",
          "journal corrupt", "worker crashed", "upstream unreachable", "certificate rejected"]


def pattern(i):
    """The i-th pattern's name, regex, and a line that it wants."""
    daemon, fault = DAEMONS[i % 10], FAULTS[i // 10 % 10]
    number = i // 100
    return (f"p{i}", rf"{daemon}-{number} {fault} on (?<node>\S+) after (?<ms>\d+) ms",
            lambda r: f"app[77]: {daemon}-{number} {fault} on node-{r.randrange(4)} after {r.randrange(9999)} ms")


def noise(r):
    ip = f"10.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(256)}"
    pid = r.randrange(300, 60000)
    return r.choice([
        lambda: f"sshd[{pid}]: Accepted publickey for deploy from {ip} port {r.randrange(1024, 65535)} ssh2: ED25519 SHA256:{r.randrange(1 << 60):x}",
        lambda: f"nginx: {ip} - - \"GET /api/v1/items/{r.randrange(10 ** 6)}?page={r.randrange(50)} HTTP/1.1\" 200 {r.randrange(50000)} \"-\" \"Mozilla/5.0\" 0.{r.randrange(999):03}",
        lambda: f"kernel: [{r.randrange(10 ** 6)}.{r.randrange(10 ** 6):06}] eth0: link is up at 1000 Mbps, full duplex",
        lambda: f"CRON[{pid}]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)",
        lambda: f"postgres[{pid}]: LOG:  duration: {r.randrange(900)}.{r.randrange(999)} ms  statement: SELECT id, name FROM items WHERE owner = {pid}",
        lambda: f"gateway[{pid}]: level=info msg=\"request done\" status=200 path=/orders/{r.randrange(10 ** 7)} took={r.randrange(400)}ms node=node-{r.randrange(40)}",
        lambda: f"systemd[1]: Started Session {r.randrange(90000)} of User deploy.",
        lambda: f"storage[{pid}]: connection from {ip} on node-{r.randrange(40)} closed after {r.randrange(9999)} ms",
    ])()


def block(patterns, seed):
    """BLOCK messages without their headers, one in WANTED for a pattern."""
    r = random.Random(seed)
    return [pattern(r.randrange(patterns))[2](r) if i % WANTED == WANTED - 1 else noise(r) for i in range(BLOCK)]


def stamps(second):
    at = time.time() + second % 60
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)), int(at * 1e9)


def as_text(messages, second):
    iso, _ = stamps(second)
    return "".join(f"{iso}.{i % 1000:03}Z host-{i % 50} {m}\n" for i, m in enumerate(messages)).encode()


def parts(message):
    program, _, text = message.partition(": ")
    return program.partition("[")[0], text


def as_ndjson(messages, second):
    iso, _ = stamps(second)
    return "".join(json.dumps({"time": f"{iso}.{i % 1000:03}Z", "host": f"host-{i % 50}", "program": parts(m)[0], "message": parts(m)[1]}) + "\n"
                   for i, m in enumerate(messages)).encode()


def as_loki(messages, second):
    _, ns = stamps(second)
    streams = [{"stream": {"host": f"host-{h}", "job": "syslog"},
                "values": [[str(ns + i), parts(m)[1]] for i, m in enumerate(messages[h::50])]} for h in range(50)]
    return json.dumps({"streams": streams}).encode()


FORMS = {"text": (as_text, "/ingest/logs", "text/plain"), "ndjson": (as_ndjson, "/ingest/logs", "application/x-ndjson"),
         "loki": (as_loki, "/loki/api/v1/push", "application/json")}


def bodies(form, messages, second):
    return [FORMS[form][0](messages[i:i + BODY], second) for i in range(0, len(messages), BODY)]


def patterns_text(n):
    out = ["patterns:"]
    for i in range(n):
        name, regex, _ = pattern(i)
        out.append(f"  - {{name: {name}, match: '{regex}', threshold: {{count: 5, within: 1m, by: [node]}}, resolve: {{after: 5m}}}}")
    return "\n".join(out) + "\n"


def used(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def send(address, form, blocks, connections):
    """Sends all of it over so many connections; lines that were taken, and matched."""
    _, path, kind = FORMS[form]
    host, _, port = address.rpartition(":")

    def client(part):
        c = http.client.HTTPConnection(host, int(port), timeout=300)
        matched = 0
        for body in part:
            c.request("POST", path, body, {"Content-Type": kind})
            answer = c.getresponse()
            text = answer.read()
            assert answer.status in (200, 204), (answer.status, text[:300])
            matched += json.loads(text)["matched"] if answer.status == 200 else 0
        return matched

    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        return sum(pool.map(client, [blocks[i::connections] for i in range(connections)]))


def measure(form, n, args):
    folder = make_folder()
    rb = Runbookd(folder, conf={"worker": {"enabled": False}}, rules={"patterns.yml": patterns_text(n)})
    try:
        rb.start()
        pid, cores = rb.pid("bridge"), sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(pid, {cores[0]})
        if len(cores) > 1:
            os.sched_setaffinity(0, set(cores[1:]))
            os.sched_setaffinity(rb.pid("redis"), set(cores[1:]))
        made = [block(n, seed) for seed in range(args.blocks)]
        lines = took = cpu = matched = 0
        for turn in range(args.lines // (BLOCK * args.blocks)):
            sent = [b for k, m in enumerate(made) for b in bodies(form, m, turn * args.blocks + k)]
            before, begun = used(pid), time.monotonic()
            matched += send(rb.address, form, sent, args.connections)
            took += time.monotonic() - begun
            cpu += used(pid) - before
            lines += BLOCK * args.blocks
        counted = rb.metric("runbookd_log_lines_matched_total")
        assert counted == lines / WANTED, (counted, lines / WANTED)
        os.sched_setaffinity(0, set(cores))
        return lines / took, cpu * 1e9 / lines
    finally:
        rb.close()
        remove_folder(folder)


def beside(n, args):
    """sec and grep on the same lines, as text in a file."""
    folder = make_folder()
    lines, rules = folder / "lines", folder / "rules.sec"
    count = min(args.lines, args.beside)
    with open(lines, "wb") as out:
        for k in range(count // BLOCK):
            out.write(as_text(block(n, k), k))
    rules.write_text("".join(f"type=SingleWithThreshold\nptype=RegExp\npattern={pattern(i)[1]}\ndesc={pattern(i)[0]} $+{{node}}\n"
                             "action=none\nwindow=60\nthresh=5\n\n" for i in range(n)))
    alternation = "|".join(pattern(i)[1].replace("?<node>", "?:").replace("?<ms>", "?:") for i in range(n))
    commands = {"grep -cP": ["grep", "-cP", alternation, str(lines)]}
    if shutil.which("sec"):
        commands["sec"] = ["sec", f"--conf={rules}", f"--input={lines}", "--notail", "--quiet", "--log=/dev/null"]
    else:
        print("sec is not installed: apt-get install sec")
    found = {}
    for name, command in commands.items():
        begun = time.monotonic()
        with open(folder / "out", "wb") as out:
            subprocess.run(["taskset", "-c", "0", *command], stdout=out, stderr=subprocess.STDOUT, check=False)
        took = time.monotonic() - begun
        found[name] = count / took
        print(f"{name:>9} {n:>8} {count / took:>11,.0f}", flush=True)
    remove_folder(folder)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--beside", type=int, default=200_000, help="lines that sec and grep are given")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--forms", default="text,ndjson,loki")
    parser.add_argument("--patterns", default="10,100,1000")
    args = parser.parse_args()
    print(f"{'sent as':>9} {'patterns':>8} {'lines/s':>11} {'CPU ns a line':>14}")
    cost, speed = {}, {}
    for form in args.forms.split(","):
        for n in map(int, args.patterns.split(",") if form == "text" else ["100"]):
            speed[form, n], cost[form, n] = measure(form, n, args)
            print(f"{form:>9} {n:>8} {speed[form, n]:>11,.0f} {cost[form, n]:>14,.0f}", flush=True)
    other = beside(100, args)
    if ("text", 100) in speed and "sec" in other:
        print(f"text at 100 patterns is {speed['text', 100] / other['sec']:.0f} times sec")
    if ("text", 10) in cost and ("text", 1000) in cost:
        print(f"a line costs {cost['text', 1000] / cost['text', 10]:.2f} times as much at 1,000 patterns as at 10")


if __name__ == "__main__":
    main()
