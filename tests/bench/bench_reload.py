"""make bench-reload: p99 of notifications while 10,000 rules are read again and again, beside p99 without.

wrk sends resends of known alerts; in every second measurement POST /-/reload is asked for again as soon as it has
answered, each time with other rules. Measurements take turns; figures are medians. docs/performance.md says how to read it.
"""
import argparse
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from bench_ingest import Server, wrk  # noqa: E402
from harness import Runbookd, http_request, make_folder, remove_folder  # noqa: E402
from many_rules import Generations  # noqa: E402

BOUND = 3.0


class Reloads(threading.Thread):
    """Asks for one reload after the other, each of other rules."""

    def __init__(self, rb, generations, first, pause, seconds):
        super().__init__()
        self.rb, self.generations, self.generation, self.pause = rb, generations, first, pause
        for generation in range(first, first + int(seconds / pause) + 1):
            generations.prepare(generation)  # writing them is no part of what is measured
        self.over, self.took, self.refused = threading.Event(), [], []

    def run(self):
        while not self.over.is_set():
            self.generations.put(self.generation)
            self.generation += 1
            begun = time.monotonic()
            answer = http_request(self.rb.address, "POST", "/-/reload")
            self.took.append(time.monotonic() - begun)
            if answer.status != 200:
                self.refused.append(answer)
            self.over.wait(self.pause)


def measure(server, args, run, reloads):
    if reloads:
        reloads.start()
    requests, rate, p99, errors = wrk(server, "a", args.connections, args.seconds, run)
    if reloads:
        reloads.over.set()
        reloads.join()
    for text in errors + (reloads.refused if reloads else []):
        print(f"  !! {text}")
    return requests, rate, p99, errors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rules", type=int, default=10000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between a reload's answer and the next one")
    args = parser.parse_args()
    folder = make_folder()
    rb = Runbookd(folder, conf={"limits": {"queue": 1000000}})
    generations, generation = Generations(rb, args.rules), 1
    failed, results = 0, {"without": [], "with": []}
    try:
        rb.start()
        server = Server(int(rb.address.rpartition(":")[2]), "/ingest/alertmanager", {})
        wrk(server, "a", args.connections, 1, 0)
        print(f"{'round':>5} {'reloads':>8} {'a reload, ms':>13} {'requests':>9} {'requests/s':>11} {'p99 ms':>7}")
        for r in range(args.rounds):
            for kind in results:
                reloads = Reloads(rb, generations, generation, args.pause, args.seconds) if kind == "with" else None
                requests, rate, p99, errors = measure(server, args, r, reloads)
                took = reloads.took if reloads else []
                generation = reloads.generation if reloads else generation
                failed += len(errors) + (len(reloads.refused) if reloads else 0)
                results[kind].append(p99)
                print(f"{r + 1:>5} {len(took):>8} {statistics.median(took) * 1000 if took else 0:>13.0f} {requests:>9} "
                      f"{rate:>11.0f} {p99:>7.2f}", flush=True)
    finally:
        rb.close()
        remove_folder(folder)
    without, during = (statistics.median(results[k]) for k in ("without", "with"))
    good = during <= BOUND * without and not failed
    print(f"p99 without {without:.2f} ms, with {during:.2f} ms; failed: {failed}")
    print(f"p99, with reloads to without: {during / without:.2f}  at most {BOUND:g}  {'good' if good else 'MISSED'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
