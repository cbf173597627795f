"""Syslog over TCP and TLS: framing, headers, who may send, bounds, Redis away, reloads and restarts."""
import contextlib
import os
import re
import select
import signal
import socket
import ssl
from datetime import datetime, timedelta, timezone

import pytest

import syslogs
from harness import DEADLINE, RedisServer, memory_bound, memory_kb, wait_for
from syslogs import connection, counted, is_closed, lines, modern, numbers, older
from test_tls import Authority


def number(i):
    return f"number {i} of many"


def wait_numbers(rb, wanted):
    wait_for(lambda: numbers(rb) == set(wanted), f"the lines {min(wanted)} to {max(wanted)} to be counted, and no others")


def test_both_framings_and_all_headers_raise_alerts_with_their_labels(runbookd):
    rb = syslogs.bridge(runbookd).start()
    forward = f"<38>{syslogs.stamp()} web-1 sshd[4711]: {number(5)}".encode()
    with connection(rb) as s:
        s.sendall(counted(modern(number(1)), older(number(2))) + lines(modern(number(3)), older(number(4)), forward))
        s.sendall(counted(modern("\ufeff" + number(6), data='[here@1 zone="a]b"]')) + b"\0\n\r\n" + modern(number(7)) + b"\0\n")
        s.sendall(counted(b"<38>1 - - - - - - " + number(8).encode()) + number(9).encode())  # the last one lacks its end
    wait_numbers(rb, range(1, 10))
    alerts = {int(a["labels"]["n"]): a for a in rb.items("alerts")}
    for i in range(1, 8):
        labels = alerts[i]["labels"]
        assert (labels["host"], labels["program"], labels["pid"], labels["level"]) == ("web-1", "sshd", "4711", "info"), labels
        assert alerts[i]["source"] == "logs" and number(i) in alerts[i]["lines"][0]
    assert alerts[6]["labels"]["here_1_zone"] == "a]b"
    assert "host" not in alerts[8]["labels"] and alerts[8]["labels"]["level"] == "info"


def test_messages_come_in_pieces_of_any_size(runbookd):
    rb = syslogs.bridge(runbookd).start()
    stream = counted(*(modern(number(i)) for i in range(20))) + lines(*(older(number(i)) for i in range(20, 40)))
    with connection(rb) as s:
        for i in range(0, len(stream), 7):
            s.sendall(stream[i:i + 7])
    wait_numbers(rb, range(40))


def test_equal_lines_of_one_second_each_count_and_what_is_sent_again_does_not(runbookd):
    patterns = "patterns: [{name: refused, match: 'upstream refused', threshold: {count: 7, within: 5m, by: [host]}}]\n"
    rb = syslogs.bridge(runbookd, patterns).start()
    line = older("upstream refused", at=datetime.now(timezone.utc) + timedelta(seconds=120))
    with connection(rb) as s:
        for i in range(5):  # each in a read of its own
            s.sendall(lines(line))
            wait_for(lambda: rb.metric("runbookd_log_lines_total", source="logs") == i + 1, f"line {i + 1} to be read")
    with connection(rb) as s:  # a sender that does not know what arrived begins again
        s.sendall(lines(*[line] * 5))
    old = older("upstream refused", at=datetime.now(timezone.utc) - timedelta(seconds=60))
    with connection(rb) as s:  # older than the connection: rsyslog repeats itself on the new one, too
        s.sendall(lines(*[old] * 6))
    wait_for(lambda: rb.metric("runbookd_log_lines_total", source="logs") == 16, "all lines to be read")
    assert rb.items("alerts") == []
    with connection(rb) as s:
        s.sendall(lines(*[line] * 6))
    wait_for(lambda: rb.items("alerts"), "the seventh line to raise the alert")


def test_line_that_is_too_long_is_cut_and_what_follows_is_read(runbookd):
    rb = syslogs.bridge(runbookd, conf={"logs": {"line_limit": "1KiB"}}).start()
    long = number(1) + " " + "x" * 100_000
    with connection(rb) as s:
        s.sendall(lines(modern(long)) + counted(modern(long.replace("1", "2", 1)), modern(number(3))))
    wait_numbers(rb, [1, 2, 3])
    alert = next(a for a in rb.items("alerts") if a["labels"]["n"] == "2")
    assert "logs.line_limit" in alert["annotations"]["line_cut"]


def test_length_that_is_absurd_ends_the_connection(runbookd):
    rb = syslogs.bridge(runbookd).start()
    with connection(rb) as s:
        s.sendall(counted(modern(number(1))) + b"9999999 <38>1 - - - - - - x")
        assert is_closed(s)
    rb.logged("a syslog connection was cut off", "9999999", "peer=127.0.0.1:")
    assert rb.metric("runbookd_syslog_connections_refused_total", reason="input") == 1
    wait_numbers(rb, [1])  # what came before it is taken


def test_connections_have_bounds(runbookd):
    rb = syslogs.bridge(runbookd, connection_limit=3, connections_per_address=2).start()
    with connection(rb) as first, connection(rb) as second:
        first.sendall(lines(modern(number(1))))
        second.sendall(lines(modern(number(2))))
        wait_numbers(rb, [1, 2])
        assert rb.metric("runbookd_syslog_connections") == 2
        with connection(rb) as third:
            assert is_closed(third)
        assert rb.metric("runbookd_syslog_connections_refused_total", reason="limit") == 1
        rb.logged("refused a connection", "limit=syslog.connections_per_address")
    wait_for(lambda: rb.metric("runbookd_syslog_connections") == 0, "both to be gone")
    with connection(rb) as again:
        again.sendall(lines(modern(number(3))))
        wait_numbers(rb, [1, 2, 3])


def test_idle_connection_is_ended(runbookd):
    rb = syslogs.bridge(runbookd, idle_timeout="2s").start()
    with connection(rb) as s:
        assert is_closed(s)


def test_limit_of_all_connections(runbookd):
    rb = syslogs.bridge(runbookd, connection_limit=1).start()
    with connection(rb) as first:
        first.sendall(lines(modern(number(1))))
        wait_numbers(rb, [1])
        with connection(rb) as second:
            assert is_closed(second)
    rb.logged("refused a connection", "limit=syslog.connection_limit")


def test_reload_reaches_a_connection_that_is_open(runbookd):
    rb = syslogs.bridge(runbookd, "patterns: [{name: other, match: 'nothing of this'}]\n").start()
    with connection(rb) as s:
        s.sendall(lines(modern(number(1))) + b"<38>1 - - - - - - number 2 ")
        wait_for(lambda: rb.metric("runbookd_log_lines_total", source="logs") == 1, "the first line to be read")
        rb.write_rules({"patterns.yml": syslogs.NUMBERED})
        assert rb.api("POST", "/-/reload").status == 200
        s.sendall(b"of many\n" + lines(modern(number(3))))  # a message that was half there is not lost
        wait_numbers(rb, [2, 3])


# ---- Redis away, restarts

def fill(s, start):
    """Sends numbered lines, long ones, until the bridge and the kernel take no more bytes; the number of the one that is not
    sent whole, and its rest."""
    s.setblocking(False)
    i, rest = start, b""
    while True:
        rest = rest or lines(modern(f"{number(i)} {'x' * 8000}"))
        try:
            rest = rest[s.send(rest):]
        except BlockingIOError:
            if not select.select([], [s], [], 1)[1]:
                s.setblocking(True)
                return i, rest
        i += not rest


def test_redis_away_makes_senders_wait_and_loses_nothing(runbookd, folder):
    redis = RedisServer(folder).start()
    rb = syslogs.bridge(runbookd, conf={"redis": redis.url}).start()
    with connection(rb) as s, connection(rb) as short:
        s.sendall(lines(modern(number(0))))
        wait_numbers(rb, [0])
        redis.kill()
        before = memory_kb(rb.pid("bridge"))
        short.sendall(lines(modern(number(1))))
        short.close()  # a sender that goes away meanwhile
        sent, rest = fill(s, 2)
        assert memory_kb(rb.pid("bridge")) - before < memory_bound(8192), "the bridge queues what it cannot store"
        rb.logged("syslog waits", "nothing is read from senders")
        redis.start()
        s.sendall(rest)
        wait_for(lambda: rb.metric("runbookd_log_lines_total", source="logs") == sent + 1, "all lines to be read")
        wait_numbers(rb, range(sent + 1))
    redis.kill()


def test_stop_tells_senders_and_takes_what_is_under_way(runbookd):
    rb = syslogs.bridge(runbookd).start()
    with connection(rb) as s:
        s.sendall(lines(modern(number(1))))
        wait_numbers(rb, [1])
        bridge = rb.pid("bridge")
        os.kill(bridge, signal.SIGSTOP)
        s.sendall(lines(*(modern(number(i)) for i in range(2, 499))))  # to the kernel
        later = lines(modern(number(499)))
        rb.process.send_signal(signal.SIGTERM)
        os.kill(bridge, signal.SIGTERM)
        os.kill(bridge, signal.SIGCONT)
        assert s.recv(1) == b""  # nobody listens any more; what was on its way is still taken, also what comes a little later
        s.sendall(later)
        s.shutdown(1)
        rb.process.wait(timeout=DEADLINE)
    assert bridge and "took all of it" not in rb.log_text()
    rb.start()
    wait_numbers(rb, range(1, 500))


def test_stop_takes_connections_that_wait_to_be_accepted(runbookd):
    rb = syslogs.bridge(runbookd).start()
    bridge = rb.pid("bridge")
    os.kill(bridge, signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(connection(rb)) for _ in range(90)]  # by the kernel; more than are taken at once
        for i, s in enumerate(senders):
            s.sendall(lines(modern(number(i))))
        os.kill(bridge, signal.SIGTERM)
        os.kill(bridge, signal.SIGCONT)
        assert all(s.recv(1) == b"" for s in senders)
    wait_for(lambda: rb.pids("bridge") and rb.pids("bridge") != [bridge], "the bridge to be started again")
    rb.wait_ready()
    wait_numbers(rb, range(90))


def test_stop_takes_nobody_who_was_told_already(runbookd):
    """A sender that connects again at once is refused, and keeps what it has: the kernel would take it and lose it."""
    rb = syslogs.bridge(runbookd, connections_per_address=1000).start()
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(connection(rb))
        where = syslogs.address(rb)
        with connection(rb) as told_first:
            wait_for(lambda: rb.metric("runbookd_syslog_connections") == 401, "all to be accepted")
            os.kill(rb.pid("bridge"), signal.SIGTERM)
            assert told_first.recv(1) == b""
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(where, timeout=DEADLINE).close()


def test_stop_does_not_wait_for_a_sender_that_stays(runbookd):
    rb = syslogs.bridge(runbookd).start()
    with connection(rb) as s:
        s.sendall(lines(modern(number(1))))
        wait_numbers(rb, [1])
        assert rb.stop() == 0


# ---- TLS, and who may send

class Tls:
    """A bridge with TLS, and how to trust it."""

    def __init__(self, runbookd, client_ca=False, **syslog):
        tls = {"cert": "authority/localhost.crt", "key": "authority/localhost.key"}
        if client_ca:
            tls["client_ca"] = "clients/ca.crt"
        self.rb = syslogs.bridge(runbookd, tls=tls, **syslog)
        self.ca, self.clients = (Authority(self.rb.folder, name) for name in ("authority", "clients"))
        self.strangers = Authority(self.rb.folder, "strangers")
        self.ca.sign("localhost")
        self.rb.start()

    def trusting(self, by=None, name=None):
        key, cert = by.sign(name) if by else (None, None)
        return syslogs.trusting(self.ca.cert, cert, key)


def test_tls_carries_lines_and_a_reload_changes_the_certificate(runbookd):
    t = Tls(runbookd)
    with connection(t.rb, t.trusting()) as s:
        assert s.version() == "TLSv1.3"
        old = s.getpeercert()["serialNumber"]
        s.sendall(counted(*(modern(number(i)) for i in range(2000))))
        wait_numbers(t.rb, range(2000))
        t.ca.sign("localhost")
        assert t.rb.api("POST", "/-/reload").status == 200
        s.sendall(counted(modern(number(2000))))  # goes on with what it began with
        with connection(t.rb, t.trusting()) as new:
            assert new.getpeercert()["serialNumber"] != old
            new.sendall(counted(modern(number(2001))))
        wait_numbers(t.rb, range(2002))


def test_plain_bytes_are_no_tls(runbookd):
    t = Tls(runbookd)
    with connection(t.rb) as s:
        s.sendall(lines(modern(number(1))))
        assert is_closed_after_alert(s)
    t.rb.logged("a syslog connection was cut off", "TLS failed")
    assert numbers(t.rb) == set()


def is_closed_after_alert(s):
    try:
        while s.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("who", ["nobody", "a stranger"])
def test_with_client_ca_only_those_that_it_vouches_for_may_send(runbookd, who):
    t = Tls(runbookd, client_ca=True)
    with connection(t.rb, t.trusting(t.clients, "sender.example")) as s:
        s.sendall(counted(modern(number(1))))
        wait_numbers(t.rb, [1])
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with connection(t.rb, t.trusting(t.strangers if who == "a stranger" else None, "sender.example")) as bad:
                bad.sendall(counted(modern(number(2))))
                while bad.recv(1):  # with TLS 1.3 the refusal comes after the sender's part of the handshake
                    pass
        t.rb.logged("a syslog connection was cut off", "client_ca vouches for" if who == "a stranger" else "TLS failed")
        s.sendall(counted(modern(number(3))))
        wait_numbers(t.rb, [1, 3])


def source(**auth):
    return {"sources": {"devices": {"kind": "logs", "auth": auth}}}


def test_allow_of_the_source_decides_by_address(runbookd):
    rb = syslogs.bridge(runbookd, conf=source(allow=["127.0.0.1"]), source="devices", listen=["127.0.0.1:0", "[::1]:0"]).start()
    with connection(rb) as s:
        s.sendall(lines(modern(number(1))))
        wait_numbers(rb, [1])
        assert rb.items("alerts")[0]["source"] == "devices"
        with connection(rb, nth=1) as other:
            assert is_closed(other)
        rb.logged("a syslog connection was cut off", "peer=[::1]:", "takes nothing from this address")
        rb.configure(source(allow=["192.0.2.0/24"]))
        assert rb.api("POST", "/-/reload").status == 200
        s.sendall(lines(modern(number(2))))  # from now on it may not
        assert is_closed(s)
    assert numbers(rb) == {1}


def test_names_of_certificates_decide(runbookd):
    t = Tls(runbookd, client_ca=True, source="devices", conf=source(client_cert={"names": ["fw.example"]}))
    with connection(t.rb, t.trusting(t.clients, "other.example")) as s:
        s.sendall(counted(modern(number(1))))
        assert is_closed(s)
    t.rb.logged("a syslog connection was cut off", "devices")
    with connection(t.rb, t.trusting(t.clients, "fw.example")) as s:
        s.sendall(counted(modern(number(2))))
        wait_numbers(t.rb, [2])


@pytest.mark.parametrize("auth, finding", [
    ({"token": True}, "asks for what syslog cannot show; it may have client_cert and allow"),
    ({"client_cert": {"names": ["fw.example"]}}, "needs syslog.tls with client_ca"),
], ids=["token", "client_cert"])
def test_check_refuses_auth_that_syslog_cannot_show(runbookd, auth, finding):
    rb = runbookd(conf={"syslog": {"listen": ["127.0.0.1:0"], "source": "devices"}, **source(**auth)})
    done = rb.run_check("runbook-bridge", "--check")
    assert done.returncode == 3 and finding in done.stdout + done.stderr, done


def test_check_takes_an_open_address_whose_source_says_from_where(runbookd):
    rb = runbookd(conf={"syslog": {"listen": ["0.0.0.0:0"], "source": "devices"}, **source(allow=["10.0.0.0/8"])})
    done = rb.run_check("runbook-bridge", "--check")
    assert done.returncode == 0, done


@pytest.mark.parametrize("conf, finding", [
    ({"listen": ["0.0.0.0:6514"]}, "'syslog.listen' is '0.0.0.0:6514', where anybody could send; set syslog.tls with client_ca"),
    ({"listen": ["127.0.0.1:0"], "source": "nobody"}, "'syslog.source' is 'nobody', which is no source"),
    ({"listen": ["127.0.0.1:0"], "source": "github"}, "'syslog.source' is 'github', which is of kind github; syslog needs one of kind logs"),
    ({"listen": ["127.0.0.1:0"], "tls": {"cert": "no.crt", "key": "no.key"}}, "syslog.tls.cert: cannot open"),
    ({"listen": ["127.0.0.1"]}, "'syslog.listen' is '127.0.0.1': it must be address:port"),
], ids=lambda v: None if isinstance(v, dict) else v[:30])
def test_check_refuses_what_is_wrong(runbookd, conf, finding):
    rb = runbookd(conf={"syslog": conf})
    done = rb.run_check("runbook-bridge", "--check")
    assert done.returncode == 3 and finding in done.stdout + done.stderr, done
    assert re.search(r"runbookd\.yml:\d+:\d+: ", done.stdout + done.stderr)


def test_check_takes_an_open_address_whose_senders_show_certificates(runbookd):
    rb = runbookd(conf={"syslog": {"listen": ["0.0.0.0:0"], "tls": {
        "cert": "authority/localhost.crt", "key": "authority/localhost.key", "client_ca": "authority/ca.crt"}}})
    Authority(rb.folder, "authority").sign("localhost")
    done = rb.run_check("runbook-bridge", "--check")
    assert done.returncode == 0, done
