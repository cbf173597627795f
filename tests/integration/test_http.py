"""HTTP as senders, scripts and strangers speak it: bodies in every form, refusals with their reason, answers that go on."""
import contextlib
import gzip
import http.client
import json
import os
import signal
import socket
import zlib

import pytest

import packers
from alerts import alert, notification
from harness import DEADLINE, Answer, memory_kb, request_on, wait_for

RULES = """
rules:
  - name: look
    match: 'alertname = "DiskFull"'
    steps: [{runbook: note}]
"""
NOTE = """#!/bin/sh
# ---
# summary: Says where it looks
# kind: diagnose
# params:
#   path: {default: /, pattern: "^/"}
# ---
echo "looking at $PARAM_path"
echo "to the artifact" > "$RUNBOOK_ARTIFACTS/found.txt"
"""
PATIENT = """#!/bin/sh
# ---
# summary: Prints, waits for a file, prints
# kind: diagnose
# timeout: 10m
# ---
echo one
while [ ! -e DIR/go ]; do sleep 0.05; done
echo two >&2
"""
BODY = json.dumps(notification([alert({"alertname": "Other", "instance": "web-1"})])).encode()
INGEST = "/ingest/alertmanager"


@pytest.fixture
def server(runbookd):
    return runbookd(rules=RULES, runbooks={"note.sh": NOTE, "patient.sh": PATIENT}).start()


@pytest.fixture
def bridge_only(runbookd):
    """Runs stay in the queue."""
    def make(**conf):
        conf = {**conf, "worker": {"enabled": False}}
        return runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf=conf).start()
    return make


@contextlib.contextmanager
def connection(rb):
    host, _, port = rb.address.rpartition(":")
    c = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)
    with contextlib.closing(c):
        yield c


@contextlib.contextmanager
def raw(rb):
    host, _, port = rb.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as s:
        yield s


def read_answer(s):
    r = http.client.HTTPResponse(s)
    r.begin()
    return Answer(r.status, dict(r.headers), r.read())


def pieces(data, n):
    return [data[i:i + n] for i in range(0, len(data), n)]


def check_problem(answer, status):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["title"] and problem["detail"], problem
    return problem


# -- bodies

@pytest.mark.parametrize("size", [1, 100, 100000])
def test_chunked_body(server, size):
    with connection(server) as c:
        c.request("POST", INGEST, body=iter(pieces(BODY, size)), encode_chunked=True,
                  headers={"Transfer-Encoding": "chunked"})
        assert json.loads(c.getresponse().read())["events"] == 1


def test_expect_is_answered_before_the_body(server):
    with raw(server) as s:
        s.sendall(f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(BODY)}\r\n\r\n".encode())
        assert s.recv(100).startswith(b"HTTP/1.1 100 ")
        s.sendall(BODY)
        assert read_answer(s).json()["events"] == 1


def test_expect_of_what_is_refused_gets_the_refusal(server):
    with raw(server) as s:
        s.sendall(b"POST /ingest/nothing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        check_problem(read_answer(s), 404)


@pytest.mark.parametrize("name,pack", [
    ("zstd", packers.zstd),
    ("snappy", packers.snappy_frames),
    ("Snappy", packers.snappy_block),
    ("gzip", gzip.compress),
    ("GZIP", lambda b: gzip.compress(b[:100]) + gzip.compress(b[100:])),
    ("deflate", zlib.compress),
    ("deflate", lambda b: zlib.compress(b)[2:-4]),
    ("identity", lambda b: b),
], ids=["zstd", "snappy frames", "snappy block", "gzip", "two gzip members", "deflate", "raw deflate", "identity"])
def test_encoded_body(server, name, pack):
    answer = server.api("POST", INGEST, pack(BODY), {"Content-Encoding": name})
    assert answer.status == 200 and answer.json()["events"] == 1, answer


def test_body_that_is_not_what_it_says(server):
    problem = check_problem(server.api("POST", INGEST, BODY, {"Content-Encoding": "gzip"}), 400)
    assert problem["offset"] < 10
    packed = gzip.compress(BODY)[:-9]
    check_problem(server.api("POST", INGEST, packed, {"Content-Encoding": "gzip"}), 400)
    for name, pack in (("zstd", packers.zstd), ("snappy", packers.snappy_frames), ("snappy", packers.snappy_block)):
        for body in (BODY, pack(BODY)[:-1], pack(BODY) + b"rubbish"):
            check_problem(server.api("POST", INGEST, body, {"Content-Encoding": name}), 400)
    problem = check_problem(server.api("POST", INGEST, BODY, {"Content-Encoding": "br"}), 415)
    assert "gzip, deflate, zstd, snappy" in problem["detail"]
    assert server.items("events") == []


@pytest.mark.parametrize("name,pack", [("gzip", gzip.compress), ("zstd", packers.zstd)], ids=["gzip", "zstd"])
def test_bomb_costs_nothing(server, name, pack):
    bomb = pack(b" " * (200 << 20))
    high = memory_kb(server.pid("bridge"), "VmHWM")
    check_problem(server.api("POST", INGEST, bomb, {"Content-Encoding": name}), 413)
    assert memory_kb(server.pid("bridge"), "VmHWM") - high < 16 * 1024


def test_body_limit(bridge_only):
    rb = bridge_only(http={"body_limit": "64KiB"})
    many = json.dumps(notification([alert({"alertname": "Other", "n": str(i)}) for i in range(500)])).encode()
    assert len(many) > 65536
    with connection(rb) as c:
        check_problem(request_on(c, "POST", INGEST, many), 413)
        c.request("POST", INGEST, body=iter(pieces(many, 5000)), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert c.getresponse().read() and c.sock, "a chunked one, on the connection that goes on"
        check_problem(request_on(c, "POST", INGEST, gzip.compress(many), {"Content-Encoding": "gzip"}), 413)
        assert request_on(c, "POST", INGEST, BODY).status == 200
    assert len(rb.items("events")) == 1
    assert rb.metric("runbookd_ingest_rejected_total", reason="limit") == 3


def test_announced_length_over_the_limit_is_refused_at_once(server):
    with raw(server) as s:
        s.sendall(f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 40}\r\n\r\n".encode())
        check_problem(read_answer(s), 413)
        assert s.recv(1) == b"", "the connection must close: what follows is no request"


@pytest.mark.parametrize("body,where", [
    (b'{"version": "4", "alerts": [}', 28),
    (b'{"version": "4", "alerts": []} x', 31),
    (b'{"version": "4"', 15),
    (b"", 0),
    (b'{"version": "4", "receiver": "\xff"}', 30),
    (b"[" * 100, None),
    (b'{"version": "4", "alerts": {}}', 27),
], ids=["syntax", "trailing", "cut off", "empty", "not UTF-8", "deep", "wrong type"])
def test_bad_json_says_where(server, body, where):
    problem = check_problem(server.api("POST", INGEST, body), 400)
    assert where is None or where <= problem["offset"] <= where + 1, problem
    assert server.metric("runbookd_ingest_rejected_total", source="alertmanager", reason="input") == 1


# -- routes and who may ask

def test_unknown_paths_and_methods(server):
    with connection(server) as c:
        for path in ("/nothing", "/api/v1/nothing", "/api/v1/runs/", "/ingest/", "/ingest/nothing/more"):
            check_problem(request_on(c, "GET", path), 404)
        check_problem(request_on(c, "POST", "/ingest/nothing", BODY), 404)
        for method, path, allow in (("DELETE", "/api/v1/runs", "GET, HEAD, POST"), ("GET", INGEST, "POST, PUT"),
                                    ("POST", "/api/v1/rules", "GET, HEAD"), ("PUT", "/-/reload", "POST")):
            answer = request_on(c, method, path)
            assert check_problem(answer, 405)["detail"] == f"this path takes no {method}; it takes {allow}"
            assert answer.headers["Allow"] == allow
        assert request_on(c, "PUT", "/api/v2/alerts", b"[]").headers["Allow"] == "GET, HEAD, POST"
        assert request_on(c, "GET", "/-/healthy").status == 200


def test_head_is_get_without_the_body(server):
    get, head = server.api("GET", "/api/v1/runs"), server.api("HEAD", "/api/v1/runs")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.body))


def test_web_pages_of_others_are_refused(server):
    port = server.address.rpartition(":")[2]
    evil = {"Origin": "http://evil.example"}
    for method, path, body in (("POST", INGEST, BODY), ("PUT", INGEST, BODY), ("POST", "/api/v1/runs", b"{}"), ("POST", "/-/reload", b"")):
        check_problem(server.api(method, path, body, evil), 403)
        check_problem(server.api(method, path, body, {"Origin": "null"}), 403)
    rebound = {"Host": f"evil.example:{port}"}
    check_problem(server.api("GET", "/api/v1/runs", headers=rebound), 403)
    check_problem(server.api("POST", INGEST, BODY, {**rebound, "Origin": f"http://evil.example:{port}"}), 403)
    assert server.api("POST", INGEST, BODY, rebound).status == 200, "a sender may know us by any name"
    assert server.api("POST", INGEST, BODY, {"Origin": f"http://{server.address}"}).status == 200
    assert server.api("GET", "/-/healthy", headers=rebound).status == 200


def test_unix_socket(bridge_only):
    rb = bridge_only()
    path = rb.folder / "http.sock"
    assert rb.stop() == 0
    rb.configure({"http": {"listen": ["127.0.0.1:0", f"unix:{path}"]}})
    rb.start()
    assert f"unix:{path}" in (rb.state_dir / "http.addr").read_text().split("\n")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(b"GET /api/v1/runs HTTP/1.1\r\nHost: anything\r\n\r\n")
        assert read_answer(s).json() == {"items": [], "next": None}
    assert rb.stop() == 0
    assert not path.exists()


# -- refusals that pass

def test_full_queue_refuses_what_would_add_to_it(bridge_only):
    rb = bridge_only(limits={"queue": 1})

    def post(name, n, **more):
        return rb.api("POST", INGEST, notification([alert({"alertname": name, "instance": f"db-{n}"}, **more)]))

    assert post("DiskFull", 1).json()["decisions"][0]["decision"] == "run"
    refused = post("DiskFull", 2)
    assert "queue" in check_problem(refused, 503)["detail"] and int(refused.headers["Retry-After"]) > 0
    assert post("Other", 3).status == 200, "it adds no run"
    assert post("DiskFull", 1).json()["duplicate"] == 1
    assert post("DiskFull", 1, status="resolved").json()["new"] == 1
    assert [a["labels"]["instance"] for a in rb.items("alerts")] != [], "something is stored"
    assert "db-2" not in json.dumps(rb.items("alerts")), "nothing of what was refused is stored"
    check_problem(rb.api("POST", "/api/v1/runs", {"runbook": "note"}), 503)


def test_slow_senders_are_cut_off(bridge_only):
    rb = bridge_only(http={"request_timeout": "3s"})
    begin = f"POST {INGEST} HTTP/1.1\r\nHost: x\r\n"
    for slow, rest in ((f"{begin}Content-Length: 1000\r\n\r\n", " "), (begin, "X"), ("", "P")):
        with raw(rb) as s:
            s.sendall(slow.encode())
            s.settimeout(0.1)

            def closed():
                try:
                    s.sendall(rest.encode())
                    return s.recv(1) == b""
                except TimeoutError:
                    return False
                except ConnectionError:
                    return True
            wait_for(closed, f"the end of a slow sender after {slow!r}")
        assert rb.api("POST", INGEST, BODY).status == 200
    assert rb.metric("runbookd_ingest_rejected_total", reason="broken_off") == 1


def test_stop_answers_what_is_under_way(bridge_only):
    """The bridge is told to stop while a body is on its way: the request is answered, then it ends."""
    rb = bridge_only()
    with raw(rb) as s:
        s.sendall(f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:10])
        os.kill(rb.pid("bridge"), signal.SIGTERM)
        rb.logged("stopping")
        s.sendall(BODY[10:])
        answer = read_answer(s)
        assert (answer.status, answer.headers["Connection"].lower()) == (200, "close")


def test_stop_refuses_what_is_not_through_in_time(runbookd):
    """What a request stands on is gone by then: Redis, and the configuration that it began with where another was loaded since."""
    rb = runbookd(conf={"worker": {"enabled": False}, "http": {"request_timeout": "1m"}, "sources": {"am": {"kind": "alertmanager", "labels": {"site": "x1"}}}}).start()
    with raw(rb) as slow, raw(rb) as kept:
        slow.sendall(f"POST /ingest/am HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:10])
        kept.sendall(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(kept).status == 200
        rb.configure({"sources": {"am": {"kind": "alertmanager", "labels": {"site": "x2"}}}})
        assert rb.api("POST", "/-/reload").status == 200
        os.kill(rb.pid("bridge"), signal.SIGTERM)
        rb.logged("though requests are not through")
        kept.sendall(b"GET /api/v1/runs HTTP/1.1\r\nHost: x\r\n\r\n")
        slow.sendall(BODY[10:])
        for s in (kept, slow):
            answer = read_answer(s)
            assert answer.status == 503 and "stopping" in answer.json()["detail"], answer


# -- lists, runs, output

def test_filter_says_what_it_cannot_read(bridge_only):
    """An event that a request may bring, but that is too much to be taken apart for each filter."""
    rb = bridge_only()
    large = alert({"alertname": "Large"}) | {"numbers": [0] * 590000, "text": "x" * (24 << 20)}
    assert rb.post_alertmanager(notification([large]))["new"] == 1
    rb.post_alertmanager(notification([alert({"alertname": "Small"})]))
    assert len(rb.items("events")) == 2
    answer = rb.api("GET", "/api/v1/events?filter=alertname%3DSmall")
    assert check_problem(answer, 413)["detail"].startswith("a row of 2"), answer
    assert "'since'" in answer.json()["detail"]


def test_filter_on_the_senders_group(bridge_only):
    rb = bridge_only()
    for name in "Disk", "Memory":
        rb.post_alertmanager({**notification([alert({"alertname": name})]), "groupKey": f"{{}}:{{team=\"{name}\"}}"})
    assert [e["labels"]["alertname"] for e in rb.items("events", filter='event.group =~ ".*Disk.*"')] == ["Disk"]


def test_lists_page_and_filter(bridge_only):
    rb = bridge_only()
    rb.post_alertmanager(notification([alert({"alertname": "Other", "n": str(i), "even": str(i % 2 == 0)}) for i in range(25)]))
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = rb.get("/api/v1/events", limit=4, filter='even = "True"', **({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) <= 4
        seen += [int(e["labels"]["n"]) for e in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert seen == list(range(24, -1, -2))
    assert rb.get("/api/v1/events", filter='n =~ "1.", data.labels.even = False')["items"]
    assert rb.get("/api/v1/alerts", status="resolved")["items"] == []
    for query in ("fitler=x", "limit=0", "limit=1001", "limit=x", "status=on", "since=yesterday", "filter=a%3D~%22(%22", "cursor=x"):
        check_problem(rb.api("GET", f"/api/v1/events?{query}"), 400)


@pytest.mark.parametrize("what", ["rules", "runbooks"])
def test_pages_of_what_is_loaded(bridge_only, what):
    rb = bridge_only()
    for i in range(9):
        rb.write_runbook(f"n{i}.sh", NOTE)
    rb.write_rules("rules:\n" + "".join(f"  - {{name: n{i}, match: 'a = b', steps: [{{runbook: n{i}}}]}}\n" for i in range(9)))
    rb.api("POST", "/-/reload")
    wait_for(lambda: len(rb.get(f"/api/v1/{what}")["items"]) >= 9, "the reload")
    whole = rb.get(f"/api/v1/{what}")
    assert whole["next"] is None
    seen, page = [], {"next": None}
    while not seen or page["next"]:
        page = rb.get(f"/api/v1/{what}", limit=4, **({"cursor": page["next"]} if page["next"] else {}))
        assert len(page["items"]) <= 4
        seen += page["items"]
        kept = page["next"] or kept
    assert seen == whole["items"]
    for query in ("limit=0", "limit=x", "cursor=x", "cursor=4", "cursor=-", "status=open", "filter=a%3Db"):
        check_problem(rb.api("GET", f"/api/v1/{what}?{query}"), 400)
    rb.write_rules(RULES)
    rb.api("POST", "/-/reload")
    assert "loaded anew" in check_problem(rb.api("GET", f"/api/v1/{what}?cursor={kept}"), 400)["detail"]


def test_run_by_hand(server):
    key = {"Idempotency-Key": "once"}
    made = server.api("POST", "/api/v1/runs", {"runbook": "note", "params": {"path": "/srv"}}, key)
    assert made.status == 201 and made.json()["params"] == {"path": "/srv"}, made
    again = server.api("POST", "/api/v1/runs", {"runbook": "note", "params": {"path": "/srv"}}, key)
    assert again.json()["id"] == made.json()["id"]
    for other in ({"runbook": "note", "params": {"path": "/"}}, {"runbook": "note", "params": {"path": "/srv"}, "pool": "x"}):
        problem = check_problem(server.api("POST", "/api/v1/runs", other, key), 409)
        assert "Idempotency-Key" in problem["detail"] and made.json()["id"] in problem["detail"], problem
    assert server.api("GET", made.headers["Location"]).json()["id"] == made.json()["id"]
    run = server.wait_run(id=made.json()["id"], state="succeeded")
    assert server.output(run["id"]) == "looking at /srv\n"
    lines = server.api("GET", f"/api/v1/runs/{run['id']}/output?format=json")
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert [(x["stream"], x["text"]) for x in map(json.loads, lines.text.splitlines())] == [("stdout", "looking at /srv")]
    assert len(server.items("runs")) == 1


@pytest.mark.parametrize("body,status", [
    ({"runbook": "nothing"}, 404),
    ({}, 400),
    ([], 400),
    (b"{", 400),
    ({"runbook": "note", "params": {"path": "etc"}}, 400),
    ({"runbook": "note", "params": {"paht": "/"}}, 400),
    ({"runbook": "note", "parms": {}}, 400),
    ({"runbook": "note", "pool": "no blanks"}, 400),
], ids=str)
def test_run_by_hand_that_cannot_be(bridge_only, body, status):
    rb = bridge_only()
    check_problem(rb.api("POST", "/api/v1/runs", body), status)
    assert rb.items("runs") == []


def test_artifacts_are_bytes_of_that_run_only(server):
    run = server.api("POST", "/api/v1/runs", {"runbook": "note"}).json()["id"]
    assert [a["name"] for a in server.wait_run(id=run, state="succeeded")["artifacts"]] == ["found.txt"]
    at = f"/api/v1/runs/{run}/artifacts"
    answer = server.api("GET", f"{at}/found.txt")
    assert answer.text == "to the artifact\n"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    (server.state_dir / "artifacts" / run / "link").symlink_to("/etc/passwd")
    for name in ("link", "nothing", "..", "%2e%2e", "..%2f..%2fhttp.addr", ".", "%2fetc%2fpasswd"):
        check_problem(server.api("GET", f"{at}/{name}"), 404)
    check_problem(server.api("GET", "/api/v1/runs/..%2f/artifacts/http.addr"), 404)


def test_output_is_followed_to_the_end(server):
    run = server.api("POST", "/api/v1/runs", {"runbook": "patient"}).json()["id"]
    with connection(server) as c:
        c.request("GET", f"/api/v1/runs/{run}/output?follow=1")
        answer = c.getresponse()
        assert answer.status == 200
        assert answer.readline() == b"one\n"
        assert server.get(f"/api/v1/runs/{run}")["state"] == "running", "it was seen while the run went on"
        (server.folder / "go").touch()
        assert answer.read() == b"two\n"
    server.wait_run(id=run, state="succeeded")
    assert server.output(run) == "one\ntwo\n"


def test_followers_that_hang_up_are_let_go(server):
    run = server.api("POST", "/api/v1/runs", {"runbook": "patient"}).json()["id"]
    before = server.metric("runbookd_http_connections")
    for _ in range(10):
        with connection(server) as c:
            c.request("GET", f"/api/v1/runs/{run}/output?follow=1")
            assert c.getresponse().readline() == b"one\n"
    wait_for(lambda: server.metric("runbookd_http_connections") <= before, "the connections to be closed")
    (server.folder / "go").touch()
    server.wait_run(id=run, state="succeeded")


def test_long_output_comes_whole(server):
    server.write_runbook("long.sh", "#!/bin/sh\n# ---\n# summary: Prints a lot\n# kind: diagnose\n# ---\nseq 1 5000\n")
    assert server.api("POST", "/-/reload").status == 200
    run = server.api("POST", "/api/v1/runs", {"runbook": "long"}).json()["id"]
    server.wait_run(id=run, state="succeeded")
    assert server.output(run).split() == [str(i) for i in range(1, 5001)]


def test_things_that_are_not_there(server):
    for path in ("incidents/x", "runs/x", "events/x", "incidents/x/timeline", "runs/x/output", "runs/x/artifacts/a",
                 *(f"{what}/01JD0000000000000000000000" for what in ("incidents", "runs", "events"))):
        check_problem(server.api("GET", f"/api/v1/{path}"), 404)
