"""POST /api/v1/explain and runbookctl explain: the same that would happen, told and not done."""
import json
import re
import subprocess

import pytest

from alerts import GOLDEN, alert, golden, notification
from harness import DEADLINE, RedisServer, program
from test_http import check_problem

LIVE = ["InstanceDown-firing", "InstanceDown-mixed", "InstanceDown-resolved", "Everything-firing", "Everything-firing-repeat",
        "Everything-resolved", "AuthBearer-firing"]
NOTE = """#!/bin/sh
# ---
# summary: Says what it was given
# kind: diagnose
# timeout: 20s
# params:
#   path: {default: /, pattern: "^/"}
#   of: {default: nobody}
# ---
echo "$PARAM_path $PARAM_of"
"""
RULES = r"""
rules:
  - name: down
    match: 'alertname = "InstanceDown", instance =~ "(?P<host>[^:]+):.*"'
    cooldown: {every: 1h, by: [alertname]}
    steps:
      - runbook: note
        with: {of: "{{ match.host }}"}
        timeout: 5s
      - runbook: note
        with: {of: "{{ incident.id }}", path: "/{{ labels.cluster }}"}
        pool: "host:{{ labels.instance | host }}"
        always: true
  - name: other-cluster
    match: ['alertname =~ "Instance.*"', 'cluster = "eu2"']
    steps: [{runbook: note}]
  - name: either
    match: 'severity != ""'
    any: ['cluster = "us", job = "node"', 'team = "storage"']
    steps: [{runbook: note}]
  - name: over
    match: 'alertname != ""'
    when: resolved
    steps: [{runbook: note}]
  - name: result
    match: 'event.type = "run"'
    steps: [{runbook: note}]
"""


def explain(rb, body, status=200):
    answer = rb.api("POST", "/api/v1/explain", body)
    assert answer.status == status, answer
    return answer.json() if status == 200 else check_problem(answer, status)


def payload(labels, **more):
    return {"source": "alertmanager", "payload": notification([alert(labels, **more)])}


def one(rb, body, rule):
    """What is said of a rule and the only event."""
    events = explain(rb, {**body, "rule": rule})["events"]
    assert len(events) == 1
    (row,) = events[0]["rules"]
    assert row["rule"] == rule
    return row


def decided(row):
    return row["decision"], row["reason"]


def everything(rb):
    """All that a look at a server can find changed; without what reading itself moves."""
    return {what: rb.items(what) for what in ("events", "alerts", "incidents", "runs", "audit")}, \
        rb.redis_cli("DBSIZE"), rb.metric("runbookd_events_total"), rb.metric("runbookd_decisions_total")


@pytest.fixture
def server(runbookd):
    return runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf={"worker": {"enabled": False}}).start()


@pytest.mark.parametrize("name", LIVE)
def test_live_messages_tell_the_first_matcher_that_fails(server, name):
    """By a reckoning of our own, over the messages that a real Alertmanager sent."""
    def fails(sent):
        have = sent["labels"]
        firing = sent["status"] == "firing"
        when = None if firing else ("when: firing", "resolved")
        down = None if have["alertname"] == "InstanceDown" else ('alertname = "InstanceDown"', have["alertname"])
        instance = None if have["alertname"].startswith("Instance") else ('alertname =~ "Instance.*"', have["alertname"])
        return {
            "down": when or down,
            "other-cluster": when or instance or ('cluster = "eu2"', have.get("cluster", "")),
            "either": when or (None if have.get("severity") else ('severity != ""', "")) or
            [('cluster = "us"', have.get("cluster", "")), ('team = "storage"', have.get("team", ""))],
            "over": None if not firing else ("when: resolved", "firing"),
            "result": when or ('event.type = "run"', "alert"),
        }

    message = golden(f"v0.25-{name}.json")
    before = everything(server)
    answer = explain(server, {"source": "alertmanager", "payload": message})
    as_text = explain(server, {"source": "alertmanager", "payload": (GOLDEN / f"v0.25-{name}.json").read_text()})
    timeless = [re.sub(r"until 20[-0-9T:.]*Z", "until then", json.dumps(a)) for a in (answer, as_text)]
    assert timeless[0] == timeless[1]
    assert everything(server) == before
    assert len(answer["events"]) == len(message["alerts"]) > 0
    for entry, sent in zip(answer["events"], message["alerts"]):
        assert entry["event"]["labels"] == sent["labels"] and entry["outcome"] == "new"
        said = {r["rule"]: r for r in entry["rules"]}
        assert list(said) == ["down", "other-cluster", "either", "over", "result"]
        for rule, want in fails(sent).items():
            row = said[rule]
            assert row["matches"] == (want is None), (rule, row)
            if want is None:
                assert decided(row)[0] == "run" or decided(row)[0] == "cooldown", row
                continue
            want = want if isinstance(want, list) else [want]
            assert [(f["matcher"], f["saw"]) for f in row["failing"]] == want, (rule, row)
            kind = "when" if want[0][0].startswith("when") else "any" if len(want) > 1 else "match"
            assert row["because"] == kind
    # What was told is what happens.
    told = [(r["rule"], *decided(r)[:1]) for e in answer["events"] for r in e["rules"] if r["matches"]]
    done = [(d["rule"], d["decision"]) for d in server.post_alertmanager(message)["decisions"]]
    assert told == done


def test_steps_are_what_would_run(server):
    row = one(server, payload({"alertname": "InstanceDown", "instance": "web-1:9100", "cluster": "eu1"}), "down")
    assert decided(row) == ("run", "matched") and row["groups"] == {"host": "web-1"}
    assert row["steps"] == [
        {"name": "note", "runbook": "note", "pool": "default", "params": {"path": "/", "of": "web-1"}, "late": [],
         "timeout": "5s", "always": False},
        {"name": "note-2", "runbook": "note", "pool": "host:web-1", "params": {"of": "{{ incident.id }}", "path": "/eu1"},
         "late": ["of"], "timeout": "20s", "always": True}]
    server.post_alertmanager(notification([alert({"alertname": "InstanceDown", "instance": "web-1:9100", "cluster": "eu1"})]))
    runs = {r["step"]: r for r in server.items("runs")}
    assert runs["note"]["params"] == row["steps"][0]["params"] and runs["note-2"]["pool"] == "host:web-1"


def test_state_decides(runbookd):
    """cooldown, duplicate, limits, dry_run, for, flapping, a template without its value: as the store says it."""
    keys = {
        "cool": "cooldown: 1h", "limited": "limits: {runs: {count: 2, per: 1h}}", "dry": "mode: dry_run", "late": "for: 5m",
        "asks": "approval: required", "steady": "on_flapping: skip"}
    rules = "rules:\n" + "".join(
        f"  - {{name: {name}, match: 'alertname = {name}', {key}, steps: [{{runbook: note}}]}}\n" for name, key in keys.items())
    rules += "  - {name: missing, match: 'alertname = missing', steps: [{runbook: note, with: {of: '{{ labels.nowhere }}'}}]}\n"
    rb = runbookd(rules=rules, runbooks={"note.sh": NOTE}, conf={"worker": {"enabled": False},
                                                                 "flapping": {"transitions": 3, "window": "1h"}}).start()

    def of(name, instance):
        return one(rb, payload({"alertname": name, "instance": instance}), name)

    def fire(name, instance, **more):
        return rb.post_alertmanager(notification([alert({"alertname": name, "instance": instance}, **more)]))

    assert decided(of("cool", "a")) == ("run", "matched")
    fire("cool", "a", starts_at="2026-01-01T00:00:00Z")
    again = of("cool", "a")
    assert again["decision"] == "cooldown" and again["reason"].startswith("in cooldown until 20"), again
    assert decided(of("cool", "b")) == ("run", "matched")

    sent = notification([alert({"alertname": "cool", "instance": "a"}, starts_at="2026-01-01T00:00:00Z")])
    rb.post_alertmanager(sent)
    same = rb.items("alerts", filter="alertname = cool")[0]
    assert same["occurrences"] == 1
    row = one(rb, {"source": "alertmanager", "payload": sent}, "cool")
    assert row["decision"] == "duplicate" and "the same occurrence as event" in row["reason"], row
    assert row["if_new"]["decision"] == "cooldown", row

    for instance in "ab":
        fire("limited", instance)
    held = of("limited", "c")
    assert held["decision"] == "limit" and "2" in held["reason"], held
    assert not rb.items("events", filter='event.type = "limit"'), "a question holds no brake"

    assert of("dry", "a")["decision"] == "dry_run" and "would run 'note'" in of("dry", "a")["reason"]
    assert of("late", "a")["decision"] == "pending"
    assert of("asks", "a")["decision"] == "approval"
    missing = of("missing", "a")
    assert decided(missing) == ("error", "step 'note': labels.nowhere is missing; give it a default") and missing["steps"] == []

    for i in range(2):
        fire("steady", "a", starts_at=f"2026-01-01T0{i}:00:00Z")
        fire("steady", "a", status="resolved", starts_at=f"2026-01-01T0{i}:00:00Z", ends_at=f"2026-01-01T0{i}:30:00Z")
    assert one(rb, payload({"alertname": "steady", "instance": "a"}), "steady")["decision"] == "flapping"
    decisions = [d["decision"] for e in rb.items("events") for d in e["decisions"]]
    assert "limit" not in decisions and "pending" not in decisions, "nothing that was only asked about was done"


def test_events_of_one_payload_see_each_other(server):
    both = [alert({"alertname": "InstanceDown", "instance": f"web-{i}:9100", "cluster": "eu1"}) for i in (1, 2)]
    answer = explain(server, {"source": "alertmanager", "payload": notification(both), "rule": "down"})
    assert [e["rules"][0]["decision"] for e in answer["events"]] == ["run", "cooldown"]


ALARM = {"AlarmName": "disk", "NewStateValue": "ALARM", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:1:alarm:disk"}
RAW = {"X-AMZ-SNS-RawDelivery": "true", "x-amz-sns-message-id": "id-1", "Content-Type": "text/plain"}


@pytest.mark.parametrize("sent", [ALARM, json.dumps(ALARM)], ids=["json", "bytes"])
def test_headers_are_read_as_of_a_request(server, sent):
    (entry,) = explain(server, {"headers": RAW, "source": "sns", "payload": sent})["events"]
    assert entry["event"]["labels"]["alertname"] == "disk" and entry["event"]["status"] == "firing", entry
    # Without them the same is an envelope, and no good one.
    assert "payload: Type: missing" in explain(server, {"source": "sns", "payload": sent}, 400)["detail"]
    assert "payload: Type: missing" in explain(server, {"headers": {}, "source": "sns", "payload": sent}, 400)["detail"]


def test_headers_hold_the_attributes_of_a_binary_cloudevent(server):
    headers = {"Ce-Specversion": "1.0", "ce-id": "1", "ce-source": "/ci", "CE-TYPE": "deployed", "ce-team": "%62lue", "Content-Type": "text/plain"}
    (entry,) = explain(server, {"source": "cloudevents", "headers": headers, "payload": "shop 7"})["events"]
    assert (entry["event"]["type"], entry["event"]["data"]) == ("deployed", "shop 7")
    assert entry["event"]["labels"] == {"ce_source": "/ci", "team": "blue"}
    del headers["ce-id"]
    assert "payload: id: missing" in explain(server, {"source": "cloudevents", "headers": headers, "payload": "shop 7"}, 400)["detail"]


EVERY = """
rules:
  - name: every
    match: 'event.type = "deployed"'
    steps: [{runbook: note}]
"""


def test_what_was_delivered_before_is_told_of(runbookd):
    """Each event of the delivery by itself; and what would be if it had not been."""
    rb = runbookd(rules=EVERY, runbooks={"note.sh": NOTE}, conf={"worker": {"enabled": False}}).start()
    first, second = ({"specversion": "1.0", "id": i, "source": "/ci", "type": "deployed"} for i in "12")
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    ask = {"source": "cloudevents", "payload": [first, second], "headers": batch}
    assert [e["outcome"] for e in explain(rb, ask)["events"]] == ["new", "new"]
    assert [e["outcome"] for e in explain(rb, ask)["events"]] == ["new", "new"], "nothing is remembered of what is only explained"
    sent = rb.api("POST", "/ingest/cloudevents", json.dumps([first]), batch).json()
    told = explain(rb, ask)["events"]
    assert [e["outcome"] for e in told] == ["duplicate", "new"]
    known, new = told[0]["rules"][0], told[1]["rules"][0]
    assert (known["decision"], known["reason"]) == ("duplicate", f"the same delivery as of event {sent['decisions'][0]['event']}")
    assert known["if_new"]["decision"] == new["decision"] == "run" and "if_new" not in new
    assert rb.api("POST", "/ingest/cloudevents", json.dumps([first, second]), batch).json()["duplicate"] == 1


def test_what_would_be_emitted(runbookd, tmp_path):
    rb = runbookd(rules=EVERY, runbooks={"note.sh": NOTE}, conf={"worker": {"enabled": False}}).start()
    emitted = {"type": "deployed", "subject": "shop", "id": "b-1", "data": {"sha": "4f2c"}}
    told, = explain(rb, {"source": "emit", "payload": emitted})["events"]
    assert (told["outcome"], told["event"]["source"], told["event"]["labels"]["subject"]) == ("new", "emit", "shop")
    assert rb.api("POST", "/api/v1/events", emitted).json()["decisions"][0]["decision"] == told["rules"][0]["decision"] == "run"
    file = tmp_path / "event.json"
    file.write_text(json.dumps(emitted))
    assert "the same delivery" in rb.ctl("explain", "--source", "emit", str(file)).stdout
    assert explain(rb, {"source": "emit", "payload": {"data": {}}}, 400)["detail"].startswith("payload: ")


def test_stored_event(server):
    sent = notification([alert({"alertname": "InstanceDown", "instance": "web-1:9100", "cluster": "eu1"})])
    event = server.post_alertmanager(sent)["decisions"][0]["event"]
    (entry,) = explain(server, {"event": event})["events"]
    assert entry["event"] == server.get(f"/api/v1/events/{event}")
    assert entry["outcome"] == "duplicate" and entry["incident_key"] == {"instance": "web-1:9100"}
    rows = {r["rule"]: r for r in entry["rules"]}
    assert rows["down"]["decision"] == "duplicate" and rows["down"]["if_new"]["decision"] == "cooldown"
    assert rows["other-cluster"]["failing"] == [{"matcher": 'cluster = "eu2"', "saw": "eu1"}]


def test_stored_event_with_very_many_values(server):
    """As many as a sender may send."""
    sent = {**alert({"alertname": "InstanceDown", "instance": "web-1:9100"}), "more": [0] * 590_000}
    event = server.post_alertmanager(notification([sent]))["decisions"][0]["event"]
    assert one(server, {"event": event}, "down")["decision"] == "duplicate"
    assert "+ down: duplicate\n" in server.ctl("explain", event, "--rule", "down").stdout


def test_large_values_do_not_take_for_ever(server):
    """Each rule looks at them anew: the cheap ones are told of, the others until it was enough."""
    server.write_rules("rules:\n" + "".join(
        f"  - {{name: r{i}, match: 'data.more = \"{i}\"', steps: [{{runbook: note}}]}}\n" for i in range(1000)) +
        "  - {name: cheap, match: 'alertname = B', steps: [{runbook: note}]}\n")
    assert server.api("POST", "/-/reload").status == 200
    sent = notification([{**alert({"alertname": "A"}), "more": ["x" * 100_000]}])
    rows = explain(server, {"source": "alertmanager", "payload": sent})["events"][0]["rules"]
    told = [r["because"] for r in rows]
    assert set(told[:100]) == {"match"} and set(told[300:1000]) == {"unknown"} and told[1000] == "match"
    sent["alerts"][0]["more"] = "x" * 100_000
    rows = explain(server, {"source": "alertmanager", "payload": sent})["events"][0]["rules"]
    assert {r["because"] for r in rows} == {"match"}, "a text costs nothing"


def test_own_event(runbookd):
    rb = runbookd(rules=RULES, runbooks={"note.sh": NOTE}).start()
    rb.post_alertmanager(notification([alert({"alertname": "InstanceDown", "instance": "a:1", "cluster": "c"})]))
    rb.wait_run(rule="down", step="note", state="succeeded")
    own = rb.items("events", filter='event.type = "run", rule = "down", step = "note"')[0]
    rows = {r["rule"]: r for r in explain(rb, {"event": own["id"]})["events"][0]["rules"]}
    assert rows["either"]["because"] == rows["over"]["because"] == "own_event"
    assert rows["result"]["matches"] and rows["result"]["decision"] == "run"


def test_full_queue_is_told_of(runbookd):
    rb = runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf={"worker": {"enabled": False}, "limits": {"queue": 1}}).start()
    assert rb.api("POST", "/api/v1/runs", {"runbook": "note"}).status == 201
    answer = explain(rb, payload({"alertname": "InstanceDown", "instance": "a:1", "cluster": "c"}))
    assert "queue" in answer["refused"]
    entry = answer["events"][0]
    down = next(r for r in entry["rules"] if r["rule"] == "down")
    assert entry["outcome"] is None and down["matches"] and down["decision"] is None and len(down["steps"]) == 2


def test_items_that_are_not_taken_are_told_of(server, tmp_path):
    """A kind that takes alerts one by one takes the others, here as at /api/v2/alerts."""
    good = {"labels": {"alertname": "InstanceDown", "instance": "a:1"}, "startsAt": "2026-11-20T12:00:00Z"}
    bad = [{"labels": {"alertname": 7}}, {"labels": []}]
    ask = {"source": "prometheus", "payload": [good, bad[0], good | {"labels": {"alertname": "Other"}}, bad[1]]}
    answer = explain(server, ask)
    assert answer["not_taken"] == "alerts[1].labels.alertname: want a string, got a number"
    assert [e["event"]["labels"]["alertname"] for e in answer["events"]] == ["InstanceDown", "Other"]
    assert explain(server, {**ask, "payload": [good]})["not_taken"] is None
    assert explain(server, {**ask, "payload": bad}, 400)["detail"] == "payload: alerts[0].labels.alertname: want a string, got a number"
    file = tmp_path / "alerts.json"
    file.write_text(json.dumps(ask["payload"]))
    assert f"not all of it would be taken: {answer['not_taken']}\n" in server.ctl("explain", "--source", "prometheus", str(file)).stdout
    ingested = server.api("POST", "/api/v2/alerts", ask["payload"])
    assert ingested.status == 400 and answer["not_taken"] == ingested.json(), ingested


def test_amount_is_bounded(server):
    many = [alert({"alertname": "A", "instance": f"h{i}"}) for i in range(257)]
    problem = explain(server, {"source": "alertmanager", "payload": notification(many)}, 400)
    assert "257 events" in problem["detail"] and "256" in problem["detail"]
    assert len(explain(server, {"source": "alertmanager", "payload": notification(many[:256])})["events"]) == 256
    long = explain(server, payload({"alertname": "x" * 5000}))["events"][0]["rules"][0]["failing"][0]["saw"]
    assert long == "x" * 1000 + "… (5000 bytes)"
    server.write_rules("rules:\n" + "".join(
        f"  - {{name: r{i}, match: 'alertname = a{i}', steps: [{{runbook: note}}]}}\n" for i in range(1000)))
    assert server.api("POST", "/-/reload").status == 200
    assert "name one rule" in explain(server, {"source": "alertmanager", "payload": notification(many[:101])}, 400)["detail"]
    assert len(explain(server, {"source": "alertmanager", "payload": notification(many[:101]), "rule": "r7"})["events"]) == 101
    file = server.folder / "many.json"
    file.write_text(json.dumps(notification(many[:100])))
    done = server.ctl("-o", "json", "explain", "--source", "alertmanager", str(file))
    assert [len(e["rules"]) for e in json.loads(done.stdout)["events"]] == [1000] * 100


def test_large_parameters_are_shown(runbookd):
    """32 steps, and a label that is six times as long in JSON."""
    long = "\u0001" * 60000
    rb = runbookd(rules="rules:\n  - name: long\n    match: 'alertname = A'\n    steps:\n" +
                  "      - {runbook: note, with: {of: '{{ labels.long }}'}}\n" * 32,
                  runbooks={"note.sh": NOTE}, conf={"worker": {"enabled": False}}).start()
    row = one(rb, payload({"alertname": "A", "long": long}), "long")
    assert decided(row) == ("run", "matched") and [s["params"]["of"] for s in row["steps"]] == [long] * 32


@pytest.mark.parametrize("body, status, said, offset", [
    (b"{", 400, "", 1),
    ([], 400, "want an object", None),
    ({}, 400, "want an object", None),
    ({"source": "alertmanager"}, 400, "want an object", None),
    ({"event": 7}, 400, "strings", None),
    ({"event": "01JD00000000000000000000AA", "source": "alertmanager"}, 400, "either", None),
    ({"evnt": "x"}, 400, "unknown member 'evnt'", None),
    ({"event": "01JD00000000000000000000AA"}, 404, "there is no event", None),
    ({"event": "x"}, 404, "there is no event 'x'", None),
    ({"source": "alertmanger", "payload": {}}, 404, "there is no source 'alertmanger'", None),
    (b'{"source": "alertmanager", "payload": {"alerts": 7}}', 400, "payload: alerts: want an array", 50),
    (b'{"source": "alertmanager", "payload": "{\\"alerts\\": [}"}', 400, "payload: ", 13),
    (b'{"source": "sns", "payload": {}, "headers": []}', 400, "'headers' is an object of strings", 43),
    (b'{"source": "sns", "payload": {}, "headers": {"X-A": 1}}', 400, "headers.X-A: want a string, got a number", 53),
    ({"event": "01JD00000000000000000000AA", "headers": {}}, 400, "either", None),
    ({"source": "alertmanager", "payload": {"alerts": []}, "rule": "dwon"}, 404, "did you mean 'down'", None),
], ids=str)
def test_faults(server, body, status, said, offset):
    problem = explain(server, body, status)
    assert said in problem["detail"], problem
    assert offset is None or abs(problem["offset"] - offset) <= 1, problem


def test_redis_away_is_503(runbookd, folder):
    redis = RedisServer(folder).start()
    rb = runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf={"redis": redis.url, "worker": {"enabled": False}}).start()
    redis.kill()
    check_problem(rb.api("POST", "/api/v1/explain", payload({"alertname": "A"})), 503)


# ---- runbookctl


def test_page(server):
    message = str(GOLDEN / "v0.25-InstanceDown-mixed.json")
    page = server.ctl("explain", "--source", "alertmanager", message).stdout
    resolved, firing = page.split("\n\nfiring ")
    assert resolved.startswith("resolved InstanceDown, critical, from alertmanager\n") and "1 of 5 rules match" in resolved
    assert '- down: does not match\n    when: firing  saw "resolved"\n' in resolved and "+ over: run\n    matched\n" in resolved
    assert ("+ down: run\n    matched\n    groups: host=web-2\n    1. note  pool default, timeout 5s\n"
            "       path = /\n       of = web-2\n    2. note  pool host:web-2, timeout 20s, always\n"
            "       of = {{ incident.id }}  (filled in when a worker takes it)\n       path = /eu1\n") in firing
    assert "- either: does not match, none of 'any' holds\n    cluster = \"us\"  saw \"eu1\"\n    team = \"storage\"  saw no value\n" \
        in firing
    printed = json.loads(server.ctl("-o", "json", "explain", "--source", "alertmanager", message).stdout)
    assert printed == explain(server, {"source": "alertmanager", "payload": golden("v0.25-InstanceDown-mixed.json")})
    assert "ruleset_hash:" in server.ctl("-o", "yaml", "explain", "--source", "alertmanager", message).stdout


def test_page_of_a_stored_event(server):
    sent = notification([alert({"alertname": "InstanceDown", "instance": "web-1:9100", "cluster": "eu1"})])
    event = server.post_alertmanager(sent)["decisions"][0]["event"]
    page = server.ctl("explain", event, "--rule", "down").stdout
    for part in (f"event {event}\n", "it is known already", "1 of 1 rules match", "+ down: duplicate\n",
                 "    were it new: cooldown, in cooldown until 20", "    when it came: run, matched\n"):
        assert part in page, (part, page)


def test_page_of_a_payload_with_headers(server, folder):
    path = folder / "alarm.json"
    path.write_text(json.dumps(ALARM))
    headers = ["--header", "x-amz-sns-rawdelivery:\t true ", "--header", "X-Note: a: b"]
    assert server.ctl("explain", "--source", "sns", *headers, str(path)).stdout.startswith("firing disk, ")
    assert "Type: missing" in server.ctl("explain", "--source", "sns", str(path), code=1).stderr
    assert "'true' is no header; give 'NAME: VALUE'" in server.ctl("explain", "--header", "true", "x", code=2).stderr
    assert "': true' is no header" in server.ctl("explain", "--header", ": true", "x", code=2).stderr
    assert "of a payload" in server.ctl("explain", "01JD00000000000000000000AA", "--header", "A: b", code=2).stderr
    many = ["--header", "A: b"] * 100
    assert server.ctl("explain", "--source", "sns", *headers[:2], *many[2:], str(path)).stdout.startswith("firing disk, ")
    assert "more than 100 headers" in server.ctl("explain", "--source", "sns", *many, *headers, str(path), code=2).stderr


def test_page_of_evil_text(server):
    evil = "a\x1b[2J\u202eb\nc"
    done = subprocess.run([program("runbookctl"), "--url", f"http://{server.address}", "explain", "--source", "alertmanager", "-"],
                          input=json.dumps(notification([alert({"alertname": evil})])), capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.returncode == 0 and "\x1b" not in done.stdout and "\u202e" not in done.stdout and '\\x1b[2J' in done.stdout, done


def test_refusals_of_the_command(server, folder):
    assert "there is no event" in server.ctl("explain", "01JD00000000000000000000AA", code=4).stderr
    assert "--source NAME" in server.ctl("explain", "payload.json", code=2).stderr
    (folder / "bad.json").write_bytes(b'{"a": "\xff"}')
    assert "byte 7 is not UTF-8" in server.ctl("explain", "--source", "alertmanager", str(folder / "bad.json"), code=1).stderr
    (folder / "bad.json").write_bytes(b'{"alerts": [}')
    assert "(byte 13)" in server.ctl("explain", "--source", "alertmanager", str(folder / "bad.json"), code=1).stderr
    server.ctl("explain", "--source", "alertmanager", str(folder / "none.json"), code=1)
