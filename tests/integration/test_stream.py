"""GET /api/v1/events/stream and `runbookctl events tail`: each event once, in order, whatever happens meanwhile."""
import hashlib
import http.client
import json
import signal
import subprocess
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import DEADLINE, RedisServer, free_port, memory_bound, memory_kb, program, wait_for

FEW = {"worker": {"enabled": False}}


class Stream:
    """A client of the stream. Reads in a thread of its own; `blocks` are what came: {"id", "event", "data", "comment"}."""

    def __init__(self, rb, after=None, headers=None, read=True, **query):
        host, _, port = rb.address.rpartition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)
        path = "/api/v1/events/stream" + ("?" + urllib.parse.urlencode(query) if query else "")
        self.connection.request("GET", path, headers={**({"Last-Event-ID": after} if after else {}), **(headers or {})})
        self.answer = self.connection.getresponse()
        self.status, self.blocks, self.end = self.answer.status, [], None
        self.parsed, self.found = 0, []
        self.thread = threading.Thread(target=self.read, daemon=True)
        if self.status != 200:
            self.detail = json.loads(self.answer.read())["detail"]
        elif read:
            self.start()

    def start(self):
        self.thread.start()
        return self

    def read(self):
        """`end` is "orderly" where the bridge ended it, else what happened."""
        block = {}
        try:
            while line := self.answer.readline().decode():
                name, _, value = line.rstrip("\n").partition(": " if not line.startswith(":") else ":")
                if line == "\n":
                    self.blocks.append(block)
                    block = {}
                else:
                    block[name or "comment"] = value
            self.end = "orderly" if self.answer.chunk_left is None else "broken"
        except Exception as e:  # whatever a broken connection raises
            self.end = repr(e)

    @property
    def events(self):
        """Each block is parsed once: waiting for the last one of many large ones would else take the reader's time."""
        new = self.blocks[self.parsed:]
        self.parsed += len(new)
        self.found += [json.loads(b["data"]) for b in new if "data" in b and "event" not in b]
        return self.found

    @property
    def types(self):
        return [e["type"] for e in self.events]

    def place(self):
        return next((b["id"] for b in reversed(list(self.blocks)) if "id" in b), None)

    def wait(self, types):
        """Waits until the last one came; all of them have to be these, in this order."""
        wait_for(lambda: types and types[-1] in self.types, f"{types[-1]} in the stream")
        assert self.types == types
        return self

    def close(self):
        self.connection.sock.shutdown(2)
        if self.thread.ident:
            self.thread.join(DEADLINE)
        self.connection.close()


def emit(rb, *types, **more):
    for kind in types:
        answer = rb.api("POST", "/api/v1/events", {"type": kind, **more})
        assert answer.status == 200, answer


def numbered(first, last):
    return [f"e{i}" for i in range(first, last)]


def restart_redis(rb):
    before = rb.log_text().count("redis answers")
    rb.kill9("redis")
    wait_for(lambda: rb.log_text().count("redis answers") > before, "Redis to be back")


def test_events_as_they_come(runbookd):
    rb = runbookd(conf=FEW).start()
    emit(rb, "before")
    everything, some = Stream(rb), Stream(rb, filter='event.type =~ "e[12]", host = "a"')
    none = Stream(rb, filter="event.type = nothing")
    wait_for(lambda: none.blocks and some.blocks and everything.blocks, "the streams to begin")
    emit(rb, "e1", host="a")
    emit(rb, "e2", host="b")
    emit(rb, "e2", host="a")
    emit(rb, "e3", host="a", data={"text": "line\nfeed: \r\n\n"})
    everything.wait(["e1", "e2", "e2", "e3"])
    some.wait(["e1", "e2"])
    assert none.events == []
    # They are what the list shows, whole, and each has its id.
    assert everything.events == list(reversed(rb.items("events")))[1:]
    assert [b["id"] for b in everything.blocks if "data" in b] == [e["id"] for e in everything.events]
    assert everything.answer.getheader("Content-Type") == "text/event-stream"
    for stream in (everything, some, none):
        stream.close()


def test_goes_on_where_it_was(runbookd):
    rb = runbookd(conf=FEW).start()
    types = numbered(0, 250)  # more than one piece
    emit(rb, *types)
    ids = [e["id"] for e in reversed(rb.items("events"))]
    assert Stream(rb, after=ids[2]).wait(types[3:]).place() == ids[-1]
    assert Stream(rb, last_event_id=ids[99]).wait(types[100:]).types == types[100:]
    Stream(rb, since="1h").wait(types)
    late = Stream(rb, after=ids[-1])
    emit(rb, "more")
    assert late.wait(["more"]).types == ["more"]
    # What begins while others come misses none and hears none twice.
    streams = [Stream(rb, after=ids[0])]
    for i in range(20):
        emit(rb, f"f{i}")
        streams.append(Stream(rb, after=ids[i]))
    for i, stream in enumerate(streams):
        stream.wait(types[max(i - 1, 0) + 1:] + ["more"] + [f"f{i}" for i in range(20)])


def test_two_bridges(folder, runbookd):
    redis = RedisServer(folder).start()
    one, two = [runbookd(conf={"redis": redis.url, **FEW}).start() for _ in range(2)]
    try:
        at_one, at_two = Stream(one), Stream(two)
        wait_for(lambda: at_one.blocks and at_two.blocks, "both streams to begin")
        types = numbered(0, 60)
        for i, kind in enumerate(types):
            emit((one, two)[i % 2], kind)
        at_one.wait(types)
        at_two.wait(types)
        emit(two, "last")
        Stream(two, after=at_one.events[30]["id"]).wait(types[31:] + ["last"])
    finally:
        for rb in (one, two):
            rb.stop()
        redis.kill()


def test_outlives_redis_and_a_reload(runbookd):
    rb = runbookd(conf=FEW).start()
    stream, filtered = Stream(rb), Stream(rb, filter='event.type =~ "e.*"')
    wait_for(lambda: stream.blocks and filtered.blocks, "the streams to begin")
    emit(rb, "e0")
    restart_redis(rb)
    emit(rb, "e1")
    assert rb.api("POST", "/-/reload").status == 200
    emit(rb, "e2")
    restart_redis(rb)
    emit(rb, "e3")
    stream.wait(numbered(0, 4))
    filtered.wait(numbered(0, 4))


def test_a_killed_bridge_leaves_no_gap(runbookd):
    rb = runbookd(conf=FEW).start()
    stream = Stream(rb)
    wait_for(lambda: stream.blocks, "the stream to begin")
    emit(rb, "e0", "e1")
    stream.wait(["e0", "e1"])
    before = rb.kill9("bridge")
    wait_for(lambda: stream.end, "the stream to break")
    wait_for(lambda: rb.pids("bridge") and rb.pid("bridge") != before and rb.answers("/-/ready"), "another bridge")
    emit(rb, "e2")
    Stream(rb, after=stream.place()).wait(["e2"])


def test_what_is_gone_is_said(runbookd):
    rb = runbookd(conf=FEW).start()
    emit(rb, *numbered(0, 10))
    ids = [e["id"] for e in reversed(rb.items("events"))]
    assert rb.redis_cli("XTRIM", "rb:{default:0}:bus", "MAXLEN", "4") == "6\n"
    stream = Stream(rb, after=ids[2]).wait(numbered(6, 10))
    assert [json.loads(b["data"]) for b in stream.blocks if b.get("event") == "gone"] == [{"after": ids[2]}]
    whole = Stream(rb, after=ids[6]).wait(numbered(7, 10))
    assert not any("event" in b for b in whole.blocks)
    # An id that no event has had yet is of another Redis.
    strange = Stream(rb, after="7ZZZZZZZZZ0000000000000001")
    wait_for(lambda: any(b.get("event") == "gone" for b in strange.blocks), "gone to be said")
    emit(rb, "next")
    strange.wait(["next"])


def test_a_heartbeat_moves_the_place(runbookd):
    rb = runbookd(conf=FEW).start()
    stream = Stream(rb, filter="event.type = nothing")
    emit(rb, "e0", "e1")
    last = rb.items("events")[0]["id"]
    wait_for(lambda: stream.place() == last, "a heartbeat with the latest id")
    emit(rb, "e2")
    Stream(rb, after=stream.place()).wait(["e2"])


def test_a_slow_reader_holds_nobody_up(runbookd):
    rb = runbookd(conf={**FEW, "http": {"request_timeout": "10s"}}).start()
    slow, stuck, quick = Stream(rb, read=False), Stream(rb, read=False), Stream(rb)
    wait_for(lambda: quick.blocks, "the stream to begin")
    emit(rb, "warm", data={"text": "x" * 500_000})
    wait_for(lambda: quick.types == ["warm"], "the first event")
    before = memory_kb(rb.pid("bridge"))
    types = numbered(0, 120)
    for kind in types:
        emit(rb, kind, data={"text": "x" * 500_000})
    quick.wait(["warm"] + types)
    assert memory_kb(rb.pid("bridge")) - before < memory_bound(30_000), "what waits for 60 MB that nobody reads is bounded"
    wait_for(lambda: rb.log_text().count("ended before its reader took what was sent") == 2, "those who read nothing to be cut off")
    # What was not read then is there for who comes again, at whatever pace.
    slow.start()
    wait_for(lambda: slow.end, "the stream to be read to its end")
    got = slow.types
    assert got == (["warm"] + types)[:len(got)] and len(got) < 121
    again = Stream(rb, after=slow.place()).wait((["warm"] + types)[len(got):])
    for stream in (stuck, quick, again):
        stream.close()


def test_so_many_at_once(runbookd):
    rb = runbookd(conf=FEW).start()
    streams = [Stream(rb, read=False) for _ in range(256)]
    assert {s.status for s in streams} == {200}
    refused = Stream(rb)
    assert refused.status == 503 and "256 outputs and streams of events are followed already" in refused.detail
    for stream in streams[:2]:
        stream.close()
    wait_for(lambda: Stream(rb).status == 200, "room for another one")
    emit(rb, "e0")
    for stream in streams[2:]:
        stream.start()
    for stream in streams[2:]:
        stream.wait(["e0"])


def test_a_refusal_is_an_answer_alone(runbookd):
    """Whatever comes while it goes out."""
    rb = runbookd(conf=FEW).start()
    streams = [Stream(rb, read=False) for _ in range(256)]
    over = threading.Event()

    def busy():
        while not over.is_set():
            emit(rb, "e", data={"text": "x" * 2000})

    def refused(_):
        stream = Stream(rb)  # reads the answer as one JSON
        assert (stream.status, stream.detail[:4]) == (503, "256 ")
        stream.connection.close()

    with ThreadPoolExecutor(9) as pool:
        emitters = [pool.submit(busy) for _ in range(3)]
        try:
            list(pool.map(refused, range(600)))
        finally:
            over.set()
        for emitter in emitters:
            emitter.result()
    for stream in streams:
        stream.close()


def test_a_stop_ends_it_orderly(runbookd):
    rb = runbookd(conf=FEW).start()
    stream = Stream(rb)
    wait_for(lambda: stream.blocks, "the stream to begin")
    emit(rb, "e0")
    stream.wait(["e0"])
    assert rb.stop() == 0
    wait_for(lambda: stream.end, "the end")
    assert stream.end == "orderly" and stream.blocks[-1] == {"comment": " this bridge is stopping"}


@pytest.mark.parametrize("query, want", [
    ({"filter": "{host"}, "want one of = != =~ !~ here"), ({"filter": "a =~ '('"}, "'('"), ({"last_event_id": "12"}, "'12' is no id of an event"),
    ({"last_event_id": "ZZZZZZZZZZZZZZZZZZZZZZZZZZ"}, "is no id of an event"), ({"since": "yesterday"}, "'since' is 'yesterday'"),
    ({"limit": "1"}, "unknown parameter 'limit'")])
def test_bad_questions(runbookd, query, want):
    rb = runbookd(conf=FEW).start()
    stream = Stream(rb, **query)
    assert stream.status == 400 and want in stream.detail


def test_who_may_not_any_more_hears_no_more(runbookd):
    def token(name):
        return {"name": name, "hash": "sha256:" + hashlib.sha256(f"rb_{name}".encode()).hexdigest(), "scopes": ["read", "operate"]}

    def shown(name):
        return {"Authorization": f"Bearer rb_{name}"}
    rb = runbookd(conf={**FEW, "tokens": [token("stays"), token("goes")]}).start()
    assert Stream(rb).status == 401
    stays, goes = Stream(rb, headers=shown("stays")), Stream(rb, headers=shown("goes"))
    wait_for(lambda: stays.blocks and goes.blocks, "both streams to begin")
    rb.configure({"tokens": [token("stays")]})
    rb.process.send_signal(signal.SIGHUP)
    wait_for(lambda: goes.end, "the stream of the token that went to end")
    assert goes.end != "orderly" and stays.end is None
    assert rb.api("POST", "/api/v1/events", {"type": "e0"}, shown("stays")).status == 200
    stays.wait(["e0"])
    assert goes.events == []


class Tail:
    """runbookctl events tail, whose lines are read from the files that it writes."""

    def __init__(self, rb, *args):
        self.out, self.err = rb.folder / "tail.out", rb.folder / "tail.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([program("runbookctl"), "--url", f"http://{rb.address}", *args], stdout=out, stderr=err,
                                            stdin=subprocess.DEVNULL, env=rb.environment())

    def lines(self):
        return self.out.read_text().splitlines()

    def types(self):
        return [json.loads(line)["type"] for line in self.lines()]

    def end(self):
        self.process.terminate()
        return self.process.wait(timeout=DEADLINE)


def test_tail_shows_each_once(runbookd):
    port = free_port()
    rb = runbookd(conf={**FEW, "http": {"listen": [f"127.0.0.1:{port}"]}}).start()
    emit(rb, "other", "e0")
    tail = Tail(rb, "-o", "json", "events", "tail", "--since", "1h", "--filter", 'event.type =~ "e.*"')
    try:
        wait_for(lambda: tail.types() == ["e0"], "what was there")
        emit(rb, "e1")
        wait_for(lambda: tail.types() == ["e0", "e1"], "what came")
        rb.kill9_all()
        wait_for(lambda: "broke off; trying again" in tail.err.read_text(), "the tail to say that it broke off")
        rb.start()
        emit(rb, "other", "e2")
        wait_for(lambda: tail.types()[-1] == "e2", "what came after everything was killed")
        restart_redis(rb)
        emit(rb, "e3")
        wait_for(lambda: tail.types()[-1] == "e3", "what came after Redis was killed")
        assert tail.types() == numbered(0, 4)
        assert tail.lines()[-1] == json.dumps(rb.items("events")[0], separators=(",", ":"), ensure_ascii=False)
    finally:
        tail.end()


def test_tail_in_words(runbookd):
    rb = runbookd(conf=FEW).start()
    emit(rb, "deployed", subject="shop \x1b[31m", severity="warning")
    tail = Tail(rb, "events", "tail", "--since", "1h")
    try:
        wait_for(tail.lines, "a line")
        words = tail.lines()[0].split()
        assert words[1:5] == ["info", "warning", "emit", "deployed"] and "\\x1b[31m" in tail.lines()[0]
    finally:
        tail.end()


def test_tail_that_cannot_begin(runbookd):
    rb = runbookd(conf=FEW).start()
    assert "want one of = != =~ !~ here" in rb.ctl("events", "tail", "--filter", "{host", code=1).stderr
    assert "is no time" in rb.ctl("events", "tail", "--since", "yesterday", code=2).stderr
    rb.stop()
    done = subprocess.run([program("runbookctl"), "--url", f"http://127.0.0.1:{free_port()}", "events", "tail"], capture_output=True,
                          text=True, timeout=DEADLINE)
    assert done.returncode == 5 and "cannot reach" in done.stderr
