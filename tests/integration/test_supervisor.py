"""runbookd keeps its programs running, stops them in order, and takes them along when it dies."""
import contextlib
import os
import re
import signal
import socket
import subprocess

import pytest

from alerts import alert, notification
from harness import (DEADLINE, RedisServer, alive, descendants, process_stat, processes_with, program, spawn, wait_for)

GO = """#!/bin/sh
# ---
# summary: Says so
# kind: diagnose
# ---
echo gone
"""
WAIT = """#!/bin/sh
# ---
# summary: Has a daemon that hides, and waits
# kind: diagnose
# timeout: 10m
# ---
touch DIR/hold
(setsid sh -c 'trap "" TERM HUP; exec tail -f /dev/null DIR/hold' > /dev/null &)
echo begun >> DIR/began
until [ -e DIR/end ]; do sleep 0.02; done
"""
RULES = """
rules:
  - name: go
    match: 'alertname = "Go"'
    steps: [{runbook: go}]
  - name: wait
    match: 'alertname = "Wait"'
    steps: [{runbook: wait}]
"""


@pytest.fixture
def server(runbookd):
    return runbookd(rules=RULES, runbooks={"go.sh": GO, "wait.sh": WAIT})


def start_all(rb):
    """Also the worker, for which /-/ready does not wait."""
    rb.start()
    rb.logged("program=runbookd msg=ready")
    return rb


def fire(rb, name="Go", instance="a"):
    rb.post_alertmanager(notification([alert({"alertname": name, "instance": instance})]))


def begin_waiting(rb):
    fire(rb, "Wait")
    wait_for(lambda: rb.lines("began"), "the runbook to begin")
    wait_for(lambda: processes_with(f"tail -f /dev/null {rb.folder}/hold"), "its daemon to be there")


def test_kill_9_of_runbookd_leaves_nothing_behind(server):
    rb = start_all(server)
    begin_waiting(rb)
    pids = [rb.process.pid, *descendants(rb.process.pid), *processes_with(f"tail -f /dev/null {rb.folder}/hold")]
    rb.kill9("runbookd")
    wait_for(lambda: not any(alive(p) for p in pids), "all its programs to be gone")
    assert processes_with(str(rb.folder)) == []
    (rb.folder / "end").touch()
    rb.start()
    assert "started again without it" in rb.wait_run(rule="wait", state="lost")["reason"]
    fire(rb)
    rb.wait_run(rule="go", state="succeeded")


@pytest.mark.parametrize("part", ["bridge", "worker", "redis"])
def test_kill_9_of_a_part_is_healed(server, part):
    rb = start_all(server)
    others = {p: rb.pid(p) for p in ("bridge", "worker", "redis") if p != part}
    old = rb.kill9(part)
    wait_for(lambda: any(p != old for p in rb.pids(part)), f"a new {part}")
    rb.wait_ready()
    fire(rb)
    rb.wait_run(rule="go", state="succeeded")
    assert others == {p: rb.pid(p) for p in others}


def test_part_that_dies_again_and_again_is_started_ever_later(server):
    rb = start_all(server)

    def said(pattern):
        return re.findall(pattern, rb.log_text())

    for n in range(4):
        # A worker has processes of its own, of the same name: only the log tells that the next one is there.
        wait_for(lambda: len(said(r'msg="is ready" part=runbook-worker')) > n, "a worker that is ready")
        rb.kill9("worker")
        wait_for(lambda: len(said(r"part=runbook-worker in_ms=")) > n, "its end to be seen")
    assert said(r"part=runbook-worker in_ms=(\d+)") == ["100", "200", "400", "800"]


def test_stops_in_order_and_with_grace(server):
    rb = start_all(server)
    begin_waiting(rb)
    rb.process.send_signal(signal.SIGTERM)
    rb.logged("program=runbook-worker msg=stopping")
    assert "part=runbook-bridge status=0" in rb.log_text()
    assert rb.pids("redis") and rb.pids("worker") and not rb.pids("bridge")
    (rb.folder / "end").touch()
    assert rb.process.wait(timeout=DEADLINE) == 0
    ended = re.findall(r'msg="has ended" part=(\S+) status=0', rb.log_text())
    assert ended == ["runbook-bridge", "runbook-worker", "redis-server"]
    assert processes_with(str(rb.folder)) == []
    rb.start()
    assert rb.wait_run(rule="wait", state="succeeded")["attempt"] == 1


def test_second_signal_does_not_wait_for_runs(server):
    rb = start_all(server)
    begin_waiting(rb)
    rb.process.send_signal(signal.SIGTERM)
    rb.logged("program=runbook-worker msg=stopping")
    rb.process.send_signal(signal.SIGTERM)
    assert rb.process.wait(timeout=DEADLINE) == 0
    assert processes_with(str(rb.folder)) == []
    rb.start()
    assert rb.wait_run(rule="wait", state="cancelled")["reason"] == "worker stopping"


def test_hup_with_a_broken_configuration_changes_nothing(server):
    rb = start_all(server)
    pids = descendants(rb.process.pid)
    rb.conf_path.write_text('{"worker": {"slts": 3}}\n')
    rb.process.send_signal(signal.SIGHUP)
    wait_for(lambda: 'program=runbookd msg="reload refused' in rb.log_text(), "the reload to be refused")
    assert re.search(r"level=error program=runbookd msg=.*slts.*line=1 column=\d+", rb.log_text())
    assert "msg=reloaded" not in rb.log_text()
    fire(rb)
    rb.wait_run(rule="go", state="succeeded")
    assert pids.items() <= descendants(rb.process.pid).items()
    rb.configure({"worker": {"slots": 3}})
    rb.process.send_signal(signal.SIGHUP)
    rb.logged("program=runbook-worker msg=reloaded slots=3")
    rb.logged("program=runbook-bridge msg=reloaded")


def test_worker_is_started_and_stopped_by_a_reload(server):
    rb = start_all(server)
    rb.configure({"worker": {"enabled": False}})
    rb.process.send_signal(signal.SIGHUP)
    wait_for(lambda: not rb.pids("worker"), "the worker to be gone")
    fire(rb)
    rb.configure({"worker": {"enabled": True}})
    rb.process.send_signal(signal.SIGHUP)
    rb.wait_run(rule="go", state="succeeded")


def test_one_runbookd_a_state_dir(server):
    rb = start_all(server)
    second = rb.run_check("runbookd")
    assert second.returncode == 1
    assert f"process {rb.process.pid} holds" in second.stderr and "set another state_dir" in second.stderr
    assert rb.process.poll() is None


def test_state_dir_too_long_for_a_socket(server):
    server.configure({"state_dir": str(server.folder / ("x" * 100))})
    done = server.run_check("runbookd")
    assert done.returncode == 1 and "shorter state_dir" in done.stderr


def test_newer_data_ends_it_with_status_4(server, folder):
    redis = RedisServer(folder).start()
    try:
        server.configure({"redis": redis.url})
        server.start()
        assert server.stop() == 0
        redis_cli(redis, "HSET", "rb:{default:0}:meta", "schema", "999")
        server.spawn()
        assert server.process.wait(timeout=DEADLINE) == 4
        assert "newer" in server.log_text()
    finally:
        redis.kill()


def redis_cli(redis, *args):
    subprocess.run(["redis-cli", "-s", str(redis.socket), *args], check=True, timeout=DEADLINE, capture_output=True)


def inodes(path):
    try:
        with open(path) as f:
            return {line.split()[9] for line in f.readlines()[1:]}
    except FileNotFoundError:
        return set()


def test_it_has_no_network_socket(server):
    rb = start_all(server)
    network = set().union(*(inodes(f"/proc/net/{p}") for p in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")))
    for pid in (rb.process.pid, rb.pid("redis"), rb.pid("worker")):
        links = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # a file that Redis looked into for a moment
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        own = {link[8:-1] for link in links if link.startswith("socket:[")}
        assert not own & network, (pid, process_stat(pid))


class Manager:
    """systemd's end of the notification socket."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.heard = []

    def has(self, word):
        try:
            while True:
                self.heard += self.socket.recv(4096).decode().split("\n")
        except BlockingIOError:
            return any(line.startswith(word) for line in self.heard)


def test_systemd_is_told(server):
    rb, manager = server, Manager(server.folder)
    env = {**rb.environment(), "NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "4000000"}
    rb.process = spawn([program("runbookd"), "-c", str(rb.conf_path)], rb.log, cwd=rb.folder, env=env)
    wait_for(lambda: manager.has("READY=1"), "READY=1")
    assert rb.address and rb.pids("worker")
    assert manager.has("STATUS=redis ready, bridge ready, worker ready")
    manager.heard.clear()
    wait_for(lambda: manager.has("WATCHDOG=1"), "WATCHDOG=1")
    rb.process.send_signal(signal.SIGHUP)
    wait_for(lambda: manager.has("RELOADING=1") and manager.has("MONOTONIC_USEC=") and manager.has("READY=1"), "a reload")
    assert manager.heard.index("RELOADING=1") < manager.heard.index("READY=1")
    rb.kill9("worker")
    wait_for(lambda: manager.has("STATUS=redis ready, bridge ready, worker down"), "the worker's end")
    for pid in (rb.pid("bridge"), rb.pid("redis")):
        with open(f"/proc/{pid}/environ", "rb") as f:
            assert b"NOTIFY_SOCKET" not in f.read()
    assert rb.stop() == 0
    assert manager.has("STOPPING=1")
