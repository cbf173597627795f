"""GET /api/v1/insights and runbookctl insights: what is planted into a month of alerts is found, and nothing else.

The month is played on a bridge whose Redis has a clock that is driven (see test_histories.py). Beside what was planted there
is what every month has: alerts of many names at random times, one of them again and again.
"""
import json
import random

from alerts import ZERO_TIME, alert, notification
from harness import RedisServer, wait_for
from test_histories import KEY, Resp, rfc3339

T0 = 1735689600000  # 2025-01-01
SECOND, MINUTE, HOUR, DAY = 1000, 60000, 3600000, 86400000
DAYS = 30
KIND = "#!/bin/sh\n# ---\n# summary: Do it\n# kind: {kind}\n# ---\n"
RUNBOOKS = {"fix.sh": KIND.format(kind="remediate"), "tell.sh": KIND.format(kind="notify")}
RULES = """# What is loaded.
rules:
  # The flapper's.
  - name: tell-link
    match: 'alertname = "LinkFlap"'
    mode: dry_run
    steps:
      - runbook: tell
  - {name: tell-probe, match: 'alertname = "Probe"', mode: dry_run, steps: [{runbook: tell}]}
  - name: tell-never
    match: 'alertname = "NoSuchAlert"'
    steps: [{runbook: tell}]
"""

# ---- the month and its truth

NOISE = [f"Noise{i:02d}" for i in range(12)]
PAIR = ("BgpPeerLost", "SwitchPortDown")
FIRST, THEN, DELAY = "DbFailover", "QueueBacklog", 90
FLAPPER = "LinkFlap"
PROBE = "Probe"


def month(seed):
    """[(at, labels, firing)] in the order of time."""
    rnd = random.Random(seed)
    events = []

    def fires(at, name, lasts, **labels):
        labels = {"alertname": name, **labels}
        events.append((at, labels, True))
        events.append((at + lasts, labels, False))

    def times(a_day):
        return sorted(rnd.sample(range(T0, T0 + DAYS * DAY - HOUR, SECOND), a_day * DAYS))

    for name in NOISE:
        for i, at in enumerate(times(2)):
            fires(at, name, rnd.randrange(MINUTE, HOUR, SECOND), instance=f"web-{rnd.randrange(40)}:9100", n=str(i))
    for i, at in enumerate(times(20)):
        fires(at, PROBE, rnd.randrange(MINUTE, 10 * MINUTE, SECOND), instance=f"probe-{i}")
    for i, at in enumerate(times(1)):
        one, other = rnd.sample(PAIR, 2)
        cluster = f"c{i % 5}"
        fires(at, one, 20 * MINUTE, instance=f"sw-{i}", cluster=cluster, team="net")
        fires(at + rnd.randrange(0, 25 * SECOND, SECOND), other, 20 * MINUTE, instance=f"rt-{i}", cluster=cluster, team="net")
    for i, at in enumerate(times(1)):
        fires(at, FIRST, 15 * MINUTE, instance=f"db-{i}")
        fires(at + (DELAY + rnd.randrange(-10, 11)) * SECOND, THEN, 15 * MINUTE, instance=f"mq-{i}")
    for day in (3, 9, 17, 18, 25):
        start = T0 + day * DAY + rnd.randrange(0, 20 * HOUR, SECOND)
        for i in range(8):
            fires(start + i * MINUTE, FLAPPER, 30 * SECOND, instance="sw-1", port="7")
    return sorted(events, key=lambda e: e[0])


def payload(at, labels, firing, started):
    return {"version": "4", "alerts": [{"status": "firing" if firing else "resolved", "labels": labels, "annotations": {},
                                        "startsAt": rfc3339(started), "endsAt": ZERO_TIME if firing else rfc3339(at)}]}


class Month:
    """A bridge on a Redis with a clock of ours, to which a month has happened."""

    def __init__(self, runbookd, rules=RULES):
        self.rb = runbookd(rules=rules, runbooks=RUNBOOKS, conf={"worker": {"enabled": False}, "incidents": {"retention": "60d"}})
        self.server = RedisServer(self.rb.folder)
        self.rb.configure({"redis": self.server.url, "worker": {"enabled": False}, "incidents": {"retention": "60d"}})

    def __enter__(self):
        self.server.start()
        self.server.drive_clock(T0)
        self.redis = Resp(self.server.socket)
        self.rb.start()
        return self

    def __exit__(self, *_):
        self.redis.close()
        self.rb.close()
        self.server.kill()

    def play(self, events):
        started = {}
        for at, labels, firing in events:
            self.redis("SET", KEY + "clock", str(at))
            key = tuple(sorted(labels.items()))
            if firing:
                started[key] = at
            self.rb.post_alertmanager(payload(at, labels, firing, started[key]))

    def insights(self, **query):
        return self.rb.get("/api/v1/insights", since=rfc3339(T0), until=rfc3339(T0 + DAYS * DAY), **query)


def by_kind(answer):
    assert len(answer["suggestions"]) == len({s["kind"] for s in answer["suggestions"]})
    return {s["kind"]: s["yaml"] for s in answer["suggestions"]}


def check_found(answer, events):
    assert [p["alertnames"] for p in answer["together"]] == [list(PAIR)]
    pair = answer["together"][0]
    assert pair["support"] >= 0.9 * DAYS and pair["confidence"] >= 0.9 and set(pair["labels"]) == {"cluster", "team"}, pair
    assert [(f["first"], f["then"]) for f in answer["follows"]] == [(FIRST, THEN)]
    then = answer["follows"][0]
    assert abs(then["delay_seconds"] - DELAY) < 5 and then["spread_seconds"] < 10 and then["confidence"] >= 0.9, then
    assert [f["alertname"] for f in answer["flappers"]] == [FLAPPER]
    assert answer["occurrences"] == sum(firing for _, _, firing in events)
    assert answer["left_out"] == {"alertnames": 0, "occurrences": 0}


def check_figures(answer, events):
    """Counts and times of every name are those of the month."""
    alerts = {a["alertname"]: a for a in answer["alerts"]}
    assert set(alerts) == {labels["alertname"] for _, labels, _ in events}
    assert answer["alerts"][0]["alertname"] == PROBE
    for name, a in alerts.items():
        begun, lasted = {}, []
        for at, labels, firing in events:
            key = tuple(labels.items())
            if labels["alertname"] == name and firing:
                begun[key] = at
            elif labels["alertname"] == name:
                lasted.append(at - begun[key])
        assert (a["occurrences"], a["resolved"]) == (len(lasted), len(lasted)), a
        assert abs(a["resolve_seconds"] - sum(lasted) / len(lasted) / 1000) < 0.01, a
        assert a["acknowledge_seconds"] is None and a["repaired"] == 0, a
    assert answer["rules_never_fired"] == [{"rule": "tell-never", "matched": 0}]


def check_suggestions(rb, answer):
    """Each is taken by runbookctl check in the place of what it is about."""
    yaml = by_kind(answer)
    assert set(yaml) == {"correlation", "for", "cooldown"}
    conf = rb.folder / "suggested.yml"
    rules = rb.folder / "suggested-rules.yml"
    conf.write_text("rules: [suggested-rules.yml]\nrunbooks: [runbooks]\n" + yaml["correlation"])
    rules.write_text(RULES)
    assert "good: 3 rules" in rb.ctl("check", str(conf)).stdout
    assert "alertname =~ \\\"BgpPeerLost|SwitchPortDown\\\"" in yaml["correlation"] and "instance" in yaml["correlation"]
    for kind in ("for", "cooldown"):
        rules.write_text(yaml[kind])
        assert "good: 1 rules" in rb.ctl("check", str(conf)).stdout, yaml[kind]
    assert yaml["for"] == ("rules:\n  - for: 1m\n    name: tell-link\n    match: 'alertname = \"LinkFlap\"'\n    mode: dry_run\n"
                           "    steps:\n      - runbook: tell\n")
    assert yaml["cooldown"].startswith("rules:\n  - {cooldown: 3h, name: tell-probe, ")


def test_a_month_with_planted_patterns(runbookd):
    """Show 8: each is found, and nothing that was not planted."""
    events = month(seed=8)
    with Month(runbookd) as m:
        m.play(events)
        answer = m.insights()
        check_found(answer, events)
        check_figures(answer, events)
        check_suggestions(m.rb, answer)
        shown = m.rb.ctl("insights", "--since", rfc3339(T0), "--until", rfc3339(T0 + DAYS * DAY)).stdout
        for text in (*PAIR, FIRST, THEN, FLAPPER, "ALWAYS TOGETHER", "correlation:", "for: 1m"):
            assert text in shown, shown
        # The last third alone, with as many of each.
        part = m.rb.get("/api/v1/insights", since=rfc3339(T0 + 20 * DAY), until=rfc3339(T0 + DAYS * DAY), limit=1)
        assert len(part["alerts"]) == 1 and part["alerts"][0]["alertname"] == PROBE
        assert part["occurrences"] == sum(firing and at >= T0 + 20 * DAY for at, _, firing in events)


def test_another_month(runbookd):
    events = month(seed=1)
    with Month(runbookd) as m:
        m.play(events)
        check_found(m.insights(), events)


# ---- prediction


STORM_RULES = RULES + """
  - {name: tell-storm, match: 'event.source = "runbookd", event.type = "alert_storm"', mode: dry_run, steps: [{runbook: tell}]}
  - {name: tell-rate, match: 'event.type = "unusual_rate", alertname = "Probe"', mode: dry_run, steps: [{runbook: tell}]}
"""


def unusual(rb):
    """{type: (alertname, rules that it made run)} of what was told."""
    found = {}
    for e in rb.items("events", status="info"):
        if e["type"] in ("unusual_rate", "alert_storm"):
            assert e["type"] not in found, found
            found[e["type"]] = (e["labels"].get("alertname"), e["data"]["count"])
    return found


def dry_runs(redis):
    """Decisions dry_run of all records, by rule."""
    records = [dict(zip(fields[::2], fields[1::2])) for _, fields in redis("XRANGE", KEY + "bus", "-", "+")]
    made = [d for r in records for d in json.loads(r["decisions"]) if d["decision"] == "dry_run"]
    return [d["rule"] for d in made if d["rule"] in ("tell-storm", "tell-rate")]


def test_unusual_rates_go_through_the_rules(runbookd):
    """Three weeks as they are, and one hour as it never was; the rules see it once."""
    end = T0 + 20 * DAY
    quiet = [e for e in month(seed=8) if e[0] < end and e[1]["alertname"] != FLAPPER]
    storm = [(end + i * SECOND, {"alertname": f"Storm{i}", "instance": str(i)}, True) for i in range(70)]
    probes = [(end + MINUTE + i * SECOND, {"alertname": PROBE, "instance": f"more-{i}"}, True) for i in range(25)]
    with Month(runbookd, STORM_RULES) as m:
        m.play(quiet)
        assert unusual(m.rb) == {}
        m.play(storm + probes)
        wait_for(lambda: sorted(dry_runs(m.redis)) == ["tell-rate", "tell-storm"], "both rules to decide")
        told = unusual(m.rb)
        assert set(told) == {"alert_storm", "unusual_rate"} and told["unusual_rate"][0] == PROBE
        assert told["alert_storm"][1] >= 50 and 10 <= told["unusual_rate"][1] <= 25


def test_what_an_incident_has_to_expect(runbookd):
    end = T0 + 20 * DAY
    with Month(runbookd) as m:
        m.play([e for e in month(seed=8) if e[0] < end and e[1]["alertname"] in (FIRST, THEN, *NOISE)])
        m.play([(end, {"alertname": FIRST, "instance": "db-now"}, True)])
        incident = next(i for i in m.rb.items("incidents", status="open") if i["title"] == FIRST)
        shown = m.rb.get(f"/api/v1/incidents/{incident['id']}")
        assert [e["alertname"] for e in shown["expected_next"]] == [THEN], shown
        then = shown["expected_next"][0]
        assert then["after"] == FIRST and abs(then["delay_seconds"] - DELAY) < 5 and then["confidence"] >= 0.9, then
        assert f"expect   {THEN}, 1m" in m.rb.ctl("incidents", "show", incident["id"]).stdout
        m.play([(end + DELAY * SECOND, {"alertname": THEN, "instance": "db-now"}, True)])
        assert m.rb.get(f"/api/v1/incidents/{incident['id']}")["expected_next"] == []


# ---- on the real clock


def insight(rb, name):
    return next(a for a in rb.get("/api/v1/insights")["alerts"] if a["alertname"] == name)


def test_what_was_repaired_without_a_person(runbookd):
    rules = """
rules:
  - {name: fix-it, match: 'alertname = "Broken"', steps: [{runbook: fix}, {runbook: tell}]}
  - {name: tell-it, match: 'alertname = "Told"', steps: [{runbook: tell}]}
  - {name: idle, match: 'alertname = "Other"', steps: [{runbook: tell}]}
"""
    rb = runbookd(rules=rules, runbooks=RUNBOOKS).start()
    for name in ("Broken", "Told", "Alone"):
        rb.post_alertmanager(notification([alert({"alertname": name, "instance": name})]))
    rb.wait_run(rule="fix-it", runbook="tell", state="succeeded")
    rb.wait_run(rule="tell-it", state="succeeded")
    for name in ("Broken", "Told", "Alone"):
        rb.post_alertmanager(notification([alert({"alertname": name, "instance": name}, "resolved")]))
    broken = insight(rb, "Broken")
    assert (broken["resolved"], broken["repaired"], broken["repaired_share"], broken["rule"]) == (1, 1, 1, "fix-it")
    assert 0 <= broken["repair_seconds"] <= broken["resolve_seconds"]
    assert insight(rb, "Told")["repaired"] == 0 and insight(rb, "Alone")["repair_seconds"] is None
    answer = rb.get("/api/v1/insights")
    assert answer["repaired_without_a_person"] == {"resolved": 3, "repaired": 1, "share": 0.333}
    assert answer["rules_never_fired"] == [{"rule": "idle", "matched": 0}]
    assert answer["together"] == [] and answer["follows"] == [] and answer["suggestions"] == []
    # All of it outlives a kill, and what is sent again counts nothing.
    rb.kill9_all()
    rb.start()
    rb.post_alertmanager(notification([alert({"alertname": "Broken", "instance": "Broken"}, "resolved")]))
    assert insight(rb, "Broken") == broken
    assert json.loads(rb.ctl("insights", "-o", "json").stdout) == rb.get("/api/v1/insights")


def test_nothing_yet_and_wrong_questions(runbookd):
    rb = runbookd().start()
    answer = rb.get("/api/v1/insights")
    assert answer["since"] is None and answer["alerts"] == [] and answer["occurrences"] == 0
    assert "nothing was counted" in rb.ctl("insights").stderr
    for query in ("since=yesterday", "sinze=1d", "since=500d", "since=1h&until=2h", "limit=0"):
        assert rb.api("GET", f"/api/v1/insights?{query}").status == 400, query
