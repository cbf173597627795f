"""The bridge as a program: what it refuses to work with, what it writes down of itself, what memory it gives back."""
import os
import signal

import pytest

from alerts import alert, notification
from harness import DEADLINE, RedisServer, memory_bound, memory_kb, program, spawn, wait_for

RULES = "rules:\n  - name: old\n    match: 'alertname = \"X\"'\n    steps: [{runbook: note}]\n"
NOTE = "#!/bin/sh\n# ---\n# summary: Does nothing\n# kind: diagnose\n# ---\n"


@pytest.fixture
def redis(folder):
    server = RedisServer(folder).start()
    yield server
    server.kill()


@pytest.fixture
def make(runbookd):
    def make(**conf):
        return runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf=conf)
    return make


def audit(rb, what):
    return [a for a in rb.items("audit") if a["what"] == what]


def test_data_of_a_newer_version_is_not_touched(make):
    rb = make(worker={"enabled": False}).start()
    wait_for(lambda: audit(rb, "start"), "its own start in the audit")
    rb.redis_cli("HSET", "rb:{default:0}:meta", "schema", "99")
    entries = rb.redis_cli("XLEN", "rb:{default:0}:audit")
    log = rb.folder / "other.log"
    bridge = spawn([program("runbook-bridge"), "-c", str(rb.conf_path)], log, cwd=rb.folder)
    assert bridge.wait(timeout=DEADLINE) == 4
    assert "schema 99" in log.read_text() and "newer" in log.read_text()
    assert rb.redis_cli("XLEN", "rb:{default:0}:audit") == entries


def test_start_and_reload_are_in_the_audit(make):
    rb = make().start()
    [start] = audit(rb, "start")
    rb.write_rules(RULES.replace("old", "new"))
    assert rb.api("POST", "/-/reload").status == 200
    reload = wait_for(lambda: audit(rb, "reload"), "the reload in the audit")[0]
    assert reload["who"] in ("http", "file change")
    assert reload["ruleset_hash"] == rb.get("/api/v1/rules")["ruleset_hash"] != start["ruleset_hash"]


def test_reload_while_redis_is_away_is_in_the_audit_after(make, redis):
    rb = make(redis=redis.url).start()
    redis.kill()
    wait_for(lambda: rb.api("GET", "/-/ready").status == 503, "Redis to be missed")
    rb.write_rules(RULES.replace("old", "new"))
    assert rb.api("POST", "/-/reload").status == 200
    redis.start()
    wait_for(lambda: rb.api("GET", "/-/ready").status == 200, "Redis to be back")
    wait_for(lambda: audit(rb, "reload"), "the reload in the audit")


@pytest.mark.parametrize("alerts, size", [(5000, 2000), (40, 500000)])
def test_memory_of_a_large_message_is_given_back(make, alerts, size):
    rb = make().start()
    bridge = rb.pid("bridge")
    rb.post_alertmanager(notification([alert({"alertname": "Y", "n": "first"})]))
    before = memory_kb(bridge)
    many = notification([alert({"alertname": "Y", "n": str(n)}, annotations={"text": "x" * size}) for n in range(alerts)])
    assert rb.post_alertmanager(many)["new"] == alerts
    wait_for(lambda: memory_kb(bridge) - before < memory_bound(16 * 1024), "the memory to be given back")


def test_second_bridge_on_the_same_address_says_so(make):
    rb = make().start()
    rb.configure({"http": {"listen": [rb.address]}})
    log = rb.folder / "other.log"
    bridge = spawn([program("runbook-bridge"), "-c", str(rb.conf_path)], log, cwd=rb.folder)
    assert bridge.wait(timeout=DEADLINE) == 1
    assert rb.conf["http"]["listen"][0] in log.read_text() and "in use" in log.read_text()


def test_sigint_and_sigterm_end_it_well(make, redis):
    rb = make(redis=redis.url)
    for sig in (signal.SIGINT, signal.SIGTERM):
        (rb.state_dir / "http.addr").unlink(missing_ok=True)
        bridge = spawn([program("runbook-bridge"), "-c", str(rb.conf_path)], rb.log, cwd=rb.folder)
        wait_for(lambda: rb.answers("/-/ready"), "the bridge to be ready")
        os.kill(bridge.pid, sig)
        assert bridge.wait(timeout=DEADLINE) == 0
