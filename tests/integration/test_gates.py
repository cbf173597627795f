"""Rules over several events, on real programs: all_of, sequence, threshold, absent; each gate ends once, whatever is killed meanwhile."""
import json
import random
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from alerts import alert, notification
from harness import DEADLINE, RedisServer, program, wait_for

KEY = "rb:{default:0}:"
T0 = 1735689600000
BUILT, SCANNED = "artifact_ready", "SAST_scan_successful"
RULES = """
rules:
  - name: deploy
    all_of: ['event.type = "artifact_ready"', 'event.type = "SAST_scan_successful"']
    by: [data.repo, data.sha]
    within: WITHIN
    steps: [{runbook: note, with: {what: "deploy {{ data.sha }}"}}]
    on_timeout: [{runbook: note, with: {what: "back {{ data.sha }}"}}]
  - name: ordered
    sequence: ['event.type = "migrated"', 'event.type = "restarted"']
    within: WITHIN
    steps: [{runbook: note, with: {what: "ordered"}}]
  - name: often
    match: 'event.type = "login_failed"'
    threshold: {count: 3, within: 1m, by: [data.ip]}
    steps: [{runbook: note, with: {what: "deny {{ data.ip }}"}}]
  - name: silent
    absent: 'event.type = "heartbeat"'
    every: 3s
    by: [data.host]
    steps: [{runbook: note, with: {what: "silent {{ data.host }}"}}]
  - name: both
    all_of: [alertname = Db, alertname = Web]
    within: 1h
    steps: [{runbook: note, with: {what: both}}]
"""
NOTE = """#!/bin/sh
# ---
# summary: Notes what for
# kind: diagnose
# idempotent: true
# params:
#   what: {required: true}
# ---
cat > "DIR/stdin.$RUNBOOK_RUN"
echo "$PARAM_what" >> DIR/notes
"""
FREE = {"limits": {"runs": "none", "hosts": "none"}, "correlation": [{"by": ["instance"], "window": "10m"}]}


def started(runbookd, within="1h", **more):
    return runbookd(rules=RULES.replace("WITHIN", within), runbooks={"note.sh": NOTE}, conf={**FREE, **more}).start()


def emit(rb, kind, at=None, **data):
    event = {"type": kind, "data": data, **({"time": at.isoformat()} if at else {})}
    [decision] = rb.api("POST", "/api/v1/events", event).json()["decisions"]
    return decision


def part(rb, kind, sha, at=None):
    return emit(rb, kind, at, repo="shop", sha=sha)


def now():
    return datetime.now(timezone.utc)


def notes(rb):
    return sorted(rb.lines("notes")) if (rb.folder / "notes").exists() else []


def noted(rb, *want):
    def there():
        seen = notes(rb)
        assert len(seen) <= len(want), seen
        return seen == sorted(want)
    wait_for(there, f"the notes {sorted(want)}")


def ended(rb, n):
    """A run of which nobody knows yet that it ended is run again after a kill: its runbook may be repeated."""
    wait_for(lambda: [r["state"] for r in rb.items("runs")] == ["succeeded"] * n, f"{n} runs to have ended")


@pytest.mark.parametrize("first, second", [(BUILT, SCANNED), (SCANNED, BUILT)])
def test_passes_in_either_order_and_keeps_two_commits_apart(runbookd, first, second):
    rb = started(runbookd)
    a = part(rb, first, "a")
    assert a["decision"] == "pending" and a["run"] is None
    assert a["reason"].startswith(f'1 of 2: waits for event.type = "{second}" until 20')
    assert part(rb, second, "b")["decision"] == "pending"
    passed = part(rb, second, "a")
    assert (passed["decision"], passed["reason"]) == ("run", "all 2 came")
    noted(rb, "deploy a")
    # The run is of the event that completed it, and is told of the other one.
    told = json.loads((rb.folder / f"stdin.{passed['run']}").read_text())
    assert told["event"]["id"] == passed["event"] and told["event"]["type"] == second
    assert told["events"] == [a["event"]]
    assert part(rb, first, "b")["decision"] == "run"
    noted(rb, "deploy a", "deploy b")
    assert emit(rb, BUILT, repo="", sha="")["decision"] == "error"


def test_times_out_once_and_says_what_was_missing(runbookd):
    rb = started(runbookd, within="1s")
    first = part(rb, BUILT, "a")
    noted(rb, "back a")
    [run] = rb.items("runs")
    assert run["event"] == first["event"] and run["rule"] == "deploy"
    [row] = [r for r in rb.items("audit") if r.get("run") == run["id"] and r["to"] == "queued"]
    assert row["reason"].startswith("on_timeout of rule 'deploy'")
    assert rb.metric("runbookd_decisions_total", rule="deploy", decision="run") == 1
    # What comes too late is told so.
    received = rb.get(f"/api/v1/events/{first['event']}")["received"]
    late = part(rb, SCANNED, "a", datetime.fromisoformat(received.replace("Z", "+00:00")))
    assert late["decision"] == "limit" and "too late" in late["reason"]


def test_a_late_event_counts_by_when_it_happened(runbookd):
    rb = started(runbookd, within="5m")
    assert part(rb, BUILT, "a")["decision"] == "pending"
    assert part(rb, SCANNED, "a", now() - timedelta(minutes=4))["decision"] == "run"
    late = part(rb, BUILT, "b", now() - timedelta(minutes=11))
    assert late["decision"] == "limit" and "limits.gate_late is 10m" in late["reason"]
    restarted = emit(rb, "restarted", now() - timedelta(seconds=30))
    assert restarted["decision"] == "pending"
    assert emit(rb, "migrated", now() - timedelta(seconds=60))["reason"] == "all 2 came in order"
    noted(rb, "deploy a", "ordered")


def test_everything_is_killed_midway(runbookd):
    rb = started(runbookd)
    part(rb, BUILT, "a")
    emit(rb, "login_failed", ip="7")
    emit(rb, "login_failed", ip="7")
    rb.kill9_all()
    rb.start()
    assert part(rb, SCANNED, "a")["decision"] == "run"
    assert emit(rb, "login_failed", ip="7")["reason"] == "3 within 1m"
    noted(rb, "deny 7", "deploy a")


def test_a_gate_that_was_over_while_all_were_down(runbookd):
    rb = started(runbookd, within="1s", worker={"enabled": False})  # so that no kill hits a run
    part(rb, BUILT, "a")
    over = time.time() + 1
    rb.kill9_all()
    rb.configure({"worker": {"enabled": True}})
    wait_for(lambda: time.time() > over, "the time when it was over")
    rb.start()
    noted(rb, "back a")
    ended(rb, 1)
    rb.kill9_all()
    rb.start()
    assert len(rb.items("runs")) == 1


def test_absent_fires_once_also_across_a_downtime(runbookd):
    rb = started(runbookd)
    beat = emit(rb, "heartbeat", host="a")
    assert beat["decision"] == "pending" and beat["reason"].startswith("runs if no other one came until 20")
    noted(rb, "silent a")
    [run] = rb.items("runs")
    heard = rb.get(f"/api/v1/events/{beat['event']}")["received"]
    assert run["event"] == beat["event"]
    assert 3 <= (stamp(run["queued"]) - stamp(heard)) < 60
    ended(rb, 1)
    # Again only after one came; it is due while nobody is there, and no worker before, whose run a kill would hit.
    assert rb.stop() == 0
    rb.configure({"worker": {"enabled": False}})
    rb.start()
    emit(rb, "heartbeat", host="a")
    due = time.time() + 3
    rb.kill9_all()
    rb.configure({"worker": {"enabled": True}})
    wait_for(lambda: time.time() > due, "the time when it was due")
    rb.start()
    noted(rb, "silent a", "silent a")
    ended(rb, 2)
    rb.kill9_all()
    rb.start()
    assert notes(rb) == ["silent a", "silent a"]
    assert len(rb.items("runs")) == 2


def stamp(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_absent_without_by_is_watched_from_the_load(runbookd):
    rb = runbookd(rules="""
rules:
  - name: nothing-at-all
    absent: 'event.type = "heartbeat"'
    every: 1s
    steps: [{runbook: note, with: {what: "nothing"}}]
""", runbooks={"note.sh": NOTE}, conf=FREE).start()
    noted(rb, "nothing")
    [run] = rb.items("runs")
    event = rb.get(f"/api/v1/events/{run['event']}")
    assert (event["source"], event["type"], event["labels"]) == ("runbookd", "absent", {"rule": "nothing-at-all"})


def test_absent_hears_the_repetitions_of_an_alert(folder):
    """As of a Watchdog that Alertmanager sends for ever: a duplicate, which asks no rule."""
    for name in ("rules", "runbooks"):
        (folder / name).mkdir(mode=0o755)
    (folder / "rules" / "deaf.yml").write_text("""
rules:
  - name: deaf
    absent: alertname = Watchdog
    every: 5m
    steps: [{runbook: note, with: {what: deaf}}]
""")
    (folder / "rules" / "deaf.test.yml").write_text("""
tests:
  - name: deaf once at each silence
    exact: true
    events:
EVENTS
    expect:
      - {at: 17m, rule: deaf, runbook: note, with: {what: deaf}}
      - {at: 75m, rule: deaf, runbook: note, with: {what: deaf}}
""".replace("EVENTS", "\n".join(f"      - {{at: {m}m, alert: {{labels: {{alertname: Watchdog}}}}}}"
                                for m in [0, 4, 8, 12, *range(18, 71, 4)])))
    (folder / "runbooks" / "note.sh").write_text(NOTE.replace("DIR", str(folder)))
    (folder / "runbooks" / "note.sh").chmod(0o755)
    done = subprocess.run([program("runbookctl"), "test", "rules/deaf.test.yml"], cwd=folder, capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.returncode == 0 and "1 passed, 0 failed" in done.stdout, done


def test_a_resolve_takes_its_part_back(runbookd):
    rb = started(runbookd)

    def fire(name, status="firing", starts="2026-11-22T19:19:32Z"):
        labels = {"alertname": name, "instance": "a"}
        answer = rb.post_alertmanager(notification([alert(labels, status, starts_at=starts)]))
        return [d["decision"] for d in answer["decisions"]]

    assert fire("Db") == ["pending"]
    assert fire("Db") == ["duplicate"]
    fire("Db", "resolved")
    assert fire("Web") == ["pending"]
    assert fire("Db", starts="2026-11-22T20:19:32Z") == ["run"]
    noted(rb, "both")


def test_rules_and_explain_tell_of_it(runbookd):
    rb = started(runbookd)
    deploy = next(r for r in rb.items("rules") if r["name"] == "deploy")
    assert deploy["match"] == 'all_of(event.type = "artifact_ready"; event.type = "SAST_scan_successful")'
    assert deploy["gate"]["kind"] == "all_of" and deploy["gate"]["within"] == "1h"
    assert deploy["gate"]["by"] == ["data.repo", "data.sha"]
    assert [s["runbook"] for s in deploy["gate"]["on_timeout"]] == ["note"]
    first = part(rb, BUILT, "a")
    answer = rb.api("POST", "/api/v1/explain", {"event": first["event"], "rule": "deploy"}).json()
    [row] = answer["events"][0]["rules"]
    assert row["decision"] == "pending" and row["reason"].startswith("1 of 2: waits for ")
    # Asked, not done.
    other = {"type": SCANNED, "data": {"repo": "shop", "sha": "a"}}
    answer = rb.api("POST", "/api/v1/explain", {"source": "emit", "payload": other, "rule": "deploy"}).json()
    assert answer["events"][0]["rules"][0]["reason"].startswith("all 2 came")
    assert rb.items("runs") == []


def test_ten_thousand_gates_over_two_bridges_end_once_each(folder, runbookd):
    """Half of them pass, their parts at either bridge in any order. Over the others the time runs out while events still
    come for some, at either bridge: whoever is first ends them. The clock is Redis's, and driven here."""
    redis = RedisServer(folder).start()
    redis.drive_clock(T0)
    shared = {"redis": redis.url, "worker": {"enabled": False}, "limits": {**FREE["limits"], "queue": 100000}}
    bridges = [started(runbookd, within="30m", **shared) for _ in range(2)]
    n, chance = 10_000, random.Random(5)

    def send(numbered):
        at, batch = numbered
        body = [{"type": kind, "data": {"repo": "shop", "sha": str(i)}} for kind, i in batch]
        answer = bridges[at % 2].api("POST", "/api/v1/events", body)
        assert answer.status == 200, answer
        return [d["decision"] for d in answer.json()["decisions"]]

    def decided(parts):
        chance.shuffle(parts)
        with ThreadPoolExecutor(4) as pool:
            return Counter(d for ds in pool.map(send, enumerate(parts[i:i + 256] for i in range(0, len(parts), 256))) for d in ds)

    def runs_decided():
        return sum(rb.metric("runbookd_decisions_total", rule="deploy", decision="run") or 0 for rb in bridges)

    def ask(*words):
        return int(redis.ask(*words))

    assert decided([(BUILT, i) for i in range(n)] + [(SCANNED, i) for i in range(0, n, 2)]) == {"run": n // 2, "pending": n}
    redis.set_clock(T0 + 30 * 60_000)
    others = range(1, n, 10)
    assert decided([(SCANNED, i) for i in others]) == {"pending": len(others)}  # of now: each begins another gate
    wait_for(lambda: ask("ZCARD", KEY + "runs:live") >= n, f"{n} runs", deadline=120)
    shas = {}
    for run in bridges[0].items("runs"):
        what = run["params"]["what"]
        shas.setdefault(what.split()[1], []).append(what.split()[0])
    assert shas == {str(i): ["back" if i % 2 else "deploy"] for i in range(n)}
    wait_for(lambda: runs_decided() == n, f"{n} decisions in the metrics")
    # What ended is remembered for limits.gate_late.
    wait_for(lambda: ask("HGET", KEY + "gates:count", "deploy") == n // 2, "those that passed to be forgotten", deadline=120)
    redis.set_clock(T0 + 40 * 60_000)
    wait_for(lambda: ask("HGET", KEY + "gates:count", "deploy") == len(others), "the others to be forgotten", deadline=120)
    assert runs_decided() == n
    for rb in bridges:
        rb.stop()
    redis.kill()
