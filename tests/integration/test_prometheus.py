"""The bridge as an Alertmanager: of a real Prometheus, of amtool, and for whoever reads what it holds."""
import datetime
import json
import subprocess
from pathlib import Path

import pytest

from harness import free_port, http_request, spawn, wait_for

RULES = """
rules:
  - name: note
    match: 'alertname =~ "Down|Odd"'
    steps: [{runbook: note}]
"""
NOTE = """#!/bin/sh
# ---
# summary: Notes
# kind: diagnose
# ---
echo seen
"""


def at(seconds):
    """RFC 3339 of so many seconds from now."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def alert(name="Down", starts=-60, ends=None, **labels):
    made = {"labels": {"alertname": name, "instance": "web-1:9100", **labels}, "annotations": {"summary": f"{name} it is"},
            "startsAt": at(starts), "generatorURL": "http://p/graph"}
    return made if ends is None else {**made, "endsAt": at(ends)}


def post(rb, alerts, path="/api/v2/alerts", expect=200):
    answer = rb.api("POST", path, alerts)
    assert answer.status == expect, answer
    return answer


@pytest.fixture
def rb(runbookd):
    return runbookd(rules=RULES, runbooks={"note.sh": NOTE}).start()


class Prometheus:
    """One that evaluates each second and has the bridge as its Alertmanager; an alert of alerts() fires while its file says so."""

    def __init__(self, folder, address):
        self.folder = Path(folder) / "prometheus"
        self.folder.mkdir()
        self.address = f"127.0.0.1:{free_port()}"
        self.log = self.folder / "log"
        (self.folder / "prometheus.yml").write_text(json.dumps({
            "global": {"evaluation_interval": "1s", "external_labels": {"cluster": "eu1"}},
            "rule_files": ["alerts.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}}))
        self.process = None

    def fires(self, yes):
        rule = {"alert": "Down", "expr": "vector(1) > 0" if yes else "vector(1) > 1",
                "labels": {"instance": "web-1:9100", "severity": "critical"}, "annotations": {"summary": "{{ $value }} is down"}}
        (self.folder / "alerts.yml").write_text(json.dumps({"groups": [{"name": "g", "interval": "1s", "rules": [rule]}]}))
        if self.process:
            assert http_request(self.address, "POST", "/-/reload").status == 200

    def start(self):
        self.process = spawn(["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.enable-lifecycle",
                              f"--web.listen-address={self.address}", "--rules.alert.resend-delay=5s"], self.log, cwd=self.folder)
        wait_for(lambda: http_request(self.address, "GET", "/-/ready").status == 200, "Prometheus to be ready")

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def prometheus(rb, folder, request):
    made = Prometheus(folder, rb.address)
    request.node.logs.append(("log of Prometheus", made.log))
    yield made
    made.close()


def the_alert(rb, status):
    return wait_for(lambda: [a for a in rb.items("alerts") if a["status"] == status], f"the alert to be {status}")[0]


def test_prometheus_fires_and_resolves(rb, prometheus):
    prometheus.fires(True)
    prometheus.start()
    rb.wait_run(rule="note", state="succeeded")
    firing = wait_for(lambda: next((a for a in rb.items("alerts") if a["count"] > 2 and a["status"] == "firing"), None), "repetitions")
    assert firing["source"] == "prometheus" and firing["severity"] == "critical"
    assert firing["labels"]["cluster"] == "eu1" and firing["summary"] == "1 is down"
    assert moment(firing["expires_at"]) > moment(firing["last_seen"])
    prometheus.fires(False)
    assert the_alert(rb, "resolved")["fingerprint"] == firing["fingerprint"]
    assert len(rb.items("runs")) == 1


def test_prometheus_is_killed_while_it_fires(rb, prometheus):
    prometheus.fires(True)
    prometheus.start()
    rb.wait_run(rule="note", state="succeeded")
    prometheus.close()
    last = the_alert(rb, "firing")
    resolved = the_alert(rb, "resolved")
    assert resolved["ends_at"] == last["expires_at"]
    assert [i["status"] for i in rb.items("incidents")] == ["resolved"]
    incident = rb.items("incidents")[0]
    assert incident["resolved"] == resolved["ends_at"]
    [entry] = [e for e in rb.items(f"incidents/{incident['id']}/timeline") if e["kind"] == "alert"]
    assert entry["alert"]["ends_at"] == resolved["ends_at"] and "its end came" in entry["alert"]["reason"]
    assert len(rb.items("runs")) == 1


def test_resolved_at_its_end_though_nobody_was_up(rb):
    ends = at(15)
    post(rb, [{**alert(), "endsAt": ends}])
    rb.wait_run(rule="note", state="succeeded")
    the_alert(rb, "firing")
    rb.kill9_all()
    wait_for(lambda: moment(ends) < datetime.datetime.now(datetime.timezone.utc), "its end")
    rb.start()
    resolved = the_alert(rb, "resolved")
    assert abs(moment(resolved["ends_at"]) - moment(ends)) < datetime.timedelta(milliseconds=1)
    # The same occurrence comes back: reopened, and it has had its run.
    first = rb.items("events")[-1]["data"]
    post(rb, [{**first, "endsAt": at(600)}])
    again = the_alert(rb, "firing")
    assert again["occurrences"] == 1 and again["incident"] == resolved["incident"]
    assert len(rb.items("runs")) == 1


def test_kills_do_not_forget_the_deadline(rb):
    post(rb, [alert(ends=600)])
    before = the_alert(rb, "firing")
    rb.kill9("bridge")
    wait_for(lambda: rb.answers("/-/ready"), "another bridge")
    rb.kill9_all()
    rb.start()
    assert the_alert(rb, "firing")["expires_at"] == before["expires_at"]


def test_a_resolve_that_is_sent_again_is_a_duplicate(rb):
    fires, resolve = alert(ends=600), alert(ends=-1)
    resolve["startsAt"] = fires["startsAt"]
    for body in ([fires], [fires], [resolve], [resolve]):
        assert post(rb, body).body == b""
    assert [e["status"] for e in rb.items("events") if e["source"] == "prometheus"] == ["resolved", "firing"]
    answer = post(rb, [resolve], path="/ingest/prometheus").json()
    assert answer["events"] == 1 and answer["duplicate"] == 1


def test_the_good_ones_of_a_body_are_taken(rb):
    answer = post(rb, [alert("Odd"), {"labels": {"x": ""}}, alert("Down")], expect=400)
    assert answer.json() == "alerts[1].labels: want at least one label that is not empty"
    assert answer.headers["Content-Type"] == "application/json"
    assert {a["labels"]["alertname"] for a in rb.items("alerts")} == {"Odd", "Down"}
    assert post(rb, [alert("Third"), 7], path="/ingest/prometheus/api/v2/alerts", expect=400).json() == "alerts[1]: want an object, got a number"
    assert len(rb.items("alerts")) == 3
    assert isinstance(post(rb, b"[", expect=400).json(), str)
    assert rb.metric("runbookd_ingest_rejected_total", source="prometheus", reason="input") == 3


def test_at_a_path_of_ours_a_body_is_taken_whole_or_not_at_all(rb):
    answer = post(rb, [alert("Odd"), 7], path="/ingest/prometheus", expect=400)
    assert answer.json()["detail"] == "alerts[1]: want an object, got a number" and answer.json()["offset"] > 0
    assert rb.items("alerts") == []
    assert rb.metric("runbookd_ingest_rejected_total", source="prometheus", reason="input") == 1
    assert post(rb, [alert("Odd")], path="/ingest/prometheus").json()["new"] == 1


def test_refusals_have_the_form_of_an_alertmanager(runbookd):
    """Also those before the alerts are looked at, which count for the source as any other."""
    rb = runbookd(conf={"sources": {"eu": {"kind": "prometheus"}}, "http": {"listen": ["127.0.0.1:0"], "body_limit": "2KiB"}}).start()
    large = b"[" + b" " * 2048 + b"]"
    host, page = {"Host": "pages.example"}, {"Origin": "http://pages.example"}
    for method, path, body, headers, status in (
            ("POST", "/api/v2/alerts", large, {}, 413), ("POST", "/api/v2/alerts", b"[]", {"Content-Encoding": "lzma"}, 415),
            ("POST", "/api/v2/alerts", b"[]", page, 403), ("POST", "/ingest/eu/api/v2/alerts", large, {}, 413),
            ("GET", "/api/v2/alerts", None, host, 403), ("PUT", "/api/v2/alerts", b"[]", {}, 405),
            ("GET", "/api/v2/nothing", None, {}, 404), ("POST", "/ingest/alertmanager/api/v2/alerts", [], {}, 404)):
        answer = rb.api(method, path, body, headers)
        assert answer.status == status and answer.headers["Content-Type"] == "application/json", answer
        told = answer.json()
        assert set(told) == {"code", "message"} and told["code"] == status and told["message"], answer
    assert rb.api("POST", "/ingest/eu", large).json()["status"] == 413
    rejected = lambda source: rb.metric("runbookd_ingest_rejected_total", source=source)  # noqa: E731
    assert (rejected("prometheus"), rejected("eu"), rejected("unknown")) == (3, 2, 0)


def test_another_source_and_another_kind(runbookd):
    rb = runbookd(conf={"sources": {"eu": {"kind": "prometheus"}}}).start()
    post(rb, [alert()], path="/ingest/eu/api/v2/alerts")
    assert rb.items("alerts")[0]["source"] == "eu"
    assert "only one of kind prometheus" in post(rb, [], path="/ingest/alertmanager/api/v2/alerts", expect=404).text
    assert post(rb, [], path="/ingest/us/api/v2/alerts", expect=404)


def amtool(rb, *args):
    done = subprocess.run(["amtool", f"--alertmanager.url=http://{rb.address}", *args], capture_output=True, text=True, timeout=60,
                          env={"HOME": str(rb.folder), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, (args, done.stdout, done.stderr)
    return done.stdout


def test_amtool_adds_and_lists(rb):
    amtool(rb, "alert", "add", "Down", "instance=web-1", "severity=critical", "--annotation=summary=gone")
    amtool(rb, "alert", "add", "Odd", "instance=web-2", "--end=" + at(3600))
    rb.wait_settled()
    listed = json.loads(amtool(rb, "-o", "json", "alert", "query"))
    assert {a["labels"]["alertname"]: a["labels"]["instance"] for a in listed} == {"Down": "web-1", "Odd": "web-2"}
    [down] = json.loads(amtool(rb, "-o", "json", "alert", "query", "alertname=Down", "instance=~web.*"))
    assert down["annotations"]["summary"] == "gone" and down["status"]["state"] == "active"
    assert down["receivers"] == [{"name": "runbookd"}]
    assert 0 < (moment(down["endsAt"]) - moment(down["updatedAt"])).total_seconds() <= 301
    assert json.loads(amtool(rb, "-o", "json", "alert", "query", "alertname=None")) == []
    assert "Down" in amtool(rb, "alert", "query")
    assert amtool(rb, "silence", "query", "-q") == ""
    assert "runbookd" in amtool(rb, "config", "show")


def test_what_readers_of_an_alertmanager_get(rb):
    post(rb, [alert("Odd", ends=600), alert("Third", ends=-1)])
    rb.post_alertmanager({"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "Other"}, "startsAt": at(-9)}]})
    names = lambda path: sorted(a["labels"]["alertname"] for a in rb.get(path))  # noqa: E731
    assert names("/api/v2/alerts") == ["Odd", "Other"]
    assert names("/api/v2/alerts?filter=alertname%3D%22Odd%22&filter=instance%3D~%22web.*%22") == ["Odd"]
    assert names("/api/v2/alerts?active=false") == []
    assert names("/api/v2/alerts?silenced=false&inhibited=false&unprocessed=false&receiver=run.*") == ["Odd", "Other"]
    assert names("/api/v2/alerts?receiver=pager") == []
    [group] = rb.get("/api/v2/alerts/groups")
    assert len(group["alerts"]) == 2 and group["receiver"] == {"name": "runbookd"} and group["labels"] == {}
    assert rb.get("/api/v2/alerts/groups?filter=alertname%3Dnone") == []
    assert rb.get("/api/v2/receivers") == [{"name": "runbookd"}]
    assert rb.get("/api/v2/silences") == []
    assert rb.get("/api/v2/status")["cluster"]["status"] == "disabled"
    for query in ("active=maybe", "filter=a%3D%7E%22(%22", "receiver=(", "filters=x"):
        answer = rb.api("GET", "/api/v2/alerts?" + query)
        assert answer.status == 400 and isinstance(answer.json(), str), (query, answer)


def test_more_pages_than_one(rb):
    for first in range(0, 1200, 200):
        post(rb, [alert("Third", ends=600, n=str(n)) for n in range(first, first + 200)])
    assert sorted(int(a["labels"]["n"]) for a in rb.get("/api/v2/alerts")) == list(range(1200))
