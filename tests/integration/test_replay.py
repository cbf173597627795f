"""runbookctl events replay: what other rules would have made of what came."""
import json
import random
import re

import pytest

from alerts import alert, notification
from harness import free_port
from test_cli import run_ctl

NOTE = """#!/bin/sh
# ---
# summary: Does what it is told
# kind: diagnose
# params:
#   exit: {type: int, default: 0}
# ---
exit "$PARAM_exit"
"""
RULES = r"""
rules:
  - name: disk
    match: 'alertname = "Disk"'
    steps: [{runbook: note}]
  - name: cool
    match: 'alertname = "Cpu"'
    cooldown: {every: 1h, by: [alertname]}
    steps: [{runbook: note}]
  - name: later
    match: 'alertname = "Slow"'
    for: 1s
    steps: [{runbook: note}]
  - name: fails
    match: 'alertname = "Bad"'
    steps: [{runbook: note, with: {exit: "3"}}, {runbook: note}]
    on_failure: [{runbook: note}]
  - name: result
    match: 'event.type = "run", outcome = "failed"'
    steps: [{runbook: note}]
"""


@pytest.fixture
def server(runbookd):
    return runbookd(rules=RULES, runbooks={"note.sh": NOTE}).start()


def fire(server, name, instance, **more):
    return server.post_alertmanager(notification([alert({"alertname": name, "instance": instance}, **more)]))


def history(server):
    """Some of each; returns when all that follows has happened."""
    for i in range(3):
        fire(server, "Disk", f"h{i}")
    fire(server, "Disk", "h0", status="resolved")
    for i in range(3):
        fire(server, "Cpu", f"h{i}")
    slow = fire(server, "Slow", "h9")["decisions"][0]
    assert slow["decision"] == "pending"
    fire(server, "Bad", "h1")
    fire(server, "Unknown", "h1")
    server.wait_run(rule="later", state="succeeded")
    server.wait_run(rule="result", state="succeeded")
    server.wait_settled()
    return slow["event"]


def candidate(server, rules):
    folder = server.folder / "candidate"
    folder.mkdir(exist_ok=True)
    (folder / "new.yml").write_text(rules)
    return str(folder)


def replay(server, rules, *more, code=0):
    done = server.ctl("-o", "json", "events", "replay", "--rules", candidate(server, rules), *more, code=code)
    return json.loads(done.stdout)


def counts(answer):
    return {r["rule"]: (r["then"], r["now"]) for r in answer["rules"]}


def test_the_same_rules_change_nothing(server):
    """for, cooldown, a run that failed: the trial decides as the bridge did."""
    history(server)
    before = {what: server.items(what) for what in ("events", "runs", "audit")}
    answer = replay(server, RULES, "--exit-code")
    assert answer["changes"] == [] and answer["changed"] == 0 and answer["events"] == 10 and answer["cut"] is False
    assert answer["ruleset_hash"] == server.get("/api/v1/rules")["ruleset_hash"]
    assert counts(answer) == {
        "disk": ({"run": 3}, {"run": 3}), "cool": ({"run": 1, "cooldown": 2}, {"run": 1, "cooldown": 2}),
        "later": ({"run": 1}, {"run": 1}), "fails": ({"run": 1}, {"run": 1})}
    assert {what: server.items(what) for what in before} == before


def test_what_would_have_changed(server):
    slow = history(server)
    changed = (RULES.replace('name: disk\n', 'name: disk\n    cooldown: {every: 1h, by: [alertname]}\n')
               .replace("for: 1s", "for: 1h").replace('alertname = "Bad"', 'alertname = "Worse"')
               + "  - name: new\n    match: 'alertname = \"Unknown\"'\n    mode: dry_run\n    steps: [{runbook: note}]\n")
    answer = replay(server, changed)
    assert counts(answer) == {
        "disk": ({"run": 3}, {"run": 1, "cooldown": 2}), "cool": ({"run": 1, "cooldown": 2}, {"run": 1, "cooldown": 2}),
        "later": ({"run": 1}, {"pending": 1}), "fails": ({"run": 1}, {}), "new": ({}, {"dry_run": 1})}
    events = {e["id"]: e for e in server.items("events")}
    seen = [(events[c["event"]]["labels"]["alertname"], events[c["event"]]["labels"]["instance"],
             [(r["rule"], r["then"] and r["then"]["decision"], r["now"] and r["now"]["decision"]) for r in c["rules"]])
            for c in answer["changes"]]
    assert seen == [
        ("Disk", "h1", [("disk", "run", "cooldown")]), ("Disk", "h2", [("disk", "run", "cooldown")]),
        ("Slow", "h9", [("later", "run", "pending")]), ("Bad", "h1", [("fails", "run", None)]),
        ("Unknown", "h1", [("new", None, "dry_run")])]
    assert answer["changes"][0]["rules"][0]["now"]["reason"].startswith("in cooldown until 20")
    assert answer["changes"][2]["event"] == slow and "still" in answer["changes"][2]["rules"][0]["now"]["reason"], answer
    replay(server, changed, "--exit-code", code=1)

    page = server.ctl("events", "replay", "--rules", str(server.folder / "candidate")).stdout
    assert re.search(r"^disk +cooldown +0 +2\n +run +3 +1$", page, re.M), page
    assert re.search(r"  firing Disk.*\n    disk: run -> cooldown, in cooldown until 20", page), page
    assert re.search(r"  firing Unknown.*\n    new: nothing -> dry_run, ", page), page
    assert "    fails: run -> nothing\n" in page
    assert page.endswith("would be decided otherwise\n") and "\n5 of 10 events since 20" in page


@pytest.mark.parametrize("alertname, outcome, decision", [("Bad", "failed", "cooldown"), ("Disk", "succeeded", "run")])
def test_runs_end_as_they_did(server, alertname, outcome, decision):
    """The candidate has a rule that a failed run sets off, and that is then in cooldown."""
    fire(server, alertname, "h1")
    server.wait_runs(lambda runs: any(r["state"] == outcome for r in runs), f"a run that {outcome}")
    server.wait_settled()
    fire(server, "After", "h1")
    answer = replay(server, RULES + """
  - name: either
    any: ['event.type = run, outcome = failed', 'alertname = After']
    cooldown: {every: 1h, by: [nothing]}
    steps: [{runbook: note}]
""")
    assert counts(answer)["either"] == ({}, {decision: 1})


SAME = {
    "a new occurrence while a rule waits": ("""
  - {name: waits, match: 'alertname = A', for: 1h, steps: [{runbook: note}]}
  - {name: waits-not, match: 'alertname = A', steps: [{runbook: note}]}
""", {"starts_at": "2026-01-01T01:00:00Z"}, 2),
    "on_resolve beside a rule of the resolve": ("""
  - {name: mends, match: 'alertname = A', on_resolve: {runbook: note}, steps: [{runbook: note}]}
  - {name: over, match: 'alertname = A', when: resolved, steps: [{runbook: note}]}
""", {"status": "resolved"}, 3),
    "on_resolve after for": ("""
  - {name: mends, match: 'alertname = A', for: 1s, on_resolve: {runbook: note}, steps: [{runbook: note}]}
""", {"status": "resolved"}, 2),
}


@pytest.mark.parametrize("what", SAME)
def test_the_same_rules_decide_the_same(runbookd, what):
    rules, then, runs = SAME[what]
    rb = runbookd(rules="rules:" + rules, runbooks={"note.sh": NOTE}).start()
    fire(rb, "A", "h1", starts_at="2026-01-01T00:00:00Z")
    rb.wait_run(state="succeeded")
    fire(rb, "A", "h1", **{"starts_at": "2026-01-01T00:00:00Z", **then})
    rb.wait_runs(lambda all_: [r["state"] for r in all_] == ["succeeded"] * runs, f"{runs} runs that succeeded")
    answer = replay(rb, "rules:" + rules)
    assert answer["events"] == 2 and answer["changes"] == [], answer


def test_a_run_on_an_own_event_is_not_that_of_the_next_alert(runbookd):
    """One rule wants both, and fails for the alert only."""
    rules = r"""
rules:
  - name: first
    match: 'alertname = Bad'
    steps: [{runbook: note, with: {exit: "3"}}]
  - name: both
    any: ['event.type = run, rule = first', 'alertname = After']
    steps: [{runbook: note, with: {exit: "{{ labels.exit | default \"0\" }}"}}]
  - name: told
    any: ['event.type = run, rule = both, outcome = failed', 'alertname = After']
    cooldown: {every: 1h, by: [nothing]}
    steps: [{runbook: note}]
"""
    rb = runbookd(rules=rules, runbooks={"note.sh": NOTE}).start()
    fire(rb, "Bad", "h1")
    rb.wait_run(rule="both", state="succeeded")
    rb.post_alertmanager(notification([alert({"alertname": "After", "exit": "3"})]))
    rb.wait_run(rule="both", state="failed")
    rb.wait_settled()
    answer = replay(rb, rules)
    assert answer["changes"] == [] and counts(answer)["told"] == ({"run": 1}, {"run": 1}), answer


EVERYTHING = r"""
rules:
  - {name: r1, match: 'alertname =~ "A|B"', cooldown: {every: 1h, by: [instance]}, steps: [{runbook: note}]}
  - {name: r2, match: 'alertname = A, zone != 1', for: 1h, steps: [{runbook: note}]}
  - {name: r3, match: 'alertname !~ "A.*"', limits: {runs: {count: 7, per: 1h}},
     steps: [{runbook: note, with: {exit: "{{ labels.zone }}"}}]}
  - {name: r4, any: ['zone = 1', 'instance =~ "(?<h>h[12]).*"'], mode: dry_run, cooldown: 1h, steps: [{runbook: note}]}
  - {name: r5, match: 'zone = ""', when: any, on_flapping: skip, steps: [{runbook: note}]}
  - {name: r6, match: '{}', when: resolved, limits: {hosts: {count: 2, per: 1h}}, steps: [{runbook: note}]}
  - {name: r7, match: 'alertname = B', approval: {expires: 1h}, on_resolve: {runbook: note}, steps: [{runbook: note}]}
  - {name: r8, match: 'data.more.0 = 1', any: ['zone =~ ".*1.*"', 'zone != 1'], cooldown: {every: 1h, by: [zone]}, steps: [{runbook: note}]}
  - {name: r9, match: 'event.severity =~ "critical|error"', for: 1h, on_flapping: skip, on_resolve: cancel,
     steps: [{runbook: note}]}
"""


def some_message(pick, begun):
    """begun: how often each alert began; an older begin never comes again, since repetitions are not stored."""
    def one():
        labels = {"alertname": pick.choice("ABC"), "instance": pick.choice(["h1:9", "h2:9", "h3:1", "h4"]),
                  **pick.choice([{}, {"zone": "1"}, {"zone": "2"}]), **pick.choice([{}, {}, {"severity": "critical"}])}
        key = tuple(labels.items())
        begun[key] = begun.get(key, 0) + (key not in begun or pick.random() < 0.4)
        sent = alert(labels, status=pick.choice(["firing", "firing", "resolved"]), starts_at=f"20{begun[key]:02}-01-01T00:00:00Z")
        return {**sent, **pick.choice([{}, {"more": [1]}])}
    return notification([one() for _ in range(pick.choice([1, 1, 2, 4]))])


def without_times(rows):
    """Explain and ingest are not at the same millisecond, and explain's new ids are made up."""
    return [(rule, decision, re.sub(r" (until|at) 20.*| event 01.*", "", reason)) for rule, decision, reason in rows]


@pytest.mark.parametrize("seed", range(2))
def test_explain_ingest_and_replay_decide_the_same(runbookd, seed):
    rb = runbookd(rules=EVERYTHING, runbooks={"note.sh": NOTE}, conf={
        "worker": {"enabled": False}, "flapping": {"transitions": 2, "window": "1h"},
        "limits": {"runs": {"count": 200, "per": "1h"}, "hosts": {"count": 3, "per": "1h"}}}).start()
    pick, begun, seen = random.Random(seed), {}, set()
    for _ in range(150):
        sent = some_message(pick, begun)
        told = rb.api("POST", "/api/v1/explain", {"source": "alertmanager", "payload": sent}).json()["events"]
        done = rb.post_alertmanager(sent)
        rows = [(r["rule"], r["decision"], r["reason"]) for e in told for r in e["rules"] if r["matches"]]
        assert without_times(rows) == without_times((d["rule"], d["decision"], d["reason"]) for d in done["decisions"]), sent
        assert [e["outcome"] for e in told].count("duplicate") == done["duplicate"], sent
        seen.update(decision for _, decision, _ in rows)
    assert seen == {"run", "pending", "approval", "duplicate", "cooldown", "limit", "flapping", "dry_run", "error"}
    answer = json.loads(rb.ctl("-o", "json", "events", "replay", "-c", str(rb.conf_path)).stdout)
    assert answer["events"] > 100 and answer["changes"] == [], answer


def test_what_was_decided_after_until_does_not_count(server):
    slow = fire(server, "Slow", "h9")["decisions"][0]["event"]
    server.wait_run(rule="later", state="succeeded")
    until = server.get(f"/api/v1/events/{slow}")["received"]
    answer = replay(server, RULES, "--until", until)
    assert counts(answer) == {"later": ({"pending": 1}, {"pending": 1})} and answer["changed"] == 0
    assert counts(replay(server, RULES)) == {"later": ({"run": 1}, {"run": 1})}


def test_configuration_and_folders(server, folder):
    history(server)
    limits = {"limits": {"runs": {"count": 1, "per": "1h"}}, "rules": [], "runbooks": [str(server.folder / "runbooks")]}
    (folder / "other.yml").write_text(json.dumps(limits))
    (folder / "books").mkdir()
    (folder / "books" / "note.sh").write_text(NOTE)
    (folder / "books" / "note.sh").chmod(0o755)
    answer = replay(server, RULES, "-c", str(folder / "other.yml"))
    assert counts(answer)["disk"] == ({"run": 3}, {"run": 1, "limit": 2})
    assert replay(server, RULES, "--runbooks", str(folder / "books"))["changed"] == 0
    whole = json.loads(server.ctl("-o", "json", "events", "replay", "-c", str(server.conf_path)).stdout)
    assert whole["changed"] == 0 and whole["events"] == 10


def test_time_range_and_pages(server):
    for i in range(1100):
        if i % 100 == 0:
            server.post_alertmanager(notification([alert({"alertname": "Other", "n": str(j)}) for j in range(i, i + 100)]))
    middle = server.items("events", filter='n = "500"')[0]["received"]
    only = RULES + "  - name: other\n    match: 'alertname = \"Other\"'\n    cooldown: 1h\n    mode: dry_run\n    steps: [{runbook: note}]\n"
    answer = replay(server, only)
    assert (answer["events"], answer["changed"]) == (1100, 1100)
    part = replay(server, only, "--since", middle)
    assert part["since"] == middle and 500 <= part["events"] <= 600
    assert part["events"] + replay(server, only, "--until", middle)["events"] >= 1100
    assert replay(server, only, "--since", "7d", "--until", "1h")["events"] == 0


def test_an_event_with_very_many_values(server):
    """As many as a sender may send; a page with them is more than one answer is read of otherwise."""
    fire(server, "Other", "h1")
    server.post_alertmanager(notification([{**alert({"alertname": "Other", "instance": "h2"}), "more": [0] * 590_000}]))
    assert replay(server, RULES)["events"] == 2


def test_refusals(server, folder):
    url = f"http://{server.address}"
    assert "--rules" in run_ctl("--url", url, "events", "replay").stderr
    for args, code, said in (
            ([], 2, "which rules?"),
            (["--rules", str(folder / "none")], 2, "there is no folder"),
            (["--rules", str(folder)], 3, "there are no rules here"),
            (["--rules", str(folder), "--since", "yesterday"], 2, "a time is")):
        done = run_ctl("--url", url, "events", "replay", *args)
        assert done.returncode == code and said in done.stderr + done.stdout, (args, done)
    (folder / "bad.yml").write_text("rules: [{name: x, match: 'a'}]\n")
    done = run_ctl("--url", url, "events", "replay", "--rules", str(folder))
    assert done.returncode == 3 and "bad.yml:1:" in done.stdout, done
    done = run_ctl("--url", f"http://127.0.0.1:{free_port()}", "events", "replay", "--rules", candidate(server, RULES))
    assert done.returncode == 5, done
