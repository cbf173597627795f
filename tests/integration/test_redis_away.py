"""Redis stopped, hung, back: 503 at once and flat memory meanwhile, and all flows on without a restart."""
import signal
import statistics
import time

import pytest

from alerts import alert, notification
from harness import RedisServer, memory_bound, memory_kb, wait_for

RULES = """
rules:
  - name: look
    match: 'alertname = "DiskFull"'
    steps: [{runbook: note}]
"""
NOTE = """#!/bin/sh
# ---
# summary: Leaves a line for each time it was started
# kind: diagnose
# ---
echo "$LABEL_instance" >> DIR/ran
"""
GROWTH_KB = 16 * 1024


@pytest.fixture
def redis(folder):
    server = RedisServer(folder).start()
    yield server
    server.signal(signal.SIGCONT)
    server.kill()


@pytest.fixture
def server(runbookd, redis):
    conf = {"redis": redis.url, "redis_slow_after": "5s"}
    return runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf=conf).start()


def message(n):
    return notification([alert({"alertname": "DiskFull", "instance": f"db-{n}"}, annotations={"description": "x" * 5000})])


def everybody(rb):
    return [rb.process.pid, rb.pid("bridge"), rb.pid("worker")]


def post(rb, n):
    return rb.api("POST", "/ingest/alertmanager", message(n))


def check_refuses(rb):
    """503 with Retry-After, soon, and /-/ready says why."""
    wait_for(lambda: post(rb, 1).status == 503, "503 from ingest")
    took = []
    for n in range(2, 12):
        begin = time.monotonic()
        answer = post(rb, n)
        took.append(time.monotonic() - begin)
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0, answer
    assert statistics.median(took) < 1.0, took
    ready = rb.api("GET", "/-/ready")
    assert ready.status == 503 and "redis" in ready.text.lower(), ready
    assert rb.api("GET", "/-/healthy").status == 200
    assert rb.metric("runbookd_redis_up") == 0


def check_flows(rb, before):
    wait_for(lambda: rb.api("GET", "/-/ready").status == 200, "/-/ready after Redis is back")
    assert rb.post_alertmanager(message(1000))["new"] == 1
    wait_for(lambda: "db-1000" in rb.lines("ran"), "the run after Redis is back")
    assert rb.metric("runbookd_redis_up") == 1
    assert everybody(rb) == before, "something was restarted"


def test_redis_stops_and_comes_back(server, redis):
    before = everybody(server)
    assert server.post_alertmanager(message(0))["new"] == 1
    server.wait_run(state="succeeded")
    redis.kill()
    check_refuses(server)

    bridge = server.pid("bridge")
    server.post_many([message(n) for n in range(200)], connections=8)
    high = memory_kb(bridge, "VmHWM")
    answers = server.post_many([message(n) for n in range(2000)], connections=8)
    assert {a.status for a in answers} == {503}
    assert memory_kb(bridge, "VmHWM") - high < memory_bound(GROWTH_KB)

    redis.start()
    check_flows(server, before)
    assert len(server.lines("ran")) == 2, "what got a 503 must not have run"


def test_redis_hangs_and_goes_on(server, redis):
    before = everybody(server)
    assert server.post_alertmanager(message(0))["new"] == 1
    redis.signal(signal.SIGSTOP)
    check_refuses(server)
    redis.signal(signal.SIGCONT)
    check_flows(server, before)


def test_redis_is_away_from_the_start(runbookd, redis):
    redis.kill()
    rb = runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf={"redis": redis.url})
    rb.spawn()
    wait_for(lambda: rb.answers("/-/healthy"), "the bridge to listen")
    assert rb.api("GET", "/-/ready").status == 503
    assert post(rb, 1).status == 503
    redis.start()
    wait_for(lambda: rb.api("GET", "/-/ready").status == 200, "/-/ready once Redis is there")
    assert rb.post_alertmanager(message(1))["new"] == 1
    wait_for(lambda: rb.lines("ran") == ["db-1"], "the run")


@pytest.mark.parametrize(("options", "says"), [
    ([], []),
    (["--appendonly", "no"], ["CONFIG SET appendonly yes"]),
    (["--appendfsync", "everysec", "--maxmemory-policy", "allkeys-lru"],
     ["appendfsync is everysec", "CONFIG SET appendfsync always", "maxmemory-policy is allkeys-lru", "CONFIG SET maxmemory-policy noeviction"]),
    (["--rename-command", "CONFIG", ""], ["appendfsync and maxmemory-policy cannot be seen", "'appendfsync always'"]),
])
def test_redis_that_forgets_is_told_of(runbookd, folder, options, says):
    redis = RedisServer(folder).start(*options)
    try:
        rb = runbookd(conf={"redis": redis.url}).start()
        lines = rb.api("GET", "/-/ready").text.splitlines()
        assert lines[0] == "ready" and len(lines) == (2 if says else 1), lines
        warnings = [line for line in rb.log_text().splitlines() if "redis keeps too little" in line]
        assert len(warnings) == len(lines) - 1
        for text in says:
            assert text in lines[1] and text in warnings[0]
    finally:
        redis.kill()


def test_embedded_redis_with_everysec_is_a_choice(runbookd):
    rb = runbookd(conf={"redis_fsync": "everysec"}).start()
    assert rb.api("GET", "/-/ready").text == "ready\n"
    assert "redis keeps too little" not in rb.log_text()
