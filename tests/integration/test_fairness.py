"""A source keeps to its rate, and what one source sends leaves the others their share: docs/design/fairness.md."""
import os
import subprocess

from alerts import alert, notification
from harness import request_on, wait_for
from test_http import check_problem, connection

SOURCES = {"sources": {"flood": {"kind": "alertmanager"}, "calm": {"kind": "alertmanager"}}}
FLOOD = os.path.join(os.path.dirname(__file__), "flood.lua")
CONNECTIONS = 256
CALM_REQUESTS = 300  # of the other source, while the flood goes on


def one(name):
    return notification([alert({"alertname": "One", "instance": name})])


def test_rate_is_by_source_and_outlives_a_reload(runbookd):
    conf = {"sources": {"slow": {"kind": "alertmanager", "rate": {"count": 3, "per": "1h"}}, "calm": {"kind": "alertmanager"}}}
    rb = runbookd(conf=conf).start()
    for i in range(3):
        rb.post_alertmanager(one(f"a{i}"), source="slow")
    answer = rb.api("POST", "/ingest/slow", one("b"))
    problem = check_problem(answer, 503)
    assert problem["detail"] == ("the source 'slow' sends more than 3 requests in 1h; sources.slow.rate sets that")
    assert 1100 < int(answer.headers["Retry-After"]) <= 1200
    assert rb.metric("runbookd_ingest_rejected_total", source="slow", reason="rate") == 1
    for i in range(5):
        rb.post_alertmanager(one(f"c{i}"), source="calm")
    # What was sent before a reload counts after it.
    rb.configure({**conf, "log": {"level": "debug"}})
    assert rb.api("POST", "/-/reload").status == 200
    check_problem(rb.api("POST", "/ingest/slow", one("d")), 503)
    assert [e["labels"]["instance"] for e in rb.items("events", filter='event.source = slow')] == ["a2", "a1", "a0"]


def start_flood(rb, folder, alerts):
    log = open(os.path.join(folder, "wrk.log"), "w")
    return subprocess.Popen(
        ["wrk", "-t1", f"-c{CONNECTIONS}", "-d10m", "-s", FLOOD, f"http://{rb.address}"],
        env={**os.environ, "FLOOD_ALERTS": str(alerts)}, stdout=log, stderr=log)


def answered(rb):
    """Requests of the flood that were taken, and that were refused as too many."""
    return (rb.metric("runbookd_events_total", source="flood", status="firing") or 0,
            rb.metric("runbookd_ingest_rejected_total", source="flood", reason="busy") or 0)


def calm_requests(rb, n, name):
    with connection(rb) as c:
        return [request_on(c, "POST", "/ingest/calm", one(f"{name}-{i}")).status for i in range(n)]


def check_flood(rb, alerts):
    flood = start_flood(rb, rb.folder, alerts)
    try:
        wait_for(lambda: answered(rb)[0] > 1000, "the flood to be taken")
        before = answered(rb)
        assert calm_requests(rb, CALM_REQUESTS, "calm") == [200] * CALM_REQUESTS
        assert answered(rb)[0] > before[0], "the flood ended too early"
        assert flood.poll() is None
    finally:
        flood.kill()
        flood.wait()
    return answered(rb)


def test_flood_of_small_messages_leaves_others_their_share(runbookd):
    check_flood(runbookd(conf=SOURCES).start(), 1)


def test_flood_of_large_messages_leaves_others_their_share(runbookd):
    """Larger than what may be under way: the flood waits for itself."""
    check_flood(runbookd(conf=SOURCES).start(), 60)
