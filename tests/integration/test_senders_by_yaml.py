"""Senders that need no adapter, or speak CloudEvents, through a live bridge."""
import json
import socket
from pathlib import Path

from harness import DEADLINE, http_request

TESTS = Path(__file__).resolve().parent.parent
GOLDEN = TESTS / "golden"
PAYLOADS = TESTS.parent.parent / "shared" / "payloads"
RULES = """
rules:
  - name: disk
    match: 'event.source = "zabbix", instance = "db-3"'
    mode: dry_run
    steps: [{runbook: note}]
"""
NOTE = {"note.sh": "#!/bin/sh\n# ---\n# summary: Note it\n# kind: notify\n# ---\n"}


def with_sources(rb, yaml):
    """The YAML of a source as people write it, behind the rest."""
    rb.conf_path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in rb.conf.items()) + yaml)
    return rb


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def raw(rb, request):
    """The bytes of a request as they are, to the path of the source."""
    host, _, port = rb.address.rpartition(":")
    head, _, rest = request.partition(b"\r\n")
    request = b"POST /ingest/cloudevents HTTP/1.1\r\nConnection: close\r\n" + rest.replace(b"\r\nConnection: keep-alive", b"")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=DEADLINE) as s:
        s.sendall(request)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


SHIPPERS = """
sources:
  fluent-bit: {kind: generic, map: {type: line, summary: log, labels: {pod: kubernetes.pod_name, stream: stream}, starts_at: date}}
  vector: {kind: generic, map: {type: line, summary: message, labels: {instance: host, from: source_type}, starts_at: timestamp}}
"""
FLUENT_BIT = [{"date": 1795375000.25, "log": "one", "stream": "stdout"}, {"date": 1795375001.5, "log": "two", "kubernetes": {"pod_name": "api-7"}}]
LINES_MAX = 15  # of a mapping: a new sender needs fewer
VECTOR = [{"host": "db-9", "message": "three", "source_type": "journald", "timestamp": "2026-11-22T19:16:40.123456789Z"}]


# What the files of the two say that may lie beside the project, by what each line is.
REAL = {
    "Out of memory: Killed process 1234 (java)": ("2026-11-22T19:16:40.123456Z", {"stream": "stderr"}),
    'line "two"': ("2026-11-22T19:16:41.500Z", {"pod": "api-1"}),
    "oom": ("2026-11-22T19:16:40.123456789Z", {"instance": "web-1", "from": "file"}),
}


def test_arrays_of_two_shippers_by_yaml_alone(runbookd):
    assert all(len(part.splitlines()) < LINES_MAX for part in SHIPPERS.split("\n  "))
    rb = with_sources(runbookd(), SHIPPERS).start()
    messages = {"fluent-bit": [FLUENT_BIT], "vector": [VECTOR]}
    for name in messages:
        path = PAYLOADS / name / "http-json.json"
        if path.exists():
            messages[name].append(json.loads(path.read_text()))
    for name, bodies in messages.items():
        for body in bodies:
            answer = rb.api("POST", f"/ingest/{name}", body)
            assert answer.status == 200 and answer.json()["events"] == len(body), answer
    texts = [e["summary"] for e in rb.items("events") if e["type"] == "line"]
    assert sorted(texts) == sorted(m.get("log") or m.get("message") for bodies in messages.values() for body in bodies for m in body)
    said = {e["summary"]: (e["time"], e["labels"]) for e in rb.items("events")}
    assert {text: said[text] for text in REAL if text in said} == (REAL if len(messages["vector"]) > 1 else {})
    two = next(e for e in rb.items("events") if e["summary"] == "two")
    assert two["labels"] == {"pod": "api-7"} and two["time"] == "2026-11-22T19:16:41.500Z"


def test_anything_is_taken_without_a_map(runbookd):
    rb = runbookd().start()
    assert rb.api("POST", "/ingest/generic", {"a": [1]}).json()["events"] == 1
    bad = http_request(rb.address, "POST", "/ingest/generic", body=b'{"a": }', headers={"Content-Type": "application/json"})
    assert bad.status == 400 and bad.json()["offset"] > 0
    assert [(e["type"], e["data"]) for e in rb.items("events", filter='event.source = "generic"')] == [("generic", {"a": [1]})]


def test_a_bad_map_is_found_by_check(runbookd):
    rb = with_sources(runbookd(), "sources:\n  x:\n    kind: generic\n    map: {sumary: a}\n")
    done = rb.run_check()
    assert done.returncode == 3 and "unknown key 'sources.x.map.sumary'; did you mean 'summary'?" in done.stdout + done.stderr


def test_explain_reads_by_the_map(runbookd):
    rb = with_sources(runbookd(rules=RULES, runbooks=NOTE), (GOLDEN / "generic" / "zabbix.yml").read_text()).start()
    payload = json.loads((GOLDEN / "generic" / "zabbix.json").read_text())
    told = rb.api("POST", "/api/v1/explain", {"source": "zabbix", "payload": payload})
    assert told.status == 200, told
    assert told.json()["events"][0]["event"]["labels"]["instance"] == "db-3"


# ---- CloudEvents ----


def test_captured_requests_of_the_javascript_client(runbookd):
    rb = runbookd().start()
    for path in sorted((GOLDEN / "cloudevents").glob("live-*.http")):
        status, answer = raw(rb, path.read_bytes())
        assert status == 200, (path.name, answer)
        assert answer["events"] == len(lines(path.with_suffix(".ndjson"))), path.name
    got = {e["type"] for e in rb.items("events", filter='event.source = "cloudevents"')}
    assert got == {"com.github.pull_request.opened", "com.example.alert"}
    # Each of the three files has the same source and id: one event. B1 is another.
    assert len(rb.items("events", filter='event.type = "com.github.pull_request.opened"')) == 1


def test_real_requests_and_one_of_our_own_with_percent_signs(runbookd):
    rb = runbookd().start()
    own = b"\r\n".join([b"POST / HTTP/1.1", b"Host: 127.0.0.1", b"ce-specversion: 1.0", b"ce-id: p1", b"ce-type: com.example.own", b"ce-source: /own",
                        b"ce-subject: gr%c3%bcn%20%F0%9F%9A%80", b"Content-Type: application/json", b"Content-Length: 2", b"", b"{}"])
    requests = {"own": own, **{p.name: p.read_bytes() for p in sorted((PAYLOADS / "cloudevents").glob("*.http"))}}
    for name, request in requests.items():
        status, answer = raw(rb, request)
        assert status == 200 and answer["events"] >= 1, (name, answer)
    subjects = {e["labels"].get("subject") for e in rb.items("events", filter='event.source = "cloudevents"')}
    assert "grün 🚀" in subjects
    assert ("binary-percent-encoded.http" in requests) == ("Euro € 😀" in subjects), subjects


def test_a_delivery_counts_once_in_any_mode(runbookd):
    rb = runbookd().start()
    binary = {"ce-specversion": "1.0", "ce-id": "9", "ce-source": "/s", "ce-type": "t", "ce-subject": "Euro%20%E2%82%AC", "Content-Type": "application/json"}
    assert http_request(rb.address, "POST", "/ingest/cloudevents", b'{"a":1}', binary).json()["new"] == 1
    event = {"specversion": "1.0", "id": "9", "source": "/s", "type": "t", "data": {"a": 1}}
    again = http_request(rb.address, "POST", "/ingest/cloudevents", json.dumps(event).encode(), {"Content-Type": "application/cloudevents+json"})
    assert again.json()["duplicate"] == 1, again
    seen = rb.items("events", filter='event.type = "t"')
    assert [(e["labels"], e["data"]) for e in seen] == [({"ce_source": "/s", "subject": "Euro €"}, {"a": 1})]


def test_an_event_of_a_batch_is_itself_wherever_it_stands(runbookd):
    rb = runbookd().start()

    def event(ident):
        return {"specversion": "1.0", "id": ident, "source": "/s", "type": "t"}

    def post(path, kind, *idents):
        answer = http_request(rb.address, "POST", path, json.dumps([event(i) for i in idents]).encode(), {"Content-Type": kind})
        assert answer.status == 200, answer
        return answer.json()["new"], answer.json()["duplicate"]

    for path, kind in (("/ingest/cloudevents", "application/cloudevents-batch+json"), ("/api/v1/events", "application/json")):
        assert post(path, kind, "1", "2", "3") == (3, 0)
        assert post(path, kind, "2", "4", "1") == (1, 2)  # the rest of a batch, sent again with what came since
        assert post(path, kind, "3") == (0, 1)
        assert post(path, kind, "5", "5") == (1, 1)
    assert len(rb.items("events", filter='event.type = "t"')) == 10


def test_another_format_is_refused(runbookd):
    rb = runbookd().start()
    bad = http_request(rb.address, "POST", "/ingest/cloudevents", b"<e/>", {"Content-Type": "application/cloudevents+xml", "ce-specversion": "1.0"})
    assert bad.status == 400 and "application/cloudevents+json" in bad.json()["detail"]


def options(rb, name, **headers):
    return http_request(rb.address, "OPTIONS", f"/ingest/{name}", headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_handshake(runbookd):
    rb = with_sources(runbookd(), "sources:\n  slow: {kind: cloudevents, rate: {count: 2, per: 1s}}\n").start()
    yes = options(rb, "cloudevents", WebHook_Request_Origin="eventemitter.example", WebHook_Request_Rate="120")
    assert yes.status == 200 and yes.headers["WebHook-Allowed-Origin"] == "eventemitter.example", yes
    assert yes.headers["WebHook-Allowed-Rate"] == "*" and yes.headers["Allow"] == "POST, PUT"
    assert options(rb, "slow", WebHook_Request_Origin="a").headers["WebHook-Allowed-Rate"] == "120"
    assert options(rb, "cloudevents").status == 400
    no = options(rb, "alertmanager", WebHook_Request_Origin="a")
    assert no.status == 405 and no.headers["Allow"] == "POST, PUT" and "WebHook-Allowed-Origin" not in no.headers
    assert options(rb, "nobody", WebHook_Request_Origin="a").status == 404
    got = http_request(rb.address, "GET", "/ingest/cloudevents")
    assert got.status == 405 and got.headers["Allow"] == "POST, PUT"
