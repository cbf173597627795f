"""Rules are read again under load: no request fails or sees half of them, and the new ones are in force when a reload answers."""
import http.client
import os
import signal
import threading
import time

import pytest

from alerts import alert, notification
from harness import DEADLINE, request_on, wait_for
from many_rules import FILES, Generations, generations_of

RULES = 10000
RELOADS = 20  # fifty are `make bench-reload BENCH_ARGS="--rounds 9"`: each takes ASan 3 s, and 15 beside other tests
CLIENTS = 3
BEFORE = 1000  # requests before the first reload


class Load(threading.Thread):
    """A client that posts new alerts until it is told to stop: (begun, ended, status, generations, marks) of each request."""

    def __init__(self, rb, number):
        super().__init__()
        self.rb, self.number, self.seen, self.failed = rb, number, [], None
        self.over = threading.Event()

    def run(self):
        host, _, port = self.rb.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)
        try:
            while not self.over.is_set():
                self.post(connection)
        except Exception as e:  # what a client sees is the result of the test
            self.failed = e
        finally:
            connection.close()

    def post(self, connection):
        name = f"host-{self.number}-{len(self.seen)}"
        payload = notification([alert({"alertname": "X", "job": "load", "instance": f"{name}-{k}"}) for k in range(2)])
        begun = time.monotonic()
        answer = request_on(connection, "POST", "/ingest/alertmanager", payload)
        ended = time.monotonic()
        found, marks = generations_of(answer.json()["decisions"]) if answer.status == 200 else (set(), 0)
        self.seen.append((begun, ended, answer.status, found, marks))


def p99(seen):
    took = sorted(ended - begun for begun, ended, *_ in seen)
    return took[int(len(took) * 0.99)] * 1000


def number_of(generations):
    (one,) = generations
    return int(one[1:])


@pytest.fixture
def server(runbookd):
    rb = runbookd()
    rb.generations = Generations(rb, RULES)
    return rb.start()


def run_load(server, reloads):
    """Load before, during and after `reloads`: [(asked, answered)] and all requests."""
    load = [Load(server, n) for n in range(CLIENTS)]
    for client in load:
        client.start()
    times = []
    try:
        wait_for(lambda: sum(len(c.seen) for c in load) >= BEFORE or any(c.failed for c in load), "requests before reloads")
        for n in range(1, reloads + 1):
            server.generations.put(n)
            asked = time.monotonic()
            answer = server.api("POST", "/-/reload")
            assert answer.status == 200, answer
            times.append((asked, time.monotonic()))
        after = sum(len(c.seen) for c in load) + 20 * CLIENTS
        wait_for(lambda: sum(len(c.seen) for c in load) >= after or any(c.failed for c in load), "requests after them")
    finally:
        for client in load:
            client.over.set()
        for client in load:
            client.join(DEADLINE)
    assert [c.failed for c in load if c.failed] == []
    return times, [s for c in load for s in c.seen]


def test_twenty_reloads_of_ten_thousand_rules_under_load(server):
    times, seen = run_load(server, RELOADS)
    assert {status for _, _, status, _, _ in seen} == {200}
    for begun, ended, _, found, marks in seen:
        # All rules of one generation decide on both alerts, and of no other one.
        assert len(found) == 1 and marks == 2 * FILES, (found, marks)
        at_least = sum(answered <= begun for _, answered in times)
        at_most = sum(asked <= ended for asked, _ in times)
        assert at_least <= number_of(found) <= at_most
    assert number_of(max(seen)[3]) == RELOADS
    assert server.metric("runbookd_config_reload_success") == 1

    before = [s for s in seen if s[1] < times[0][0]]
    during = [s for s in seen if s[0] > times[0][0] and s[1] < times[-1][1]]
    print(f"\np99 without reloads {p99(before):.1f} ms ({len(before)} requests), during {p99(during):.1f} ms ({len(during)});"
          f" a reload answered after {sum(b - a for a, b in times) / len(times) * 1000:.0f} ms")


def test_reloads_at_the_same_time_all_answer_for_the_files_of_their_time(server):
    """Many ask while one load runs: each answer is of a load that began after the question."""
    server.generations.put(1)
    answers = []

    def ask():
        answers.append(server.api("POST", "/-/reload"))
    threads = [threading.Thread(target=ask) for _ in range(20)]
    for t in threads:
        t.start()
    os.kill(server.pid("bridge"), signal.SIGHUP)
    for t in threads:
        t.join(DEADLINE)
    assert [a.status for a in answers] == [200] * 20
    assert len({a.json()["ruleset_hash"] for a in answers}) == 1
    assert server.get("/api/v1/rules", limit=1)["items"][0]["name"].startswith("g1-")
    assert server.get("/api/v1/rules", limit=1)["ruleset_hash"] == answers[0].json()["ruleset_hash"]


def test_a_refused_reload_under_load_keeps_the_rules(server):
    server.generations.put(1)
    (server.generations.prepared[1] / "19.yml").write_text("rules: [{name: g1-broken}]\n")
    answer = server.api("POST", "/-/reload")
    assert answer.status == 422 and "19.yml:1:" in answer.json()["detail"], answer
    decisions = server.post_alertmanager(notification([alert({"alertname": "X", "job": "load"})]))["decisions"]
    assert generations_of(decisions) == ({"g0"}, FILES)


def test_a_stop_while_rules_are_read_ends_as_any_other(server):
    """SIGTERM right behind a SIGHUP: the load that it began is let go of."""
    server.generations.put(1)
    bridge = server.pid("bridge")
    os.kill(bridge, signal.SIGHUP)
    assert server.stop() == 0
    assert "refused" not in server.log_text()
