"""What goes past a bound gets that bound's answer, costs little memory, and does not disturb a good sender beside it."""
import concurrent.futures
import contextlib
import gzip
import http.client
import resource
import socket
import threading

import pytest

import packers
from alerts import alert, notification
from harness import DEADLINE, memory_bound, request_on, wait_for
from test_http import check_problem, connection, raw, read_answer

INGEST = "/ingest/alertmanager"
MEMORY_KB = 96 * 1024
GZIP, ZSTD = {"Content-Encoding": "gzip"}, {"Content-Encoding": "zstd"}


def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


class Beside(threading.Thread):
    """A good sender on one connection, and the most memory that the bridge was seen to have."""

    def __init__(self, rb):
        super().__init__()
        self.rb, self.pid, self.seen, self.most, self.failed = rb, rb.pid("bridge"), [], 0, None
        self.over = threading.Event()

    def run(self):
        try:
            with connection(self.rb) as c:
                while not self.over.is_set():
                    body = notification([alert({"alertname": "Good", "instance": f"web-{len(self.seen)}"})])
                    self.seen.append(request_on(c, "POST", INGEST, body).status)
                    self.most = max(self.most, pss_kb(self.pid))
        except Exception as e:  # what a client sees is the result of the test
            self.failed = e


@contextlib.contextmanager
def good_sender(rb):
    beside = Beside(rb)
    beside.start()
    try:
        wait_for(lambda: beside.seen or beside.failed, "the first answer")
        yield beside
        n = len(beside.seen)
        wait_for(lambda: len(beside.seen) > n + 10 or beside.failed, "answers after the attack")
    finally:
        beside.over.set()
        beside.join()
    assert beside.failed is None
    assert set(beside.seen) == {200}
    assert beside.most < memory_bound(MEMORY_KB)


@pytest.fixture
def bridge(runbookd):
    def make(**http):
        return runbookd(conf={"worker": {"enabled": False}, "http": {"listen": ["127.0.0.1:0"], **http}}).start()
    return make


def keys(n):
    inside = b",".join(b'"%d":0' % i for i in range(n))
    return b'{"alerts":[{"status":"firing","labels":{"alertname":"x"},"more":{' + inside + b"}}]}"


ATTACKS = {
    "nesting": (lambda: b"[" * 100_000 + b"]" * 100_000, {}, 400, "nest"),
    "keys": (lambda: keys(5_000_000), {}, 400, "values"),
    "gzip bomb": (lambda: gzip.compress(b" " * (200 << 20)), GZIP, 413, "200 times"),
    "10 million keys, gzip": (lambda: gzip.compress(keys(10_000_000), 1), GZIP, 400, "values"),
    "zstd bomb": (lambda: packers.zstd(b" " * (200 << 20)), ZSTD, 413, "200 times"),
    "snappy that says 4 GiB": (lambda: b"\xff\xff\xff\xff\x0f", {"Content-Encoding": "snappy"}, 413, "body"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_body_that_goes_too_far(bridge, name):
    rb = bridge()
    make, headers, status, says = ATTACKS[name]
    body = make()
    with good_sender(rb):
        for _ in range(3):
            assert says in check_problem(rb.api("POST", INGEST, body, headers), status)["detail"]
    assert {e["labels"]["alertname"] for e in rb.items("events")} == {"Good"}


def large(name):
    """A good body of a megabyte that compresses well: many turns of the loop."""
    more = ",".join(f'"{i:07d}": "{i:0300d}"' for i in range(3_000))
    labels = f'{{"alertname": "Large", "instance": "{name}"}}'
    return f'{{"alerts": [{{"status": "firing", "labels": {labels}, "more": {{{more}}}}}]}}'.encode()


PACKED = {"none": (lambda b: b, {}), "gzip": (gzip.compress, GZIP), "zstd": (packers.zstd, ZSTD),
          "snappy": (packers.snappy_block, {"Content-Encoding": "snappy"}),
          "snappy frames": (packers.snappy_frames, {"Content-Encoding": "snappy"})}


def post_large(rb, name, packing):
    pack, headers = PACKED[packing]
    return rb.api("POST", INGEST, pack(large(name)), headers)


def test_large_bodies_take_turns(bridge):
    """Several of each encoding at once, each put off again and again: all are taken, whole."""
    rb = bridge()
    jobs = [(f"{packing}-{i}", packing) for packing in PACKED for i in range(4)]
    with good_sender(rb), concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        answers = list(pool.map(lambda job: post_large(rb, *job), jobs))
    assert [a.status for a in answers] == [200] * len(jobs), answers
    stored = {e["labels"]["instance"] for e in rb.items("events", filter="alertname = Large")}
    assert stored == {name for name, _ in jobs}


def test_stop_while_large_bodies_take_turns(bridge):
    """Whoever is under way is answered, and the others find nobody; nothing else happens."""
    rb = bridge()
    taken = []

    def send(i):
        with contextlib.suppress(OSError, http.client.HTTPException):
            for n in range(1000):
                taken.append(post_large(rb, f"{i}-{n}", "gzip").status)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        senders = [pool.submit(send, i) for i in range(8)]
        wait_for(lambda: len(taken) >= 8, "some to be answered")
        assert rb.stop() == 0
        for s in senders:
            s.result()
    assert set(taken) <= {200, 503}


def test_headers_of_a_megabyte(bridge):
    rb = bridge()
    with good_sender(rb), raw(rb) as s:
        s.sendall(f"POST {INGEST} HTTP/1.1\r\nHost: x\r\n".encode())
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for i in range(1000):
                s.sendall(b"X-%d: %s\r\n" % (i, b"x" * 1000))
        assert read_answer(s).status == 431


def open_all(rb, n, stack, source=None, first=b""):
    """n connections, each with its first bytes on their way."""
    host, _, port = rb.address.rpartition(":")
    found = []
    for _ in range(n):
        s = socket.create_connection((host, int(port)), timeout=DEADLINE, source_address=source and (source, 0))
        s.sendall(first)
        s.setblocking(False)
        found.append(stack.enter_context(contextlib.closing(s)))
    return found


def closed(s):
    try:
        return s.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


SLOW = 300  # senders of each way to be slow


def slow_beginnings():
    begin = f"POST {INGEST} HTTP/1.1\r\nHost: x\r\n"
    return {"body": (f"{begin}Content-Length: 1000\r\n\r\n", b" "), "headers": (begin, b"X"), "request line": ("", b"P")}


class SlowSenders(threading.Thread):
    """Many connections that have begun and each send a byte a second, until they are cut off."""

    def __init__(self, sockets, more):
        super().__init__()
        self.open, self.cut, self.more, self.over = list(sockets), 0, more, threading.Event()

    def run(self):
        while self.open and not self.over.is_set():
            self.open = [s for s in self.open if self.goes_on(s)]
            self.over.wait(1)

    def goes_on(self, s):
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            s.sendall(self.more)
            if not closed(s):
                return True
        self.cut += 1
        return False


@pytest.mark.parametrize("way", slow_beginnings())
def test_slow_senders_are_cut_off(bridge, way):
    """None of them stalls: each byte moves the connection, so only the bounds on a whole request end them."""
    rb = bridge(request_timeout="10s")
    beginning, more = slow_beginnings()[way]
    with contextlib.ExitStack() as stack, good_sender(rb):
        slow = SlowSenders(open_all(rb, SLOW, stack, first=beginning.encode()), more)
        slow.start()
        try:
            wait_for(lambda: slow.cut == SLOW, "all slow senders to be cut off")
        finally:
            slow.over.set()
            slow.join()
    assert (rb.metric("runbookd_ingest_rejected_total", reason="broken_off") or 0) == (SLOW if way == "body" else 0)


@contextlib.contextmanager
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_connections_past_the_limit_are_closed(bridge):
    """12,000 against 10,000: who is connected goes on."""
    with many_files():
        rb = bridge(connections_per_address=20_000, request_timeout="1h")
        with contextlib.ExitStack() as stack, good_sender(rb):
            idle = open_all(rb, 12_000, stack)
            wait_for(lambda: sum(map(closed, idle)) == 2001, "those past the limit to be closed")
    rb.logged("limit=http.connection_limit")


def ask_once(s):
    s.setblocking(True)
    s.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert read_answer(s).status == 200
    s.setblocking(False)


def test_connections_that_asked_once_give_way(bridge):
    """10,000 that rest after a request: 2,000 with the good one's are kept, so that they take no more memory than that."""
    with many_files():
        rb = bridge(connections_per_address=20_000, request_timeout="1h")
        with contextlib.ExitStack() as stack, good_sender(rb):
            resting = open_all(rb, 9_900, stack)
            for s in resting:
                ask_once(s)
            wait_for(lambda: sum(map(closed, resting)) >= 7_900, "all but the latest to be closed")
            assert not any(map(closed, resting[7_901:]))  # the good one's counts, but while it is answered
    rb.logged("limit=http.connections_kept")


@pytest.mark.parametrize("way", ["body", "headers"])
def test_the_oldest_of_many_slow_senders_gives_way(bridge, way):
    beginning, more = slow_beginnings()[way]
    rb = bridge(connections_kept=20, request_timeout="5m")
    with contextlib.ExitStack() as stack, good_sender(rb) as beside:
        slow = []

        def begin(n):
            """Fewer than are kept, between two requests of the good one: so it is never among the oldest."""
            answers = len(beside.seen)
            wait_for(lambda: len(beside.seen) > answers or beside.failed, "another answer")
            slow.extend(open_all(rb, n, stack, first=beginning.encode()))
            wait_for(lambda: sum(map(closed, slow)) >= len(slow) - 20, "all but the latest to be closed")
        for _ in range(4):
            begin(12)
        # A byte more does not make one a newer one.
        for s in slow:
            with contextlib.suppress(OSError):
                s.sendall(more)
        for _ in range(2):
            begin(12)
        assert sum(map(closed, slow[:48])) >= 40


def test_connections_of_one_address(bridge):
    rb = bridge(connections_per_address=20)
    with contextlib.ExitStack() as stack, good_sender(rb):
        many = open_all(rb, 50, stack, "127.0.0.2")
        wait_for(lambda: sum(map(closed, many)) == 30, "those past the limit to be closed")
        # An address that has room again may connect again.
        for s in many:
            s.close()

        def let_in():
            with contextlib.suppress(OSError):
                s = socket.create_connection(rb.address.rsplit(":", 1), timeout=DEADLINE, source_address=("127.0.0.2", 0))
                with contextlib.closing(s):
                    s.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    return read_answer(s).status == 200
        wait_for(let_in, "the address to be let in again")
    rb.logged("limit=http.connections_per_address")


def test_files_that_are_too_few_are_said(runbookd):
    rb = runbookd(conf={"http": {"listen": ["127.0.0.1:0"], "connection_limit": 1_000_000}}).start()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert ("fewer files may be open than http.connection_limit" in rb.log_text()) == (hard < 1_000_128)
