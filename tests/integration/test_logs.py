"""Lines of logs through a live bridge: patterns raise alerts, which have their lines, run rules and resolve like any other."""
import concurrent.futures
import json
import random
import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from harness import RedisServer, http_request, memory_bound, memory_kb, wait_for

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "payloads" / "logs"
SSH = r"""
patterns:
  - name: ssh-bruteforce
    match: 'Failed password for (invalid user )?(?<user>\S+) from (?<ip>\S+)'
    exclude: 'from 10\.'
    threshold: {count: 5, within: 2m, by: [ip]}
    resolve: {after: 1h}
    severity: error
    summary: "{{ labels.ip }} is guessing passwords"
"""
RULES = """
rules:
  - name: block
    match: 'alertname = ssh-bruteforce'
    steps: [{runbook: block, with: {ip: "{{ labels.ip }}"}}]
"""
BLOCK = """#!/bin/sh
# ---
# summary: Writes down whom it would block, and what it was given
# kind: remediate
# params:
#   ip: {required: true}
# ---
echo "$PARAM_ip" >> DIR/blocked
cat > "DIR/stdin-$PARAM_ip"
"""
TEXT = {"Content-Type": "text/plain"}


def stamp(at):
    return at.strftime("%b %e %H:%M:%S")


def failed(ip, port, at=None, user="root", host="web-1"):
    """A line of sshd, as rsyslog writes it; without a time of its own where none is given."""
    text = f"Failed password for {user} from {ip} port {port} ssh2"
    return f"{stamp(at)} {host} sshd[{port}]: {text}" if at else text


def now():
    return datetime.now(timezone.utc)


def send(rb, lines, source="logs", expect=200, headers=TEXT):
    body = "".join(line + "\n" for line in lines) if isinstance(lines, list) else lines
    answer = rb.api("POST", f"/ingest/{source}", body.encode() if isinstance(body, str) else body, headers)
    assert answer.status == expect, answer
    return answer.json() if expect == 200 else answer


def logs(runbookd, patterns=SSH, rules=RULES, conf=None):
    return runbookd(conf=conf, rules={"test.yml": rules, "patterns.yml": patterns}, runbooks={"block.sh": BLOCK})


def firing(rb):
    return {a["labels"].get("ip"): a for a in rb.items("alerts", status="firing")}


def test_five_lines_raise_an_alert_with_its_lines_and_run_a_rule(runbookd):
    rb = logs(runbookd).start()
    lines = [failed("192.0.2.7", 40000 + i, now()) for i in range(5)]
    answer = send(rb, lines[:4] + ["something else", failed("10.0.0.1", 1), ""])
    assert (answer["events"], answer["matched"], answer["new"]) == (6, 4, 0)
    assert firing(rb) == {}
    answer = send(rb, lines[4:])
    assert (answer["events"], answer["new"], answer["duplicate"]) == (1, 1, 0)
    assert [(d["rule"], d["decision"]) for d in answer["decisions"]] == [("block", "run")]
    alert = firing(rb)["192.0.2.7"]
    assert alert["lines"] == lines
    assert alert["source"] == "logs" and alert["severity"] == "error" and alert["expires_at"]
    assert alert["summary"] == "192.0.2.7 is guessing passwords"
    assert alert["labels"] == {"alertname": "ssh-bruteforce", "host": "web-1", "ip": "192.0.2.7", "pid": "40004",
                               "program": "sshd", "user": "root"}
    rb.wait_run(rule="block", state="succeeded")
    assert rb.lines("blocked") == ["192.0.2.7"]
    told = json.loads((rb.folder / "stdin-192.0.2.7").read_text())
    assert told["event"]["lines"] == lines and told["event"]["labels"]["ip"] == "192.0.2.7"
    shown = rb.get(f"/api/v1/incidents/{alert['incident']}/alerts")["items"]
    assert shown[0]["lines"] == lines
    assert lines[0] in rb.ctl("incidents", "show", alert["incident"]).stdout


def test_what_is_sent_again_counts_once(runbookd):
    rb = logs(runbookd).start()
    at = now()
    lines = [failed("192.0.2.7", 40000 + i, at) for i in range(4)]
    for _ in range(3):
        send(rb, lines)
    assert firing(rb) == {}
    # The same line twice in one body is two lines; in the same body sent again it is these two.
    twice = [failed("192.0.2.8", 1, at)] * 5
    assert send(rb, twice[:4])["new"] == 0
    assert send(rb, twice[:4])["duplicate"] == 4
    assert send(rb, twice)["new"] == 1
    assert send(rb, twice) == {"events": 5, "new": 0, "duplicate": 5, "matched": 5, "refused": 0, "decisions": []}
    # A line that does not say when it was cannot be told from another one.
    for _ in range(5):
        answer = send(rb, failed("192.0.2.9", 7))
    assert answer["new"] == 1


def test_json_lines_in_all_their_forms(runbookd):
    patterns = r"""
patterns:
  - name: app-error
    source: '{app="shop"}'
    match: 'payment (?<order>\d+) failed'
"""
    rb = logs(runbookd, patterns, "rules: []\n").start()
    def record(order, key="message", app="shop"):
        return {key: f"payment {order} failed", "app": app, "level": "error", "n": {"deep": 1}}
    ndjson = "".join(json.dumps(record(i, key)) + "\n" for i, key in
                     enumerate(["message", "log", "msg", "MESSAGE", "event", "body"]))
    answer = send(rb, ndjson, headers={"Content-Type": "application/x-ndjson"})
    assert (answer["events"], answer["new"]) == (6, 6)
    answer = send(rb, json.dumps([record(10), record(11), record(12, app="other")]), headers={"Content-Type": "application/json"})
    assert (answer["events"], answer["new"]) == (3, 2)
    answer = send(rb, json.dumps(record(20)) + json.dumps(record(21)), headers={"Content-Type": "application/json"})
    assert (answer["events"], answer["new"]) == (2, 2)
    alerts = {a["labels"]["order"]: a for a in rb.items("alerts")}
    assert sorted(alerts, key=int) == ["0", "1", "2", "3", "4", "5", "10", "11", "20", "21"]
    assert alerts["10"]["labels"]["level"] == "error" and alerts["10"]["lines"] == ["payment 10 failed"]


def test_a_body_that_is_refused_leaves_nothing(runbookd):
    patterns = "patterns: [{name: boom, match: 'boom'}]\n"
    rb = logs(runbookd, patterns, "rules: []\n").start()
    broken = json.dumps({"message": "boom"}) * 1000 + '{"message": boom}'
    answer = send(rb, broken, expect=400, headers={"Content-Type": "application/json"})
    assert answer.json()["offset"] >= len(json.dumps({"message": "boom"}) * 1000)
    assert rb.items("alerts") == []
    assert send(rb, "boom", expect=415, headers={"Content-Type": "image/png"})
    assert send(rb, "boom", source="nobody", expect=404)
    assert rb.metric("runbookd_ingest_rejected_total", source="logs", reason="encoding") == 1


def test_a_source_of_ones_own_renames_labels_and_trusts_times(runbookd):
    patterns = r"""
patterns:
  - name: oops
    source: '{instance="web-1", event.source="files"}'
    match: 'oops'
    threshold: {count: 2, within: 10s}
"""
    conf = {"sources": {"files": {"kind": "logs", "time": "trust", "labels": {"instance": "{{ labels.host }}", "host": ""}}}}
    rb = logs(runbookd, patterns, "rules: []\n", conf).start()
    old = now() - timedelta(days=30)
    lines = [f"{stamp(old + timedelta(seconds=s))} web-1 app: oops {s}" for s in (0, 20, 40, 45)]
    assert send(rb, lines[:3], source="files")["new"] == 0
    assert send(rb, lines[3:], source="files")["new"] == 1
    alert = rb.items("alerts")[0]
    assert alert["labels"] == {"alertname": "oops", "instance": "web-1", "program": "app"} and alert["annotations"] == {}
    assert send(rb, lines, source="logs")["matched"] == 0


def test_times_that_are_far_off_do_not_count(runbookd):
    patterns = "patterns: [{name: oops, match: 'oops', threshold: {count: 3, within: 1m}}]\n"
    rb = logs(runbookd, patterns, "rules: []\n").start()
    def lines(*ago):
        return "".join(json.dumps({"message": f"oops {a}", "time": (now() - timedelta(seconds=a)).isoformat()}) + "\n" for a in ago)
    ndjson = {"Content-Type": "application/x-ndjson"}
    assert send(rb, lines(3500, 1800, 100), headers=ndjson)["new"] == 0  # each at its time
    assert send(rb, lines(3700, 7200, -400), headers=ndjson)["new"] == 1  # all of them now
    alert = rb.items("alerts")[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", alert["annotations"]["line_time"])


def test_a_counter_pattern_resolves(runbookd):
    patterns = r"""
patterns:
  - name: link-down
    match: '(?<port>eth\d+): link down'
    resolve: {match: '(?<port>eth\d+): link up'}
"""
    rb = logs(runbookd, patterns, "rules: []\n").start()
    send(rb, ["eth0: link down", "eth1: link down", "eth2: link up"])
    assert len(rb.items("alerts", status="firing")) == 2
    assert send(rb, ["eth0: link up"])["new"] == 1
    assert [a["labels"]["port"] for a in rb.items("alerts", status="firing")] == ["eth1"]
    assert [a["labels"]["port"] for a in rb.items("alerts", status="resolved")] == ["eth0"]


def test_long_lines_are_cut_and_bodies_may_be_of_any_length(runbookd):
    patterns = "patterns: [{name: seen, match: '^x+'}, {name: hidden, match: 'END'}]\n"
    conf = {"http": {"body_limit": "64KiB"}, "logs": {"line_limit": "1KiB"}}
    rb = logs(runbookd, patterns, "rules: []\n", conf).start()
    assert send(rb, "x" * 5000 + "END\n")["new"] == 1
    alert = rb.items("alerts")[0]
    assert alert["labels"]["alertname"] == "seen" and "logs.line_limit" in alert["annotations"]["line_cut"]
    assert len(alert["lines"][0]) == 1024
    assert send(rb, ["nothing to see"] * 50000)["events"] == 50000  # 750 KB
    assert rb.metric("runbookd_log_lines_total", source="logs") == 50001


def test_a_regex_that_gives_up_is_counted_and_said(runbookd):
    patterns = "patterns: [{name: slow, match: '(a+)+$'}, {name: fine, match: 'b$'}]\n"
    rb = logs(runbookd, patterns, "rules: []\n").start()
    answer = send(rb, ["a" * 5000 + "b"])
    assert answer["events"] == 1 and answer["new"] == 1
    assert rb.metric("runbookd_log_lines_refused_total", pattern="slow", reason="regex") == 1
    rb.logged("pattern 'slow': '(a+)+$' gave up")


def lines_of(path):
    return [line.rstrip("\r\n") for line in path.read_text(errors="replace").split("\n") if line.strip("\r\n")]


def guessers(lines, count=5, within=120):
    """Who failed `count` times within so many seconds, by looking at all lines: {ip: the lines that raise the alert}."""
    by_ip, found = {}, {}
    for line in lines:
        m = re.search(r"Failed password for (invalid user )?(\S+) from (\S+)", line)
        if m and "from 10." not in line:
            at = datetime.strptime("2024 " + line[:15], "%Y %b %d %H:%M:%S").timestamp()
            by_ip.setdefault(m[3], []).append((at, line))
    for ip, seen in by_ip.items():
        for i in range(count - 1, len(seen)):
            if seen[i][0] - seen[i - count + 1][0] < within:
                found[ip] = [line for _, line in seen[:i + 1]]
                break
    return found


def made_up_log():
    """A day of sshd: many who fail now and then, some who try a few times, some who guess fast enough."""
    draw = random.Random(7)
    at, lines = now() - timedelta(days=2), []
    for _ in range(600):
        at += timedelta(seconds=draw.randrange(90))
        ip = f"198.51.100.{draw.randrange(250)}"
        lines.append(f"{stamp(at)} web-1 sshd[{draw.randrange(9999)}]: Connection closed by {ip} [preauth]")
        for _ in range(draw.choice([0, 1, 1, 1, 4, 5, 7])):
            at += timedelta(seconds=draw.choice([0, 1, 10, 30, 50]))
            lines.append(failed(ip, draw.randrange(1024, 65535), at))
    return lines


def log_files():
    """A file of our own, and the one that lies beside the project, where it does."""
    return [made_up_log()] + [lines_of(p) for p in [SHARED / "OpenSSH_2k.log"] if p.exists()]


def test_the_addresses_that_guess_are_those_that_counting_finds(runbookd):
    for lines in log_files():
        want = guessers(lines)
        assert len(want) > 3
        rb = logs(runbookd, SSH.replace("after: 1h", "after: 30d"), conf={"sources": {"files": {"kind": "logs", "time": "trust"}}}).start()
        for i in range(0, len(lines), 300):
            send(rb, lines[i:i + 300], source="files")
        alerts = firing(rb)
        assert set(alerts) == set(want)
        for ip, alert in alerts.items():
            assert all(f"from {ip} " in line for line in alert["lines"]), alert["lines"]
            assert 5 <= len(alert["lines"]) <= 20
        rb.wait_runs(lambda runs: len(runs) == len(want) and all(r["state"] == "succeeded" for r in runs), "a run for each")
        assert sorted(rb.lines("blocked")) == sorted(want)
        rb.stop()


def test_two_bridges_count_together(folder, runbookd):
    redis = RedisServer(folder).start()
    conf = {"redis": redis.url, "worker": {"enabled": False}}
    bridges = [logs(runbookd, conf=conf).start() for _ in range(2)]
    try:
        for i in range(4):
            assert send(bridges[i % 2], [failed("192.0.2.7", 40000 + i, now())])["new"] == 0
        assert firing(bridges[0]) == {}
        assert send(bridges[0], [failed("192.0.2.7", 40004, now())])["new"] == 1
        assert len(firing(bridges[1])["192.0.2.7"]["lines"]) == 5
        # All at once, over both: each address fires once.
        jobs = [(bridges[i % 2].address, failed(f"198.51.100.{i % 20}", 1000 + i, now())) for i in range(200)]
        def post(job):
            return http_request(job[0], "POST", "/ingest/logs", job[1].encode(), TEXT).json()["new"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(post, jobs)) == 20
        assert len(firing(bridges[0])) == 21
    finally:
        for rb in bridges:
            rb.stop()
        redis.kill()


def test_killed_between_the_fourth_and_the_fifth_line(runbookd):
    rb = logs(runbookd).start()
    for i in range(4):
        send(rb, [failed("192.0.2.7", 40000 + i, now())])
    rb.kill9_all()
    rb.start()
    assert firing(rb) == {}
    assert send(rb, [failed("192.0.2.7", 40004, now())])["new"] == 1
    assert len(firing(rb)["192.0.2.7"]["lines"]) == 5


def test_redis_away_is_503_and_the_lines_count_when_they_come_again(folder, runbookd):
    redis = RedisServer(folder).start()
    rb = logs(runbookd, conf={"redis": redis.url}).start()
    lines = [failed("192.0.2.7", 40000 + i, now()) for i in range(5)]
    redis.kill()
    wait_for(lambda: rb.api("GET", "/-/ready").status == 503, "the bridge to see that redis is away")
    assert send(rb, lines, expect=503).headers.get("Retry-After")
    redis.start()
    wait_for(lambda: rb.api("GET", "/-/ready").status == 200, "the bridge to see that redis is there")
    assert send(rb, lines)["new"] == 1
    rb.stop()
    redis.kill()


def test_a_label_without_bound_meets_its_limit(runbookd):
    """Each line has a request id of its own: the pattern follows as many as it may, says so once, and nothing grows."""
    patterns = r"patterns: [{name: slow, match: 'request (?<id>\S+) took', series: 200, lines: 3}]" + "\n"
    rb = logs(runbookd, patterns, "rules: []\n").start()
    def many(first, n):
        return "".join(f"request {i:08x} took 5s\n" for i in range(first, first + n))
    answer = send(rb, many(0, 5000))
    assert (answer["new"], answer["refused"]) == (200, 4800)
    keys, kb = int(rb.redis_cli("DBSIZE")), memory_kb(rb.pid("bridge"))
    for i in range(1, 11):
        assert send(rb, many(5000 * i, 5000))["refused"] == 5000
    assert int(rb.redis_cli("DBSIZE")) <= keys + 5
    assert memory_kb(rb.pid("bridge")) - kb < memory_bound(20000)
    assert rb.metric("runbookd_log_lines_refused_total", pattern="slow", reason="series") == 54800
    told = [e for e in rb.items("events") if e["type"] == "limit"]
    assert len(told) == 1 and told[0]["labels"] == {"limit": "series", "pattern": "slow"}
    rb.logged("pattern 'slow' is held back: it follows 200 alerts")
    assert rb.log_text().count("pattern 'slow' is held back") == 1


def test_patterns_are_read_anew(runbookd):
    rb = logs(runbookd, "patterns: []\n", "rules: []\n").start()
    assert send(rb, ["boom 1"])["matched"] == 0
    rb.write_rules({"patterns.yml": "patterns: [{name: boom, match: 'boom (?<n>\\d)'}]\n"})
    assert rb.api("POST", "/-/reload").status == 200
    assert send(rb, ["boom 2"])["new"] == 1
    rb.write_rules({"patterns.yml": "patterns: [{name: boom, match: 'boom ('}]\n"})
    answer = rb.api("POST", "/-/reload")
    assert answer.status == 422 and "patterns.yml:1:" in answer.text
    assert send(rb, ["boom 3"])["new"] == 1


def test_an_alert_that_ended_by_quiet_fires_again(runbookd, folder):
    """The bridge thinks that it still fires, and sends less at first: Redis knows better."""
    patterns = "patterns: [{name: boom, match: 'boom', resolve: {after: 1s}}]\n"
    rules = "rules: [{name: look, match: 'alertname = boom', steps: [{runbook: block, with: {ip: x}}]}]\n"
    redis, now = RedisServer(folder).start(), time.time_ns() // 1_000_000
    try:
        redis.drive_clock(now)
        rb = logs(runbookd, patterns, rules, {"redis": redis.url}).start()
        for round_ in range(1, 4):
            answer = send(rb, ["boom", "boom", "boom"])
            assert answer["new"] == 1 and len(answer["decisions"]) == 1, (round_, answer)
            assert send(rb, ["boom"])["new"] == 0
            redis.set_clock(now + round_ * 2000)
            wait_for(lambda: rb.items("alerts", status="resolved"), "the alert to end")
            assert rb.items("alerts")[0]["occurrences"] == round_
        rb.wait_runs(lambda runs: len(runs) == 3, "a run for each time")
    finally:
        redis.kill()


def test_more_lines_than_patterns_may_want_of_one_body(runbookd):
    patterns = "patterns: [{name: boom, match: 'boom', lines: 1}]\n"
    rb = logs(runbookd, patterns, "rules: []\n").start()
    answer = send(rb, "boom\n" * 100001, expect=413)
    assert "patterns want more than 100000 lines of one body" in answer.json()["detail"]
    assert rb.items("alerts") == []
    assert send(rb, "boom\n" * 1000)["matched"] == 1000


def test_many_large_requests_at_once_are_bounded(runbookd):
    """What patterns want of bodies that are not whole yet counts with what all requests hold together."""
    patterns = "patterns: [{name: boom, match: 'boom', lines: 1}]\n"
    rb = logs(runbookd, patterns, "rules: []\n", {"http": {"body_limit": "64KiB"}}).start()
    answer = send(rb, "boom\n" * 90000, expect=503)
    assert "too many large requests at once" in answer.json()["detail"]
    assert rb.items("alerts") == []
    assert send(rb, "boom\n" * 1000)["new"] == 1
