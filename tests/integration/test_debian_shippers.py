"""Real shippers, unmodified, send 10,000 lines each through a restart of the bridge: each line that they were told is taken
counts once, and what they send again raises nothing again.

The pattern's threshold is as many as there are lines, so it fires at the last one, and only if none was lost or counted
twice.
"""
import os
import signal

import pytest

import syslogs
from harness import free_port, wait_for
from shippers import JournalUpload, Rsyslog, SyslogNg
from test_logs import SSH, firing, guessers, log_files, logs
from test_tls import Authority

LINES = 10_000
ALL = f"""
patterns:
  - name: all-of-them
    match: 'number \\d+ (?<what>of many)'
    threshold: {{count: {LINES}, within: 1h, by: [what]}}
"""
NOTHING = "rules: []\n"


def number(i):
    return f"number {i} of many"


def counted_lines(rb):
    """How many lines the one series has counted so far."""
    keys = [k for k in rb.redis_cli("--scan", "--pattern", "rb:*:window:*").split("\n") if k]
    return sum(int(rb.redis_cli("ZCARD", key)) for key in keys)


def wait_counted(rb, n):
    """Until so many are counted, or the alert fires, which takes them out of the count."""
    try:
        wait_for(lambda: counted_lines(rb) >= n or rb.items("alerts"), f"{n} lines to be counted")
    except AssertionError as e:
        raise AssertionError(f"{counted_lines(rb)} lines are counted, not {n}") from e


def restart_bridge(rb):
    """As an upgrade does: it may end what it has begun."""
    before = rb.pid("bridge")
    os.kill(before, signal.SIGTERM)
    wait_for(lambda: rb.pids("bridge") and rb.pids("bridge") != [before], "the bridge to be started again")
    rb.wait_ready()


def ship(rb, shipper):
    with shipper:
        shipper.write(number(i) for i in range(LINES // 2))
        wait_for(lambda: counted_lines(rb) > 100, "the first lines to be counted")
        shipper.write(number(i) for i in range(LINES // 2, LINES - 1))
        restart_bridge(rb)
        wait_counted(rb, LINES - 1)
        assert rb.items("alerts") == [], "a line was counted twice"
        shipper.write([number(LINES - 1)])
        alert = wait_for(lambda: rb.items("alerts"), "the last line to raise the alert")[0]
    assert alert["status"] == "firing" and number(LINES - 1) in alert["lines"][-1]
    return alert


# ---- syslog

def listening(runbookd, **syslog):
    """On a port that stays the same."""
    port = free_port()
    return syslogs.bridge(runbookd, ALL, listen=[f"127.0.0.1:{port}"], **syslog), port


def omfwd(port, framing, more=""):
    return f'type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="{framing}" {more}'


@pytest.mark.parametrize("framing, template", [
    ("octet-counted", "RSYSLOG_SyslogProtocol23Format"), ("traditional", "RSYSLOG_TraditionalForwardFormat"),
    ("traditional", "RSYSLOG_ForwardFormat")])
def test_rsyslog_omfwd(runbookd, framing, template):
    rb, port = listening(runbookd)
    rb.start()
    alert = ship(rb, Rsyslog(rb.folder, omfwd(port, framing, f'template="{template}"')))
    assert alert["labels"]["program"] == "shop" and alert["labels"]["level"] == "error" and alert["labels"]["host"]


def test_rsyslog_omfwd_by_tls(runbookd):
    rb, port = listening(runbookd, tls={"cert": "bridge/localhost.crt", "key": "bridge/localhost.key", "client_ca": "senders/ca.crt"})
    ca, senders = Authority(rb.folder, "bridge"), Authority(rb.folder, "senders")
    ca.sign("localhost")
    key, cert = senders.sign("sender.example")
    rb.start()
    top = (f'DefaultNetstreamDriverCAFile="{ca.cert}" DefaultNetstreamDriverCertFile="{cert}" '
           f'DefaultNetstreamDriverKeyFile="{key}"')
    tls = 'StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"'
    ship(rb, Rsyslog(rb.folder, omfwd(port, "octet-counted", tls + ' template="RSYSLOG_SyslogProtocol23Format"'), top=top))


def test_syslog_ng_syslog(runbookd):
    rb, port = listening(runbookd)
    rb.start()
    alert = ship(rb, SyslogNg(rb.folder, f'syslog("127.0.0.1" transport("tcp") port({port}));'))
    assert alert["labels"]["program"] == "shop" and alert["labels"]["host"]


def test_addresses_that_guess_passwords_through_rsyslog(runbookd):
    """Files of sshd's lines as they are, and exactly those that counting over the file gives become alerts."""
    port = free_port()
    sources = {"files": {"kind": "logs", "time": "trust"}}
    for n, lines in enumerate(log_files()):
        want = guessers(lines)
        assert len(want) > 3
        rb = logs(runbookd, SSH.replace("after: 1h", "after: 30d"),
                  conf={"sources": sources, "syslog": {"listen": [f"127.0.0.1:{port}"], "source": "files"}}).start()
        as_it_is = 'template(name="line" type="string" string="%msg%")'
        with Rsyslog(rb.folder, omfwd(port, "traditional", 'template="line"'), modules=as_it_is) as rsyslog:
            rsyslog.write(lines)
            wait_for(lambda: rb.metric("runbookd_log_lines_total", source="files") >= len(lines), "all lines to be taken")
            rb.wait_runs(lambda runs: len(runs) == len(want) and all(r["state"] == "succeeded" for r in runs), "a run for each")
        alerts = firing(rb)
        assert set(alerts) == set(want) and sorted(rb.lines("blocked")) == sorted(want), n
        for ip, alert in alerts.items():
            assert len(alert["lines"]) >= 5 and all(f"from {ip} " in line for line in alert["lines"]), alert["lines"]
        rb.stop()


# ---- HTTP

def serving(runbookd):
    port = free_port()
    rb = runbookd(conf={"http": {"listen": [f"127.0.0.1:{port}"]}, "worker": {"enabled": False}},
                  rules={"test.yml": NOTHING, "patterns.yml": ALL})
    return rb.start(), port


def test_rsyslog_omelasticsearch(runbookd):
    rb, port = serving(runbookd)
    template = """template(name="document" type="list" option.jsonf="on") {
    property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="program" name="programname" format="jsonf")
    property(outname="message" name="msg" format="jsonf")
}
module(load="omelasticsearch")"""
    alert = ship(rb, Rsyslog(rb.folder, f'type="omelasticsearch" server="127.0.0.1" serverport="{port}" template="document" '
                                        'searchIndex="logs" bulkmode="on"', modules=template))
    assert alert["labels"]["program"] == "shop" and alert["labels"]["index"] == "logs"


def test_syslog_ng_http_in_batches(runbookd):
    rb, port = serving(runbookd)
    alert = ship(rb, SyslogNg(rb.folder, f"""http(url("http://127.0.0.1:{port}/ingest/logs") method("POST")
        headers("Content-Type: application/x-ndjson") delimiter("\\n") batch-lines(250) batch-timeout(200) retries(1000)
        body('$(format-json time=$ISODATE host=$HOST program=$PROGRAM message=$MESSAGE)'));"""))
    assert alert["labels"]["program"] == "shop"


def test_systemd_journal_upload(runbookd):
    """It ends when the bridge does, and goes on from its cursor when systemd starts it again."""
    rb, port = serving(runbookd)
    alert = ship(rb, JournalUpload(rb.folder, f"http://127.0.0.1:{port}"))
    assert alert["labels"]["program"] == "shop" and alert["labels"]["host"] == "web-1"
