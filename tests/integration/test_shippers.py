"""The endpoints of log shippers: what an unmodified client of Loki, Elasticsearch, Splunk and OpenTelemetry is answered."""
import base64
import contextlib
import gzip
import hashlib
import http.client
import json
import socket
import struct
from pathlib import Path

import pytest

from harness import DEADLINE, RedisServer, wait_for
from packers import snappy_block

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "line"
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "payloads"
PATTERNS = r"""
patterns:
  - name: found
    match: 'needle (?<n>\d+)'
  - name: span-failed
    source: '{type="trace_error"}'
    match: '^(?<what>[^:]+)'
"""
JSON = {"Content-Type": "application/json"}
PROTO = {"Content-Type": "application/x-protobuf"}
NDJSON = {"Content-Type": "application/x-ndjson"}
TIME = "2026-11-22T19:16:40Z"
NS = "1795375000000000000"


def bridge(runbookd, conf=None):
    return runbookd(conf={"worker": {"enabled": False}, **(conf or {})}, rules={"test.yml": "rules: []\n", "patterns.yml": PATTERNS})


@pytest.fixture
def rb(runbookd):
    return bridge(runbookd).start()


def found(rb, name="found"):
    """The labels of the alerts that fire, by what n is."""
    return {a["labels"].get("n"): a["labels"] for a in rb.items("alerts", status="firing") if a["labels"]["alertname"] == name}


def post(rb, path, body, headers, expect=200):
    answer = rb.api("POST", path, body.encode() if isinstance(body, str) else body, headers)
    assert answer.status == expect, answer
    return answer


# -- Loki

def push(*lines, **labels):
    return json.dumps({"streams": [{"stream": labels, "values": [[NS, line] for line in lines]}]})


def test_loki_json(rb):
    answer = post(rb, "/loki/api/v1/push", push("a needle 1", app="shop"), {**JSON, "X-Scope-OrgID": "blue"}, expect=204)
    assert answer.body == b""
    post(rb, "/loki/api/v1/push", gzip.compress(push("a needle 2").encode()), {**JSON, "Content-Encoding": "gzip"}, expect=204)
    assert set(found(rb)) == {"1", "2"}
    assert rb.metric("runbookd_log_lines_total", source="logs") == 2
    answer = post(rb, "/loki/api/v1/push", '{"streams":[{"stream":{},"values":[["1"]]}]}', JSON, expect=400)
    assert "NANOSECONDS" in answer.json()["detail"] and answer.json()["offset"] == 35
    post(rb, "/loki/api/v1/push", "x", {"Content-Type": "text/plain"}, expect=415)
    assert rb.api("GET", "/ready").status == 200
    assert rb.api("GET", "/loki/api/v1/push").status == 405


def test_loki_protobuf_is_a_block_of_snappy(rb):
    body = (GOLDEN / "loki_proto" / "live-winston.body").read_bytes().replace(b"slow query", b"needle 077")
    for headers in (PROTO, {**PROTO, "Content-Encoding": "snappy"}):
        post(rb, "/loki/api/v1/push", snappy_block(body), headers, expect=204)
    assert set(found(rb)) == {"077"}
    post(rb, "/loki/api/v1/push", body, PROTO, expect=400)
    post(rb, "/loki/api/v1/push", gzip.compress(body), {**PROTO, "Content-Encoding": "gzip"}, expect=415)


# -- Elasticsearch

def elastic(answer, status):
    """All its answers have the header without which the official clients go no further."""
    assert answer.status == status, answer
    assert answer.headers.get("X-elastic-product") == "Elasticsearch", answer.headers
    return answer


def documents(*docs):
    return "".join(json.dumps(line) + "\n" for doc in docs for line in ({"create": {"_index": "logs"}}, doc))


def test_elastic_greets_before_it_takes(rb):
    greeting = elastic(rb.api("GET", "/"), 200).json()
    assert greeting["version"]["number"] and greeting["tagline"] == "You Know, for Search"
    assert elastic(rb.api("HEAD", "/"), 200).body == b""
    assert elastic(rb.api("GET", "/_license?human=false"), 200).json()["license"]["status"] == "active"
    for path in ("/_xpack", "/_nodes/http", "/_ilm/policy/beat", "/_index_template/beat-8", "/_ingest/pipeline/a/b", "/_logstash/x"):
        assert elastic(rb.api("GET", path), 200).json() == {}
        assert elastic(rb.api("HEAD", path), 200).body == b""
    assert elastic(rb.api("PUT", "/_index_template/beat-8", {"index_patterns": ["x"]}), 200).json() == {}
    assert "not served" in elastic(rb.api("GET", "/_cat/indices"), 404).json()["error"]["reason"]
    elastic(rb.api("GET", "/_bulk"), 404)
    elastic(rb.api("DELETE", "/any/_bulk"), 405)
    # A browser gets no Elasticsearch.
    page = rb.api("GET", "/", headers={"Accept": "text/html,*/*"})
    assert page.status == 404 and "X-elastic-product" not in page.headers


def test_elastic_bulk_is_answered_item_by_item(rb):
    body = ('{"create":{"_index":"a","_id":"1"}}\n{"message":"needle 1"}\n\n{"index":{}}\n{"broken\n'
            '{"delete":{"_id":"1"}}\n{"create":{}}\n{"@timestamp":"%s","msg":"needle 2"}\n' % TIME)
    answer = elastic(post(rb, "/b/_bulk?filter_path=x", body, NDJSON), 200).json()
    assert answer["errors"] is True and answer["took"] >= 0
    assert [(list(i)[0], i[list(i)[0]]["status"]) for i in answer["items"]] == [
        ("create", 201), ("index", 400), ("delete", 400), ("create", 201)]
    assert answer["items"][0]["create"] == {"_index": "a", "_id": "1", "status": 201}
    assert answer["items"][1]["index"]["error"]["type"] == "document_parsing_exception"
    assert set(found(rb)) == {"1", "2"}
    answer = elastic(post(rb, "/_bulk", documents({"message": "no"}), {"Content-Type": "application/json; charset=utf-8"}), 200)
    assert b'"errors":false,"items":[{"create":' in answer.body
    answer = elastic(rb.api("POST", "/_bulk", b'{"message":"no action"}\n', NDJSON), 400).json()
    assert answer["status"] == 400 and "malformed action line" in answer["error"]["reason"]
    vendor = {"Content-Type": "application/vnd.elasticsearch+x-ndjson; compatible-with=9",
              "Accept": "application/vnd.elasticsearch+json; compatible-with=9"}
    answer = elastic(post(rb, "/_bulk", (GOLDEN / "bulk" / "live-js-client.body").read_bytes(), vendor), 200)
    assert answer.headers["Content-Type"] == "application/vnd.elasticsearch+json;compatible-with=9"
    assert len(answer.json()["items"]) == 2


# -- Splunk

def hec(answer, status, code):
    assert answer.status == status and answer.json()["code"] == code, answer
    return answer.json()


def test_splunk_events_raw_lines_and_health(rb):
    assert hec(rb.api("GET", "/services/collector/health"), 200, 17) == {"text": "HEC is healthy", "code": 17}
    hec(rb.api("GET", "/services/collector/health/1.0"), 200, 17)
    for n, path in enumerate(("", "/event", "/event/1.0")):
        answer = rb.api("POST", "/services/collector" + path, b'{"event":{"message":"needle %d"},"host":"web-1"}{"event":"x"}' % n)
        assert hec(answer, 200, 0) == {"text": "Success", "code": 0}
    hec(rb.api("POST", "/services/collector/raw?host=web-2&sourcetype=app", b"needle 3\nother\n"), 200, 0)
    hec(rb.api("POST", "/services/collector/raw/1.0", b"needle 4"), 200, 0)
    assert set(found(rb)) == {"0", "1", "2", "3", "4"}
    assert found(rb)["0"]["host"] == "web-1" and found(rb)["3"]["host"] == "web-2"
    assert rb.metric("runbookd_log_lines_total", source="logs") == 9


def test_splunk_says_what_is_wrong_in_its_codes(rb):
    for body, code, number in ((b"", 5, None), (b'{"event":1}nonsense', 6, 1), (b'{"event":"a"}{"time":1}', 12, 1), (b'{"event":" "}', 13, 0)):
        answer = hec(rb.api("POST", "/services/collector/event", body), 400, code)
        assert answer.get("invalid-event-number") == number, answer
    assert rb.api("POST", "/services/collector/event", b'{"event":1}', {"Content-Encoding": "br"}).status == 415


# What this file has of Splunk's answers: status, text and code.
HEC = {"ok": (200, "Success", 0), "no_token": (401, "Token is required", 2), "bad_auth": (401, "Invalid authorization", 3),
       "bad_token": (403, "Invalid token", 4), "disabled": (403, "Token disabled", 1), "no_data": (400, "No data", 5),
       "bad_format": (400, "Invalid data format", 6), "busy": (503, "Server is busy", 9),
       "channel_missing": (400, "Data channel is missing", 10), "event_required": (400, "Event field is required", 12),
       "health": (200, "HEC is healthy", 17)}


def test_splunks_answers_are_splunks(runbookd):
    """Each of them provoked; and the table itself against one from elsewhere, where that is at hand."""
    digest = {name: "sha256:" + hashlib.sha256(name.encode()).hexdigest() for name in ("good", "other")}
    rb = bridge(runbookd, {"tokens": [{"name": "good", "hash": digest["good"], "scopes": ["ingest:logs"]},
                                      {"name": "other", "hash": digest["other"], "scopes": ["ingest:elsewhere"]}],
                           "sources": {"logs": {"kind": "logs", "auth": {"token": True}}}}).start()
    good, event, ack = shown_as("Splunk", "good"), "/services/collector/event", "/services/collector/ack"
    asked = {"ok": (event, b'{"event":"x"}', good), "no_token": (event, b"", {}), "bad_auth": (event, b"", {"Authorization": "other"}),
             "bad_token": (event, b"", shown_as("Splunk", "none")), "disabled": (event, b"", shown_as("Splunk", "other")),
             "no_data": (event, b"", good), "bad_format": (event, b"{]", good), "channel_missing": (ack, b'{"acks":[]}', good),
             "event_required": (event, b"{}", good)}
    for name, (path, body, headers) in asked.items():
        answer = rb.api("POST", path, body, headers)
        assert (answer.status, answer.json()["text"], answer.json()["code"]) == HEC[name], name
    if not SHARED.exists():
        return  # the table above is what it says
    theirs = json.loads((SHARED / "splunk-hec" / "responses.json").read_text())
    for name, (status, text, code) in HEC.items():
        assert (theirs[name]["status"], theirs[name]["body"]["text"], theirs[name]["body"]["code"]) == (status, text, code), name


def test_splunk_acknowledges_what_is_durable(rb):
    channel = {"X-Splunk-Request-Channel": "FE0ECFAD-13D5-401B-847D-77833BD77131"}
    ids = [hec(rb.api("POST", "/services/collector/event", b'{"event":"x"}', channel), 200, 0)["ackId"] for _ in range(3)]
    assert len(set(ids)) == 3
    answer = rb.api("POST", "/services/collector/ack?channel=c", {"acks": ids})
    assert answer.status == 200 and answer.json() == {"acks": {str(i): True for i in ids}}
    hec(rb.api("POST", "/services/collector/ack", {"acks": ids}), 400, 10)
    hec(rb.api("POST", "/services/collector/ack?channel=c", {"acks": 7}), 400, 6)


# -- OpenTelemetry

def record(text, **more):
    return {"body": {"stringValue": text}, "timeUnixNano": NS, **more}


def records(*all_of_them, resource=()):
    attributes = [{"key": k, "value": {"stringValue": v}} for k, v in resource]
    return {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": list(all_of_them)}]}]}


def test_otlp_logs_in_json(rb):
    answer = post(rb, "/v1/logs", json.dumps(records(record("needle 1"), record("other"), resource=[("host.name", "web-1")])), JSON)
    assert answer.body == b"{}" and answer.headers["Content-Type"] == "application/json"
    answer = post(rb, "/v1/logs", json.dumps(records(record("needle 2"), {"body": 7}, 8)), JSON).json()
    assert answer["partialSuccess"]["rejectedLogRecords"] == "2"
    assert answer["partialSuccess"]["errorMessage"].startswith("body: want an object")
    assert found(rb)["1"]["host"] == "web-1" and set(found(rb)) == {"1", "2"}
    answer = post(rb, "/v1/logs", "[]", JSON, expect=400).json()
    assert answer["code"] == 3 and "want an object" in answer["message"]
    assert post(rb, "/v1/logs", "x", {"Content-Type": "text/plain"}, expect=415).json()["code"] == 3


def test_otlp_in_protobuf_is_answered_in_protobuf(rb):
    body = (GOLDEN / "otlp_logs_proto" / "all.body").read_bytes().replace(b"cannot reach", b"needle 00012")
    size = len((GOLDEN / "otlp_logs_proto" / "all.body").read_bytes())
    assert len(body) == size
    answer = post(rb, "/v1/logs", gzip.compress(body), {**PROTO, "Content-Encoding": "gzip"})
    assert answer.body == b"" and answer.headers["Content-Type"] == "application/x-protobuf"
    assert set(found(rb)) == {"00012"}
    # ResourceLogs{ScopeLogs{LogRecord broken, LogRecord}}
    answer = post(rb, "/v1/logs", b"\x0a\x0e\x12\x0c\x12\x02\x1a\x7f\x12\x06\x1a\x04INFO", PROTO)
    assert answer.body[:1] == b"\x0a" and answer.body[2:4] == b"\x08\x01" and b"longer than its message" in answer.body
    answer = post(rb, "/v1/logs", b"\x0a\x7f", PROTO, expect=400)
    assert answer.headers["Content-Type"] == "application/x-protobuf" and answer.body.startswith(b"\x08\x03\x12")


def spans(*names, code=2):
    made = [{"traceId": f"{n:032x}", "spanId": f"{n:016x}", "name": name, "endTimeUnixNano": NS, "status": {"code": code}} for n, name in enumerate(names)]
    service = {"key": "service.name", "value": {"stringValue": "basket"}}
    return {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [{"spans": made}]}]}


def test_a_span_that_failed_is_an_event_and_a_line(runbookd):
    rule = """
rules:
  - name: look-at-the-basket
    match: 'event.type = trace_error, service = basket'
    steps: [{runbook: note}]
"""
    note = "#!/bin/sh\n# ---\n# summary: Notes which span it was\n# kind: diagnose\n# ---\necho $LABEL_operation >> DIR/noted\n"
    rb = runbookd(rules={"test.yml": rule, "patterns.yml": PATTERNS}, runbooks={"note.sh": note}).start()
    body = json.dumps(spans("GET /stock", "SELECT stock"))
    for _ in range(2):
        assert post(rb, "/v1/traces", body, JSON).json() == {}
    post(rb, "/v1/traces", json.dumps(spans("fine", code=1)), JSON)
    rb.wait_settled()
    assert sorted(rb.lines("noted")) == ["GET /stock", "SELECT stock"]
    events = rb.items("events", filter='event.type = trace_error')
    assert [(e["labels"]["operation"], e["severity"], e["source"], e["summary"]) for e in events] == [
        (name, "error", "logs", name) for name in ("SELECT stock", "GET /stock")]
    post(rb, "/v1/traces", (GOLDEN / "otlp_traces_proto" / "all.body").read_bytes(), PROTO)
    events = rb.items("events", filter='event.type = trace_error')
    # The three in there have one id, and so are one event; as lines they are three.
    assert len(events) == 3 and all(len(e["labels"]["trace_id"]) == 32 for e in events)
    raised = {a["labels"]["what"] for a in rb.items("alerts", status="firing")}
    assert raised == {"GET /stock", "SELECT stock", "bare"}


# -- the journal

def entry(cursor, text):
    data = text.encode()
    return (f"__CURSOR={cursor}\n__REALTIME_TIMESTAMP=1795375000000000\n_HOSTNAME=web-1\nPRIORITY=3\n".encode()
            + b"MESSAGE\n" + struct.pack("<Q", len(data)) + data + b"\n\n")


def test_journal_entries_are_taken_as_they_come(runbookd):
    # The pauses between entries are longer than any other request may take.
    rb = bridge(runbookd, {"http": {"request_timeout": "5s"}}).start()
    host, port = rb.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as s:
        s.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.fdo.journal\r\n"
                  b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(1000).startswith(b"HTTP/1.1 100")
        seen = set()
        for n in range(2):
            data = entry(f"c{n}", f"first\nneedle {n}")
            for part in (data[:50], data[50:]):
                s.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            seen.add(str(n))
            wait_for(lambda: set(found(rb)) == seen, f"entry {n} to raise its alert while the upload goes on")
            # Another sender's connection of that age is cut off by now.
            with socket.create_connection((host, int(port)), timeout=DEADLINE) as other:
                other.sendall(b"POST /ingest/logs HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nx")
                with contextlib.suppress(ConnectionResetError):
                    while other.recv(1000):
                        pass
        s.sendall(b"0\r\n\r\n")
        answer = s.recv(4000)
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"OK.\n")


def test_upload_that_is_no_journal_is_refused(rb):
    post(rb, "/upload", "A\n", {"Content-Type": "application/vnd.fdo.journal"}, expect=400)
    post(rb, "/upload", "x", {"Content-Type": "text/plain"}, expect=415)


class Upload:
    """An upload of the journal that is under way."""

    def __init__(self, rb, authorization="Basic bm86Ym9keQ==", path="/upload"):
        host, port = rb.address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE)
        self.socket.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.fdo.journal\r\n"
                            b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nAuthorization: " + authorization.encode() + b"\r\n\r\n")
        assert self.socket.recv(1000).startswith(b"HTTP/1.1 100")

    def send(self, data):
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def is_over(self):
        """The bridge has hung up."""
        try:
            return self.socket.recv(4000) == b""
        except ConnectionResetError:
            return True


def test_no_journal_entry_waits_for_the_next_one(rb):
    upload = Upload(rb)
    for n in range(200):
        upload.send(entry(f"c{n}", f"needle {n}"))
    wait_for(lambda: len(found(rb)) == 200, "all entries to raise their alerts, though none follows the last")
    upload.socket.close()


def test_an_upload_ends_where_redis_does(runbookd, tmp_path):
    redis = RedisServer(tmp_path)
    redis.start()
    rb = bridge(runbookd, {"redis": redis.url}).start()
    upload = Upload(rb)
    upload.send(entry("c1", "needle 1"))
    wait_for(lambda: set(found(rb)) == {"1"}, "the first entry to be taken")
    redis.kill()
    upload.send(entry("c2", "needle 2"))
    assert upload.is_over()
    assert rb.metric("runbookd_ingest_rejected_total", source="logs", reason="away") == 1
    redis.start()
    wait_for(lambda: rb.api("GET", "/-/ready").status == 200, "redis to be back")
    upload = Upload(rb)
    for n in (1, 2):
        upload.send(entry(f"c{n}", f"needle {n}"))
    wait_for(lambda: set(found(rb)) == {"1", "2"}, "what was not taken to be taken when it comes again")
    upload.socket.close()


def test_an_upload_hears_of_a_reload(runbookd):
    rb = bridge(runbookd, {"sources": {"edge": {"kind": "logs"}}}).start()
    upload, edge = Upload(rb), Upload(rb, path="/ingest/edge/upload")
    upload.send(entry("c1", "needle 1"))
    edge.send(entry("c2", "needle 2"))
    wait_for(lambda: set(found(rb)) == {"1", "2"}, "the first entries to be taken")
    (rb.folder / "rules" / "patterns.yml").write_text(PATTERNS.replace("needle", "straw"))
    del rb.conf["sources"]["edge"]
    rb.configure({})
    assert rb.api("POST", "/-/reload").status == 200
    for text in ("needle 3", "straw 4"):
        upload.send(entry(text, text))
    wait_for(lambda: "4" in found(rb), "the new pattern to want a line of the old upload")
    edge.send(entry("c5", "straw 5"))
    assert edge.is_over(), "its source is gone"
    assert set(found(rb)) == {"1", "2", "4"}
    upload.socket.close()


def test_an_upload_ends_where_its_secret_does(runbookd):
    rb = bridge(runbookd, {"sources": {"logs": {"kind": "logs", "auth": {"bearer_files": ["one", "two"]}}}})
    for name in ("one", "two"):
        (rb.folder / name).write_text(f"secret {name}\n")
        (rb.folder / name).chmod(0o600)
    rb.start()
    revoked, good = Upload(rb, "Bearer secret one"), Upload(rb, "Bearer secret two")
    revoked.send(entry("c1", "needle 1"))
    good.send(entry("c2", "needle 2"))
    wait_for(lambda: set(found(rb)) == {"1", "2"}, "the first entries to be taken")
    rb.configure({"sources": {"logs": {"kind": "logs", "auth": {"bearer_file": "two"}}}})
    assert rb.api("POST", "/-/reload").status == 200
    revoked.send(entry("c3", "needle 3"))
    assert revoked.is_over()
    good.send(entry("c4", "needle 4"))
    wait_for(lambda: set(found(rb)) == {"1", "2", "4"}, "whose secret holds to go on")
    assert rb.metric("runbookd_ingest_rejected_total", source="logs", reason="unauthorized") == 1
    good.socket.close()


def test_an_upload_does_not_hold_up_a_stop(rb):
    upload = Upload(rb)
    upload.send(entry("c1", "needle 1"))
    wait_for(lambda: set(found(rb)) == {"1"}, "the first entry to be taken")
    assert rb.stop() == 0
    assert upload.is_over()
    assert "requests are not through" not in rb.log_text()


# -- whose they are, and who may

def test_native_paths_behind_a_source(runbookd):
    rb = bridge(runbookd, {"sources": {"edge": {"kind": "logs"}, "am": {"kind": "alertmanager"}}}).start()
    edge = "/ingest/edge"
    post(rb, edge + "/loki/api/v1/push", push("needle 1"), JSON, expect=204)
    elastic(post(rb, edge + "/_bulk", documents({"message": "needle 2"}), NDJSON), 200)
    elastic(post(rb, edge + "/some/_bulk", documents({"message": "needle 3"}), NDJSON), 200)
    hec(post(rb, edge + "/services/collector/event", '{"event":"needle 4"}', {}), 200, 0)
    post(rb, edge + "/v1/logs", json.dumps(records(record("needle 5"))), JSON)
    post(rb, edge + "/upload", entry("c", "needle 6"), {"Content-Type": "application/vnd.fdo.journal"})
    elastic(rb.api("GET", edge + "/"), 200)
    elastic(rb.api("GET", edge + "/_license"), 200)
    alerts = [a for a in rb.items("alerts", status="firing")]
    assert {a["labels"]["n"] for a in alerts} == set("123456") and {a["source"] for a in alerts} == {"edge"}
    assert "of kind alertmanager" in elastic(post(rb, "/ingest/am/_bulk", documents({}), NDJSON, expect=404), 404).json()["error"]["reason"]
    assert "no source 'nobody'" in post(rb, "/ingest/nobody/v1/logs", "{}", JSON, expect=404).json()["message"]


def test_syslog_ng_says_in_headers_who_it_is(rb):
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Syslog-Host": "web-3", "X-Syslog-Program": "sshd", "X-Syslog-Level": "info"}
    post(rb, "/ingest/logs", "needle 1", headers)
    assert (found(rb)["1"]["host"], found(rb)["1"]["program"]) == ("web-3", "sshd")


def test_fluent_bits_own_form(rb):
    body = (GOLDEN / "msgpack" / "fluent-bit.body").read_bytes().replace(b"Killed process 77", b"needle 0000000077")
    answer = post(rb, "/ingest/logs", gzip.compress(body), {"Content-Type": "application/msgpack", "Content-Encoding": "gzip"}).json()
    assert (answer["events"], answer["new"]) == (7, 1)
    assert found(rb)["0000000077"]["kubernetes_pod_name"] == "cart-2"


def shown_as(scheme, token):
    return {"Authorization": f"{scheme} {token}"}


def test_tokens_as_shippers_show_them(runbookd):
    token = "rb_ship-0123456789"
    digest = "sha256:" + hashlib.sha256(token.encode()).hexdigest()
    rb = bridge(runbookd, {"tokens": [{"name": "ship", "hash": digest, "scopes": ["ingest:logs"]}],
                           "sources": {"logs": {"kind": "logs", "auth": {"token": True}}}}).start()
    key = base64.b64encode(f"id:{token}".encode()).decode()
    basic = base64.b64encode(f"any:{token}".encode()).decode()
    for scheme, shown in (("Splunk", token), ("ApiKey", key), ("Basic", basic), ("Bearer", token)):
        hec(rb.api("POST", "/services/collector/event", b'{"event":"x"}', shown_as(scheme, shown)), 200, 0)
        elastic(rb.api("POST", "/_bulk", documents({"m": 1}).encode(), {**NDJSON, **shown_as(scheme, shown)}), 200)
    path, body = "/services/collector/event", b'{"event":"x"}'
    assert hec(rb.api("POST", path, body), 401, 2)["text"] == "Token is required"
    assert hec(rb.api("POST", path, body, shown_as("Splunk", "other")), 403, 4)["text"] == "Invalid token"
    assert hec(rb.api("POST", path, body, shown_as("Bearer", "other")), 401, 3)["text"] == "Invalid authorization"
    assert elastic(rb.api("POST", "/_bulk", b"", NDJSON), 401).json()["error"]["type"] == "security_exception"
    assert rb.api("POST", "/v1/logs", records()).status == 401
    assert rb.api("GET", "/services/collector/health").status == 200


def test_without_redis_shippers_are_told_to_come_again(runbookd, tmp_path):
    with_redis = RedisServer(tmp_path)
    with_redis.start()
    rb = bridge(runbookd, {"redis": with_redis.url}).start()
    with_redis.kill()
    wait_for(lambda: rb.api("GET", "/-/ready").status == 503, "the bridge to know that redis is gone")
    hec(rb.api("POST", "/services/collector/event", b'{"event":"x"}'), 503, 9)
    answers = [elastic(rb.api("POST", "/_bulk", documents({"m": 1}).encode(), NDJSON), 503),
               rb.api("POST", "/v1/logs", records(record("x"))),
               rb.api("POST", "/loki/api/v1/push", push("x").encode(), JSON)]
    for answer in answers:
        assert answer.status == 503 and answer.headers["Retry-After"], answer
    hec(rb.api("GET", "/services/collector/health"), 503, 9)
    assert rb.api("GET", "/ready").status == 503


def test_a_body_of_any_length_is_looked_at_as_it_comes(runbookd):
    rb = bridge(runbookd, {"http": {"body_limit": "64KiB"}}).start()
    host, port = rb.address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)
    body = documents(*({"message": f"nothing {i} " + "x" * 200} for i in range(2000)), {"message": "needle 9"})
    assert len(body) > 4 * 64 * 1024
    connection.request("POST", "/_bulk", body=body.encode(), headers=NDJSON)
    answer = json.loads(connection.getresponse().read())
    assert len(answer["items"]) == 2001 and not answer["errors"]
    connection.close()
    assert set(found(rb)) == {"9"}
