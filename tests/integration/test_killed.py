"""kill -9 of the bridge, the worker or Redis at random moments under load loses nothing that got a 2xx, and runs nothing twice.

Fifty kills, in five rounds, since runbookd waits longer before each start of a program that keeps dying.
RUNBOOKD_TEST_SEED repeats a round's sequence of kills; a failure prints the one it had.
"""
import http.client
import os
import random
import threading
from collections import Counter

import pytest

from alerts import alert, notification
from harness import PAUSE, http_request, wait_for

ROUNDS, KILLS = 5, 10
CLIENTS = 4
SPREAD = 0.4  # seconds within which the next kill falls
RULES = """
rules:
  - name: once
    match: 'alertname = "Load", kind = "once"'
    steps:
      - runbook: once
        with: {n: "{{ labels.n }}"}
  - name: again
    match: 'alertname = "Load", kind = "again"'
    steps:
      - runbook: again
        with: {n: "{{ labels.n }}"}
"""
HANG = """
  - name: hangs-once
    match: 'alertname = Hangs'
    steps: [{runbook: hangs-once}]
  - name: hangs-again
    match: 'alertname = Hangs'
    steps: [{runbook: hangs-again}]
"""
HANGING = """#!/bin/sh
# ---
# summary: Does not end by itself the first time
# kind: diagnose
# timeout: 1h
# idempotent: IDEMPOTENT
# ---
echo begun >> DIR/hanging-KIND
[ "$RUNBOOK_ATTEMPT" != 1 ] || exec tail -f /dev/null
"""
RUNBOOK = """#!/bin/sh
# ---
# summary: Takes a moment, so that a kill may hit it
# kind: diagnose
# idempotent: IDEMPOTENT
# retries: {max: 100, backoff: 100ms}
# params:
#   n: {type: int, required: true}
# ---
echo "$PARAM_n $RUNBOOK_RUN $RUNBOOK_ATTEMPT" >> DIR/began-KIND
timeout 0.05 tail -f /dev/null
echo "$PARAM_n $RUNBOOK_RUN $RUNBOOK_ATTEMPT" >> DIR/ended-KIND
"""
ONCE = RUNBOOK.replace("IDEMPOTENT", "false").replace("# retries: {max: 100, backoff: 100ms}\n", "").replace("KIND", "once")
AGAIN = RUNBOOK.replace("IDEMPOTENT", "true").replace("KIND", "again")
HANGS = {f"hangs-{kind}.sh": HANGING.replace("IDEMPOTENT", safe).replace("KIND", kind) for kind, safe in (("once", "false"), ("again", "true"))}


class Load:
    """Clients that post alerts one by one, each as long as it takes to get a 2xx, as Alertmanager would."""

    def __init__(self, rb):
        self.rb, self.stop = rb, threading.Event()
        self.lock, self.n = threading.Lock(), 0
        self.accepted, self.refused = [], Counter()
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def client(self):
        while not self.stop.is_set():
            with self.lock:
                n, self.n = self.n, self.n + 1
            kind = "once" if n % 2 else "again"
            labels = {"alertname": "Load", "kind": kind, "n": str(n), "instance": f"host-{n // 10}"}
            payload = notification([alert(labels, starts_at="2026-11-22T19:19:32Z")])
            while not self.post(payload):
                self.stop.wait(PAUSE)
            with self.lock:
                self.accepted.append(n)
            self.stop.wait(PAUSE)

    def post(self, payload):
        try:
            status = http_request(self.rb.address or "127.0.0.1:1", "POST", "/ingest/alertmanager", payload).status
        except (OSError, http.client.HTTPException) as e:
            status = type(e).__name__
        if status != 200:
            with self.lock:
                self.refused[status] += 1
        return status == 200

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(timeout=60)
        assert not any(t.is_alive() for t in self.threads), "a notification was never accepted"


def kill_at_random(rb, rng, load):
    """KILLS kills in a random order, each at a random moment after the one before was noticed and mended."""
    names = ["bridge", "worker", "redis"] * (KILLS // 3)
    # Not the worker: a run outlives three of them, and is rightly lost with the fourth.
    names += rng.choices(["bridge", "redis"], k=KILLS - len(names))
    rng.shuffle(names)
    for name in names:
        load.stop.wait(rng.uniform(0, SPREAD))
        old = rb.kill9(name)
        wait_for(lambda: any(p != old for p in rb.pids(name)), f"a new {name}")


def columns(rb, name):
    return [line.split() for line in rb.lines(name)]


def check_nothing_lost(rb, load):
    known = {int(a["labels"]["n"]): a for a in rb.items("alerts") if a["labels"]["alertname"] == "Load"}
    assert set(load.accepted) <= set(known), f"lost: {sorted(set(load.accepted) - set(known))}"
    assert sorted(load.accepted) == list(range(load.n))
    assert {a["occurrences"] for a in known.values()} == {1}


def check_nothing_ran_twice(rb, load, runs):
    of_n = Counter(int(r["params"]["n"]) for r in runs)
    assert of_n == Counter(range(load.n)), [n for n, c in of_n.items() if c != 1]
    began = Counter(n for n, _, _ in columns(rb, "began-once"))
    assert max(began.values()) == 1, [n for n, c in began.items() if c > 1]
    attempts = Counter((run, attempt) for _, run, attempt in columns(rb, "began-again"))
    assert max(attempts.values()) == 1, [a for a, c in attempts.items() if c > 1]
    once = [r for r in runs if r["rule"] == "once"]
    assert {r["attempt"] for r in once} == {1}
    assert {r["state"] for r in once} <= {"succeeded", "lost"}
    assert all(r["reason"] for r in once if r["state"] == "lost")
    assert {r["state"] for r in runs if r["rule"] == "again"} == {"succeeded"}


def check_what_hung(rb, runs):
    """The first kill of a worker hit both, whatever the load was."""
    of = {r["rule"]: r for r in runs}
    assert (of["hangs-once"]["state"], of["hangs-once"]["attempt"]) == ("lost", 1) and len(rb.lines("hanging-once")) == 1
    assert of["hangs-again"]["state"] == "succeeded" and of["hangs-again"]["attempt"] > 1


def check_interrupted_are_in_the_audit(rb, runs):
    """Each run that was lost or had to be tried again."""
    interrupted = {r["id"] for r in runs if r["state"] == "lost" or r["attempt"] > 1}
    told = {}
    for entry in rb.items("audit"):
        told.setdefault(entry.get("run"), []).append(entry)
    missing = [run for run in interrupted if run not in told]
    assert not missing, missing
    assert all(any("lost" in str(e) or "queued" in str(e) for e in told[run]) for run in interrupted)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kill_9_at_random_moments_under_load(runbookd, turn):
    seed = int(os.environ.get("RUNBOOKD_TEST_SEED", random.randrange(1 << 32)))
    print(f"round {turn}, RUNBOOKD_TEST_SEED={seed}")
    rb = runbookd(rules=RULES + HANG, runbooks={"once.sh": ONCE, "again.sh": AGAIN, **HANGS}).start()
    rb.post_alertmanager(notification([alert({"alertname": "Hangs"})]))
    wait_for(lambda: rb.lines("hanging-once") and rb.lines("hanging-again"), "the runs that the first kill of a worker hits")
    load = Load(rb)
    try:
        kill_at_random(rb, random.Random(seed), load)
    finally:
        load.end()
    print(f"{load.n} notifications, refused meanwhile: {dict(load.refused)}")
    rb.wait_ready()
    runs = rb.wait_settled(deadline=180)
    print(Counter((r["rule"], r["state"], r["attempt"]) for r in runs))
    check_nothing_lost(rb, load)
    check_what_hung(rb, runs)
    check_nothing_ran_twice(rb, load, [r for r in runs if not r["rule"].startswith("hangs")])
    check_interrupted_are_in_the_audit(rb, runs)
