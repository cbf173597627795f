"""Histories: what happens to rules, and what they decide. Played by runbookctl test and on a live bridge.

A history has a name, rules whose names begin with it, events in the form of rule tests, and what is decided. Rules match
only alerts with the label history=NAME, so that all histories can be played on one bridge at the same time. Decisions are
written "AT RULE DECISION", the rule without the history's name where it is the only one; what runs is "AT RUNBOOK STATE".
"""
import json
import re

LOOK = """#!/bin/sh
# ---
# summary: waits until it is told how to end, where it is told anything
# timeout: 1h
# params: {what: {default: nothing}}
# retries: {max: 2, backoff: 1m}
# ---
plan=DIR/plan/$RUNBOOK_RULE
[ -e "$plan" ] || exit 0
go=DIR/go/$RUNBOOK_RUN.$RUNBOOK_ATTEMPT
echo "${0##*/}" > "$go.waits.new" && mv "$go.waits.new" "$go.waits"
while [ ! -e "$go" ]; do sleep 0.02; done
read -r status output < "$go"
[ -z "$output" ] || echo "$output"
exit "$status"
"""
HANG = """#!/bin/sh
# ---
# summary: takes longer than it may
# timeout: 500ms
# grace: 100ms
# ---
sleep 60
"""
RUNBOOKS = {"look.sh": LOOK, "mend.sh": LOOK, "page.sh": LOOK, "hang.sh": HANG}

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SKEW = "5m"


def ms(text):
    """'1h30m' -> milliseconds."""
    parts = re.findall(r"(\d+)(ms|s|m|h|d)", text)
    assert "".join(n + u for n, u in parts) == text, text
    return sum(int(n) * UNITS[u] for n, u in parts)


def fire(at, starts_at=None, source=None, **labels):
    alert = {"labels": labels}
    if starts_at:
        alert["starts_at"] = starts_at
    if source:
        alert["source"] = source
    return {"at": at, "alert": alert}


def resolve(at, **labels):
    return {"at": at, "resolve": labels}


def end(at, runbook, outcome, rule="", **more):
    """rule: what follows the history's name in its rule's."""
    return {"at": at, "run": {"rule": rule, "runbook": runbook, "outcome": outcome, **more}}


def rule(name="", match="{}", steps=("look",), **more):
    steps = [s if isinstance(s, dict) else {"runbook": s} for s in steps]
    return {"name": name, "match": match, "steps": steps, **more}


class History:
    def __init__(self, name, rules, events, decisions, runs=None, stops=()):
        rules = rules if isinstance(rules, list) else [rules]
        self.name, self.stops = name, [ms(s) for s in stops]
        self.rules = [self.own_rule(r) for r in rules]
        self.events = [self.own_event(e) for e in events]
        self.decisions = [self.own_decision(d) for d in decisions.split(", ")] if decisions else []
        self.runs = None if runs is None else [tuple(r.split()) for r in runs.split(", ") if r]

    def full(self, name):
        return f"{self.name}-{name}" if name else self.name

    def own_rule(self, r):
        match = r["match"]
        if "event.type" not in match:
            match = [match, f"history = {self.name}"]
        else:
            match = match.replace("OWN", self.name)
        return {**r, "name": self.full(r["name"]), "match": match}

    def own_event(self, e):
        e = json.loads(json.dumps(e))
        if "alert" in e:
            e["alert"]["labels"]["history"] = self.name
        elif "resolve" in e:
            e["resolve"]["history"] = self.name
        else:
            e["run"]["rule"] = self.full(e["run"]["rule"])
        return e

    def own_decision(self, text):
        words = text.split()
        return (ms(words[0]), self.full(words[1] if len(words) == 3 else ""), words[-1])

    def owns(self, rule_name):
        return rule_name in {r["name"] for r in self.rules}

    def test(self):
        """As a test of a file of rule tests; the comparison of all decisions is the caller's."""
        expect = [{"at": f"{at}ms", "rule": name, "decision": d} for at, name, d in self.decisions]
        return {"name": self.name, "events": self.events, "expect": expect, **({} if expect else {"exact": True})}


A, B = {"alertname": "A", "instance": "a:1"}, {"alertname": "A", "instance": "b:1"}
C = {"alertname": "A", "instance": "c:1"}

HISTORIES = [
    # ---- repeats
    History("once", rule(), [fire("0s", **A)], "0s run", "0s look succeeded"),
    History("nobody", rule(match="alertname = B"), [fire("0s", **A)], "", ""),
    History("resent", rule(), [fire("0s", **A), fire("1m", **A), fire("5m", **A), fire("2h", **A)],
            "0s run, 1m duplicate, 5m duplicate, 2h duplicate", "0s look succeeded"),
    History("ha-pair", rule(), [fire("0s", **A), fire("1m", starts_at="1m", **A), fire("2m", starts_at="0s", **A)],
            "0s run, 1m duplicate, 2m duplicate"),
    History("moved-back", rule(), [fire("5m", **A), fire("10m", starts_at="2m", **A)], "5m run, 10m duplicate"),
    History("skew-edge", rule(), [fire("0s", **A), fire("5m", starts_at="5m", **A)], "0s run, 5m duplicate"),
    History("over-skew", rule(), [fire("0s", **A), fire("10m", starts_at="300001ms", **A)], "0s run, 10m run",
            "0s look succeeded, 10m look succeeded"),
    History("two-hosts", rule(), [fire("0s", **A), fire("0s", **B), fire("1m", **A), fire("1m", **B)],
            "0s run, 0s run, 1m duplicate, 1m duplicate"),
    History("two-rules", [rule("x"), rule("y", steps=["mend"])], [fire("0s", **A), fire("1m", **A)],
            "0s x run, 0s y run, 1m x duplicate, 1m y duplicate"),
    History("two-sources", rule(), [fire("0s", **A), fire("0s", source="am2", **A), fire("1m", source="am2", **A)],
            "0s run, 0s run, 1m duplicate"),
    History("silent-a-day", rule(), [fire("0s", **A), fire("25h", starts_at="0s", **A)], "0s run, 25h duplicate",
            "0s look succeeded", stops=["24h", "1441m"]),
    History("kept-alive", rule(), [fire("0s", **A), fire("5h", **A), fire("25h", **A)], "0s run, 5h duplicate, 25h duplicate",
            stops=["24h", "1441m"]),

    # ---- resolves
    History("on-resolved", rule(when="resolved"), [fire("0s", **A), resolve("1m", **A)], "1m run", "1m look succeeded"),
    History("on-any", rule(when="any"), [fire("0s", **A), fire("1m", **A), resolve("2m", **A)], "0s run, 1m duplicate, 2m run"),
    History("again", rule(), [fire("0s", **A), resolve("1m", **A), fire("2m", **A)], "0s run, 2m run"),
    History("old-start", rule(), [fire("0s", **A), resolve("1m", **A), fire("2m", starts_at="0s", **A)], "0s run, 2m duplicate"),
    History("one-of-two", rule(), [fire("0s", **A), fire("0s", **B), resolve("1m", **A), fire("2m", **A), fire("2m", **B)],
            "0s run, 0s run, 2m run, 2m duplicate"),
    History("both", rule(when="resolved"), [fire("0s", **A), fire("0s", **B), resolve("1m", alertname="A")], "1m run, 1m run"),
    History("many-times", rule(), [e for i in range(0, 6, 2) for e in (fire(f"{i}m", **A), resolve(f"{i + 1}m", **A))],
            "0m run, 2m run, 4m run"),

    # ---- cooldowns
    History("cool", rule(cooldown="5m"), [fire("0s", **A), resolve("1m", **A), fire("2m", **A)], "0s run, 2m cooldown",
            "0s look succeeded"),
    History("cool-before", rule(cooldown="5m"), [fire("0s", **A), resolve("1m", **A), fire("299999ms", **A)],
            "0s run, 299999ms cooldown"),
    History("cool-at", rule(cooldown="5m"), [fire("0s", **A), resolve("1m", **A), fire("5m", **A)], "0s run, 5m run"),
    History("cool-from-run", rule(cooldown="5m"),
            [fire("0s", **A), resolve("1m", **A), fire("2m", **A), resolve("4m", **A), fire("5m", **A), resolve("10m", **A),
             fire("10m", **A)], "0s run, 2m cooldown, 5m run, 10m run"),
    History("cool-by-host", rule(cooldown={"every": "5m", "by": ["instance"]}),
            [fire("0s", **A), fire("1m", **B), fire("2m", alertname="B", instance="a:1")], "0s run, 1m run, 2m cooldown"),
    History("cool-by-incident", rule(cooldown="5m"), [fire("0s", **A), fire("1m", alertname="B", instance="a:1"), fire("1m", **B)],
            "0s run, 1m cooldown, 1m run"),
    History("cool-two", [rule("x", cooldown="5m"), rule("y", cooldown="2m")],
            [fire("0s", **A), resolve("1m", **A), fire("2m", **A)], "0s x run, 0s y run, 2m x cooldown, 2m y run"),
    History("cool-dry", rule(cooldown="5m", mode="dry_run"), [fire("0s", **A), resolve("1m", **A), fire("2m", **A)],
            "0s dry_run, 2m cooldown", ""),
    History("cool-error", rule(cooldown="5m", steps=[{"runbook": "look", "with": {"what": "{{ labels.x }}"}}]),
            [fire("0s", **A), fire("1m", x="1", **A)], "0s error, 1m run", "1m look succeeded what=1"),
    History("cool-failed", rule(cooldown="5m"), [fire("0s", **A), end("0s", "look", "failed"), resolve("1m", **A), fire("2m", **A)],
            "0s run, 2m cooldown", "0s look failed"),
    History("cool-resolved", rule(cooldown="5m", when="resolved"),
            [fire("0s", **A), resolve("1m", **A), fire("2m", **A), resolve("5m", **A)], "1m run, 5m cooldown"),

    # ---- flapping: six changes within 15 minutes
    History("flaps", rule(on_flapping="skip"),
            [e for i in range(0, 10, 2) for e in (fire(f"{i}m", **A), resolve(f"{i + 1}m", **A))],
            "0m run, 2m run, 4m run, 6m flapping, 8m flapping"),
    History("flaps-run", rule(), [e for i in range(0, 10, 2) for e in (fire(f"{i}m", **A), resolve(f"{i + 1}m", **A))],
            "0m run, 2m run, 4m run, 6m run, 8m run"),
    History("flaps-calm", rule(on_flapping="skip"),
            [*(e for i in range(0, 8, 2) for e in (fire(f"{i}m", **A), resolve(f"{i + 1}m", **A))), fire("40m", **A)],
            "0m run, 2m run, 4m run, 6m flapping, 40m run"),
    History("flaps-cool", rule(on_flapping="skip", cooldown="3m"),
            [e for i in range(0, 8, 2) for e in (fire(f"{i}m", **A), resolve(f"{i + 1}m", **A))],
            "0m run, 2m cooldown, 4m run, 6m flapping"),

    # ---- limits of a rule
    History("runs-two", rule(limits={"runs": {"count": 2, "per": "10m"}}), [fire("0s", **A), fire("1m", **B), fire("2m", **C)],
            "0s run, 1m run, 2m limit"),
    History("runs-slide", rule(limits={"runs": {"count": 2, "per": "10m"}}),
            [fire("0s", **A), fire("5m", **B), fire("599999ms", **C), resolve("599999ms", **C), fire("10m", **C)],
            "0s run, 5m run, 599999ms limit, 10m run"),
    History("hosts-two", rule(limits={"hosts": {"count": 2, "per": "1h"}}),
            [fire("0s", **A), fire("0s", **B), fire("0s", **C), fire("1m", alertname="B", instance="a:2")],
            "0s run, 0s run, 0s limit, 1m run"),
    History("hosts-port", rule(limits={"hosts": {"count": 1, "per": "1h"}}),
            [fire("0s", **A), fire("1m", alertname="A", instance="a:2"), fire("2m", **B)], "0s run, 1m run, 2m limit"),
    History("hosts-none", rule(limits={"hosts": {"count": 1, "per": "1h"}}),
            [fire("0s", alertname="A"), fire("1m", alertname="B"), fire("2m", **A), fire("4m", alertname="C"), fire("4m", **B)],
            "0s run, 1m run, 2m run, 4m run, 4m limit"),
    History("hosts-slide", rule(limits={"hosts": {"count": 1, "per": "10m"}}),
            [fire("0s", **A), fire("2m", **B), resolve("5m", **B), fire("10m", **B)], "0s run, 2m limit, 10m run"),
    History("limit-cool", rule(cooldown={"every": "5m", "by": ["instance"]}, limits={"runs": {"count": 1, "per": "1h"}}),
            [fire("0s", **A), resolve("1m", **A), fire("2m", **A), fire("2m", **B)], "0s run, 2m cooldown, 2m limit"),
    History("limit-dry", rule(mode="dry_run", limits={"runs": {"count": 1, "per": "1h"}}), [fire("0s", **A), fire("1m", **B)],
            "0s dry_run, 1m limit", ""),
    History("limit-loud", [rule(limits={"runs": {"count": 1, "per": "1h"}}),
                           rule("brake", match="event.type = limit, rule = OWN", steps=["page"])],
            [fire("0s", **A), fire("1m", **B), fire("2m", **C)], "0s run, 1m limit, 1m brake run, 2m limit",
            "0s look succeeded, 1m page succeeded"),

    # ---- for
    History("for", rule(**{"for": "2m"}), [fire("0s", **A)], "0s pending, 2m run", "2m look succeeded"),
    History("for-late", rule(**{"for": "20m"}), [fire("10m", **A)], "10m pending, 30m run", "30m look succeeded"),
    History("for-gone", rule(**{"for": "2m"}), [fire("0s", **A), resolve("1m", **A)], "0s pending, 1m pending", ""),
    History("for-just-gone", rule(**{"for": "2m"}), [fire("0s", **A), resolve("119999ms", **A)], "0s pending, 119999ms pending", ""),
    History("for-tie", rule(**{"for": "2m"}), [fire("0s", **A), resolve("2m", **A)], "0s pending, 2m run", "2m look succeeded", stops=["2m"]),
    History("for-resent", rule(**{"for": "2m"}), [fire("0s", **A), fire("1m", **A)], "0s pending, 1m duplicate, 2m run"),
    History("for-anew", rule(**{"for": "10m"}), [fire("0s", **A), fire("6m", starts_at="6m", **A)],
            "0s pending, 6m pending, 6m pending, 16m run", "16m look succeeded"),
    History("for-again", rule(**{"for": "2m"}), [fire("0s", **A), resolve("1m", **A), fire("5m", **A)],
            "0s pending, 1m pending, 5m pending, 7m run", "7m look succeeded"),
    History("for-cool", rule(**{"for": "2m"}, cooldown="10m"),
            [fire("0s", **A), resolve("4m", **A), fire("5m", **A)], "0s pending, 2m run, 5m pending, 7m cooldown", "2m look succeeded"),
    History("for-limit", rule(**{"for": "2m"}, limits={"runs": {"count": 1, "per": "1h"}}),
            [fire("0s", **A), fire("1m", **B)], "0s pending, 1m pending, 2m run, 3m limit", "2m look succeeded"),
    History("for-dry", rule(**{"for": "2m"}, mode="dry_run"), [fire("0s", **A)], "0s pending, 2m dry_run", ""),

    # ---- steps and what follows them
    History("chain", rule(steps=["look", "mend"]), [fire("0s", **A)], "0s run", "0s look succeeded, 0s mend succeeded"),
    History("chain-slow", rule(steps=["look", "mend"]), [fire("0s", **A), end("4m", "look", "succeeded")], "0s run",
            "0s look succeeded, 4m mend succeeded"),
    History("chain-fails", rule(steps=["look", "mend"]), [fire("0s", **A), end("1m", "look", "failed")], "0s run", "0s look failed"),
    History("chain-always", rule(steps=["look", "mend", {"runbook": "page", "always": True}]),
            [fire("0s", **A), end("1m", "look", "failed")], "0s run", "0s look failed, 1m page succeeded"),
    History("chain-output", rule(steps=["look", {"runbook": "mend", "with": {"what": "{{ steps.look.output }}"}}]),
            [fire("0s", **A), end("1m", "look", "succeeded", output="sda1")], "0s run", "0s look succeeded, 1m mend succeeded what=sda1"),
    History("on-failure", rule(steps=["look", "mend"], on_failure=[{"runbook": "page"}]),
            [fire("0s", **A), end("1m", "look", "failed")], "0s run", "0s look failed, 1m page succeeded"),
    History("on-timeout", rule(steps=["hang"], on_failure=[{"runbook": "page"}]), [fire("0s", **A), end("0s", "hang", "timed_out")],
            "0s run", "0s hang timed_out, 0s page succeeded"),
    History("retried", rule(), [fire("0s", **A), end("0s", "look", "retry"), end("1m", "look", "retry", started="1m"),
                                end("2m", "look", "retry", started="2m")],
            "0s run", "0s look failed, 1m look failed, 2m look failed"),
    History("after-failure", [rule(), rule("next", match="event.type = run, rule = OWN, outcome = failed", steps=["page"])],
            [fire("0s", **A), end("2m", "look", "failed")], "0s run, 2m next run", "0s look failed, 2m page succeeded"),
    History("circle", [rule(), rule("next", match='event.type = run, rule =~ "OWN.*"')], [fire("0s", **A)],
            "0s run, " + "0s next run, " * 7 + "0s next limit"),
    History("no-value", rule(steps=[{"runbook": "look", "with": {"what": "{{ labels.x }}"}}]), [fire("0s", **A)], "0s error", ""),
    History("dry", rule(mode="dry_run"), [fire("0s", **A), fire("1m", **A)], "0s dry_run, 1m duplicate", ""),
    History("step-on-resolve", rule(on_resolve={"runbook": "mend"}), [fire("0s", **A), resolve("1m", **A)], "0s run, 1m run",
            "0s look succeeded, 1m mend succeeded"),
    History("no-step-on-resolve", rule(on_resolve={"runbook": "mend"}, mode="dry_run"), [fire("0s", **A), resolve("1m", **A)],
            "0s dry_run", ""),
    History("cancel-on-resolve", rule(on_resolve="cancel", steps=["look", "mend"]),
            [fire("0s", **A), end("4m", "look", "succeeded"), resolve("1m", **A)], "0s run", "0s look cancelled"),
    History("approve", rule(approval={"expires": "10m"}, steps=["look", "mend"]), [fire("0s", **A), fire("1m", **A)],
            "0s approval, 1m duplicate", "", stops=["10m"]),
]

GLOBAL_CONF = {"limits": {"runs": {"count": 3, "per": "10m"}, "hosts": {"count": 2, "per": "1h"}}}
GLOBAL = [
    History("everything", [rule(), rule("other", match="alertname = B"), rule("dry", mode="dry_run")],
            [fire("0s", **A), fire("1m", **B), fire("2m", **C), fire("4m", alertname="B", instance="a:3"), fire("5m", alertname="D")],
            "0s run, 0s dry dry_run, 1m run, 1m dry dry_run, 2m limit, 2m dry dry_run, 4m run, 4m other limit, 4m dry dry_run, "
            "5m limit, 5m dry dry_run"),
]

# Played in real time: what is decided hangs on seconds, so that a slow machine does not change it.
REAL = [
    History("real-resent", rule(), [fire("0s", **A), fire("1s", **A)], "0s run, 1s duplicate"),
    History("real-cool", rule(cooldown="20s"), [fire("0s", **A), resolve("1s", **A), fire("1s", **A), resolve("21s", **A), fire("21s", **A)],
            "0s run, 1s cooldown, 21s run"),
    History("real-limit", rule(limits={"runs": {"count": 1, "per": "20s"}}), [fire("0s", **A), fire("1s", **B), fire("21s", **C)],
            "0s run, 1s limit, 21s run"),
    History("real-for", rule(**{"for": "2s"}), [fire("0s", **A)], "0s pending, 2s run"),
    History("real-for-gone", rule(**{"for": "20s"}), [fire("0s", **A), resolve("1s", **A)], "0s pending, 1s pending"),
    History("real-failure", rule(steps=["look", "mend"], on_failure=[{"runbook": "page"}]),
            [fire("0s", **A), end("1s", "look", "failed")], "0s run"),
]
