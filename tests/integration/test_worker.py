"""What the worker checks before it executes anything, what becomes of a run when its worker goes, and what a run leaves."""
import concurrent.futures
import json
import os
import pwd
import signal
import subprocess
import time

import pytest

from alerts import alert, notification
from harness import DEADLINE, RedisServer, Runbookd, kill_quietly, process_stat, processes_with, program, spawn, wait_for

HEAD = "#!/bin/sh\n# ---\n# summary: A test's\n# kind: diagnose\n{}# ---\n"
RULE = """
rules:
  - name: go
    match: 'alertname = "Go"'
    steps: [{runbook: go}]
"""
LATE = """
rules:
  - name: go
    match: 'alertname = "Go"'
    steps:
      - runbook: go
      - runbook: look
        with: {incident: "{{ incident.id }}", before: "{{ steps.go.output }}", host: "{{ labels.instance }}"}
"""
NOBODY = 65534
ROOT = os.geteuid() == 0


def script(text, **front):
    """A runbook that may wait for its test a while; front: its other keys, as JSON is YAML."""
    keys = {"timeout": "10m", **front}
    return HEAD.format("".join(f"# {k}: {json.dumps(v)}\n" for k, v in keys.items())) + text


def fire(rb, instance="a"):
    rb.post_alertmanager(notification([alert({"alertname": "Go", "instance": instance})]))


def server(runbookd, text, rules=RULE, conf=None, **front):
    return runbookd(rules=rules, conf=conf, runbooks={"go.sh": script(text, **front)})


def run_once(rb, **want):
    fire(rb)
    return rb.wait_run(rule="go", **want)


# ---- refusals


def refused(rb):
    run = run_once(rb, state="failed")
    assert not (rb.folder / "ran").exists()
    return run["reason"]


def test_folder_that_others_may_change(runbookd):
    rb = server(runbookd, "touch DIR/ran\n").start()
    (rb.folder / "runbooks").chmod(0o775)
    reason = refused(rb)
    assert "group-writable" in reason and f"chmod g-w {rb.folder}/runbooks" in reason


def test_file_that_others_may_change(runbookd):
    rb = server(runbookd, "touch DIR/ran\n").start()
    (rb.folder / "runbooks" / "go.sh").chmod(0o757)
    assert f"chmod o-w {rb.folder}/runbooks/go.sh" in refused(rb)


def test_runbook_that_is_gone(runbookd):
    rb = server(runbookd, "touch DIR/ran\n").start()
    (rb.folder / "runbooks" / "go.sh").unlink()
    assert "no runbook 'go'" in refused(rb)


def test_user_that_does_not_exist(runbookd):
    """Root's worker cannot become it; any other does not try."""
    rb = server(runbookd, "touch DIR/ran\n", user="no-such-user").start()
    if ROOT:
        assert "adduser --system --group no-such-user" in refused(rb)
    else:
        run_once(rb, state="succeeded")


def test_script_without_an_interpreter(runbookd):
    rb = server(runbookd, "touch DIR/ran\n")
    path = rb.folder / "runbooks" / "go.sh"
    path.write_text(path.read_text().replace("#!/bin/sh", "#!/no/such/shell"))
    rb.start()
    assert "interpreter" in refused(rb)


def test_parameters_are_checked_by_the_workers_own_copy(runbookd):
    """The run was decided with one file; what the worker has when it claims is another, and stricter."""
    rules = RULE.replace("[{runbook: go}]", '[{runbook: go, with: {what: "{{ labels.instance }}"}}]')
    loose, strict = ({"what": {"type": "string", **p}} for p in ({}, {"pattern": "^[a-z]+$"}))
    rb = server(runbookd, "touch DIR/ran\n", rules=rules, conf={"worker": {"enabled": False}}, params=loose).start()
    fire(rb, instance="x; y")
    rb.wait_run(rule="go", state="queued")
    rb.write_runbook("go.sh", script("touch DIR/ran\n", params=strict))
    start_worker(rb)
    reason = rb.wait_run(rule="go", state="failed")["reason"]
    assert "what" in reason and "another one than the rule was decided with" in reason
    assert not (rb.folder / "ran").exists()


def start_worker(rb):
    rb.configure({"worker": {"enabled": True}})
    rb.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize(("theirs", "own", "says"), [
    ({"idempotent": True}, {"idempotent": False}, "queued as idempotent, but this worker's 'go' is not"),
    ({"idempotent": True, "retries": {"max": 3}}, {"idempotent": True, "retries": {"max": 2}},
     "queued with 3 retries, but this worker's 'go' allows 2"),
])
def test_run_that_redis_would_start_again_though_the_workers_own_file_forbids_it(runbookd, theirs, own, says):
    rb = server(runbookd, "touch DIR/ran\n", conf={"worker": {"enabled": False}}, **theirs).start()
    fire(rb)
    rb.wait_run(rule="go", state="queued")
    rb.write_runbook("go.sh", script("touch DIR/ran\n", **own))
    start_worker(rb)
    run = wait_for(lambda: next((r for r in rb.items("runs") if r["state"] not in ("queued", "running")), None), "its end")
    assert run["state"] == "failed" and says in run["reason"], run
    assert "install the same file on both sides, then reload the bridge" in run["reason"]
    assert not (rb.folder / "ran").exists()


def test_another_file_runs_and_is_told_of(runbookd):
    rb = server(runbookd, "echo first\n", conf={"worker": {"enabled": False}}).start()
    fire(rb)
    before = rb.wait_run(rule="go", state="queued")
    rb.write_runbook("go.sh", script("echo second\n"))
    start_worker(rb)
    run = rb.wait_run(rule="go", state="succeeded")
    assert rb.output(run["id"]) == "second\n"
    assert "another one than the rule was decided with" in run["reason"]
    assert run["runbook_sha256"] != before["runbook_sha256"]


# ---- what it is given and what it leaves


def open_to_all(rb):
    for path in [rb.folder, *rb.folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o055)


def test_runs_as_the_user_that_was_set(runbookd):
    user = "nobody" if ROOT else pwd.getpwuid(os.geteuid()).pw_name
    text = "id -un; pwd; echo again > /dev/stdout; echo kept > $RUNBOOK_ARTIFACTS/kept; touch DIR/ran || echo refused\n"
    rb = server(runbookd, text, conf={"worker": {"user": user}})
    open_to_all(rb)
    rb.start()
    run = run_once(rb, state="succeeded")
    lines = rb.output(run["id"]).splitlines()
    assert lines[:3] == [user, f"{rb.state_dir}/artifacts/{run['id']}", "again"]
    assert ("refused" in lines) == ROOT
    assert run["artifacts"] == [{"name": "kept", "size": 5}]
    assert rb.api("GET", f"/api/v1/runs/{run['id']}/artifacts/kept").body == b"kept\n"
    kept = rb.state_dir / "artifacts" / run["id"] / "kept"
    assert kept.stat().st_uid == os.geteuid()


def test_emitted_events_enter_the_bus(runbookd):
    rb = server(runbookd, """
echo '{"type": "swept", "labels": {"host": "web-1"}, "data": {"freed": 3}}' >> $RUNBOOK_EVENTS
echo 'no json' >> $RUNBOOK_EVENTS
""").start()
    run = run_once(rb, state="succeeded")
    assert "1 of the lines that it wrote as events were not taken" in run["reason"]
    event = wait_for(lambda: next((e for e in rb.items("events") if e["type"] == "swept"), None), "the event")
    assert event["labels"]["host"] == "web-1" and event["data"]["freed"] == 3
    left = [f.name for f in (rb.state_dir / "events").iterdir()]
    assert len(left) <= 1 and run["id"] not in left  # one may be made ahead, for another run
    rb.stop()
    assert not any((rb.state_dir / "events").iterdir()) and not any((rb.state_dir / "artifacts").iterdir())


def test_late_parameters_are_filled_in_at_the_claim(runbookd):
    params = {n: {"type": "string"} for n in ("incident", "before", "host")}
    rb = runbookd(rules=LATE, runbooks={
        "go.sh": script("echo ' { labels.x }} $(x)'\n"),
        "look.sh": script('printf "%s|%s|%s\\n" "$PARAM_incident" "$PARAM_before" "$PARAM_host"\n', params=params),
    }).start()
    fire(rb, instance="{{ steps.go.state }}")
    run = rb.wait_run(runbook="look", state="succeeded")
    assert rb.output(run["id"]) == f"{run['incident']}| {{ labels.x }}}} $(x)|{{{{ steps.go.state }}}}\n"
    assert run["params"]["incident"] == run["incident"]


def test_exit_75_is_tried_again_and_then_fails(runbookd):
    rb = server(runbookd, 'echo "$RUNBOOK_ATTEMPT" >> DIR/attempts\nexit 75\n',
                retries={"max": 2, "backoff": "100ms"}, idempotent=True).start()
    run = run_once(rb, state="failed")
    assert rb.lines("attempts") == ["1", "2", "3"]
    assert run["exit_code"] == 75 and "75" in run["reason"]


def test_retry_writes_on_to_what_its_earlier_attempt_left(runbookd):
    user = "nobody" if ROOT else pwd.getpwuid(os.geteuid()).pw_name
    rb = server(runbookd, 'echo "$RUNBOOK_ATTEMPT" >> "$RUNBOOK_ARTIFACTS/log" || exit 1\n[ "$RUNBOOK_ATTEMPT" = 3 ] || exit 75\n',
                conf={"worker": {"user": user}}, retries={"max": 2, "backoff": "100ms"}, idempotent=True)
    open_to_all(rb)
    rb.start()
    fire(rb)
    run = wait_for(lambda: next((r for r in rb.items("runs") if r["state"] in ("succeeded", "failed")), None), "its end")
    assert run["state"] == "succeeded", run
    assert rb.api("GET", f"/api/v1/runs/{run['id']}/artifacts/log").body == b"1\n2\n3\n"
    kept = rb.state_dir / "artifacts" / run["id"] / "log"
    assert kept.stat().st_uid == os.geteuid()


def test_death_by_a_signal_is_named(runbookd):
    rb = server(runbookd, "kill -SEGV $$\n").start()
    run = run_once(rb, state="failed")
    assert run["signal"] == signal.SIGSEGV and "SIGSEGV" in run["reason"] and run["exit_code"] is None


# ---- workers that go

ONCE = 'echo begun >> DIR/began\n[ "$RUNBOOK_ATTEMPT" = 2 ] || exec tail -f /dev/null DIR/hold\n'


def begun(rb):
    (rb.folder / "hold").touch()
    fire(rb)
    wait_for(lambda: processes_with(f"tail -f /dev/null {rb.folder}/hold"), "the runbook to begin")


def nothing_of_it_is_left(rb):
    wait_for(lambda: not processes_with(f"tail -f /dev/null {rb.folder}/hold"), "the runbook to be gone")


@pytest.mark.parametrize("idempotent", [True, False])
def test_run_of_a_worker_that_was_killed(runbookd, idempotent):
    rb = server(runbookd, ONCE, idempotent=idempotent).start()
    begun(rb)
    rb.kill9("worker")
    if idempotent:
        assert rb.wait_run(rule="go", state="succeeded")["attempt"] == 2
        assert len(rb.lines("began")) == 2
    else:
        assert "started again without it" in rb.wait_run(rule="go", state="lost")["reason"]
        assert len(rb.lines("began")) == 1
    nothing_of_it_is_left(rb)


@pytest.mark.parametrize("idempotent", [True, False])
def test_run_of_a_worker_that_is_told_to_stop(runbookd, idempotent):
    rb = server(runbookd, ONCE, idempotent=idempotent, conf={"worker": {"grace": "100ms"}}).start()
    begun(rb)
    os.kill(rb.pid("worker"), signal.SIGTERM)
    if idempotent:
        assert rb.wait_run(rule="go", state="succeeded")["attempt"] == 2
    else:
        run = rb.wait_run(rule="go", state="cancelled")
        assert run["reason"] == "worker stopping" and run["signal"] == signal.SIGTERM
        assert len(rb.lines("began")) == 1
    nothing_of_it_is_left(rb)


def test_worker_that_was_silent_too_long_loses_its_run(runbookd, leases):
    rb = server(runbookd, ONCE, idempotent=True, conf={"redis": leases.url, "worker": {"lease": "2s"}}).start()
    begun(rb)
    worker = rb.pid("worker")
    os.kill(worker, signal.SIGSTOP)
    wait_for(lambda: "cmd=blpop" not in leases.ask("CLIENT", "LIST"), "nothing to be under way to it")
    leases.over()
    rb.wait_run(rule="go", state="queued")
    os.kill(worker, signal.SIGCONT)
    run = rb.wait_run(rule="go", state="succeeded")
    assert run["attempt"] == 2 and rb.pid("worker") == worker
    nothing_of_it_is_left(rb)


def test_worker_waits_for_a_run_that_ends_within_its_grace(runbookd):
    rb = server(runbookd, "echo begun >> DIR/began\nuntil [ -e DIR/end ]; do sleep 0.02; done\n").start()
    fire(rb)
    wait_for(lambda: rb.lines("began"), "the runbook to begin")
    worker = rb.pid("worker")
    os.kill(worker, signal.SIGTERM)
    rb.logged("program=runbook-worker msg=stopping")
    fire(rb, instance="b")  # not for this one
    (rb.folder / "end").touch()
    runs = rb.wait_runs(lambda runs: [r["state"] for r in runs] == ["succeeded"] * 2, "both runs to succeed")
    assert [r["attempt"] for r in runs] == [1, 1]
    assert process_stat(worker) is None


def test_stopping_worker_waits_for_a_redis_that_is_slow(runbookd, folder):
    """One that is away is waited for five seconds only; this one is there, and takes a little longer."""
    redis = RedisServer(folder).start()
    try:
        rb = server(runbookd, "until [ -e DIR/end ]; do sleep 0.02; done\n", conf={"redis": redis.url, "worker": {"lease": "1h"}}).start()
        fire(rb)
        rb.wait_run(rule="go", state="running")
        redis.signal(signal.SIGSTOP)
        (rb.folder / "end").touch()
        os.kill(rb.pid("worker"), signal.SIGTERM)
        rb.logged("program=runbook-worker msg=stopping")
        rb.logged("run ended")
        slow = time.monotonic() + 6
        wait_for(lambda: time.monotonic() > slow, "Redis to have been slow")
        redis.signal(signal.SIGCONT)
        rb.wait_run(rule="go", state="succeeded")
        assert "stopping without redis" not in rb.log_text()
    finally:
        redis.signal(signal.SIGCONT)
        redis.kill()


@pytest.mark.parametrize("how", ["away", "takes nothing"])
def test_stopping_worker_leaves_what_nobody_takes(runbookd, folder, how):
    redis = RedisServer(folder).start()
    try:
        rb = server(runbookd, "until [ -e DIR/end ]; do sleep 0.02; done\n", conf={"redis": redis.url}).start()
        fire(rb)
        rb.wait_run(rule="go", state="running")
        worker = rb.pid("worker")
        if how == "away":
            redis.kill()
        else:
            assert redis.ask("CONFIG", "SET", "maxmemory", "1") == "OK"
        (rb.folder / "end").touch()
        rb.logged("run ended")
        os.kill(worker, signal.SIGTERM)
        rb.logged("stopping without redis", "runs=1")
        wait_for(lambda: process_stat(worker) is None, "the worker to be gone")
    finally:
        redis.kill()


def test_run_that_is_given_back_before_it_begins_is_no_attempt(runbookd, folder):
    """Redis hears at once that the worker waits no longer and that there is a run: so the worker is given it."""
    redis = RedisServer(folder).start()
    try:
        rb = server(runbookd, "echo begun >> DIR/began\nuntil [ -e DIR/end ]; do sleep 0.02; done\n", conf={"redis": redis.url}).start()
        fire(rb)
        wait_for(lambda: rb.lines("began"), "the runbook to begin")
        wait_for(lambda: "cmd=blpop" in redis.ask("CLIENT", "LIST"), "the worker to wait for another one")
        redis.signal(signal.SIGSTOP)
        os.kill(rb.pid("worker"), signal.SIGTERM)
        rb.logged("program=runbook-worker msg=stopping")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            other = pool.submit(fire, rb, instance="b")
            heard = time.monotonic() + 1
            wait_for(lambda: time.monotonic() > heard, "both to have been sent, most likely")
            redis.signal(signal.SIGCONT)
            other.result()
        (rb.folder / "end").touch()
        runs = rb.wait_runs(lambda runs: [r["state"] for r in runs] == ["succeeded"] * 2, "both runs to succeed")
        assert [r["attempt"] for r in runs] == [1, 1]
    finally:
        redis.signal(signal.SIGCONT)
        redis.kill()


def test_second_signal_ends_it_at_once(runbookd):
    rb = server(runbookd, "trap '' TERM\n" + ONCE, conf={"worker": {"grace": "1h"}}).start()
    begun(rb)
    worker = rb.pid("worker")
    os.kill(worker, signal.SIGTERM)
    rb.logged("program=runbook-worker msg=stopping")
    os.kill(worker, signal.SIGTERM)
    run = rb.wait_run(rule="go", state="cancelled")
    assert run["signal"] == signal.SIGKILL
    nothing_of_it_is_left(rb)


def test_result_waits_until_redis_is_back(runbookd, folder):
    redis = RedisServer(folder).start()
    try:
        rb = server(runbookd, "until [ -e DIR/end ]; do sleep 0.02; done\necho done\ntouch DIR/ended\n",
                    conf={"redis": redis.url, "worker": {"lease": "1h"}}).start()
        fire(rb)
        rb.wait_run(rule="go", state="running")
        redis.kill()
        (rb.folder / "end").touch()
        wait_for(lambda: (rb.folder / "ended").exists(), "the runbook to end")
        redis.start()
        rb.wait_ready()
        run = rb.wait_run(rule="go", state="succeeded")
        assert rb.output(run["id"]) == "done\n"
    finally:
        redis.kill()


# ---- not root


def test_without_root_everything_runs_as_itself(folder):
    """The whole of it as nobody, where this test is root; processes are held by a subreaper then."""
    rb = Runbookd(folder, rules=RULE, runbooks={"go.sh": script(
        'id -u; touch DIR/hold; (setsid tail -f /dev/null DIR/hold > /dev/null &)\n'
        'until pgrep -f "tail -f /dev/null DIR/hold" > DIR/up; do sleep 0.02; done\n', user="root")})
    rb.configure({"worker": {"user": "no-such-user"}})
    as_nobody = []
    if ROOT:
        as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        for path in [rb.folder, *rb.folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
    rb.process = spawn([*as_nobody, program("runbookd"), "-c", str(rb.conf_path)], rb.log, cwd=rb.folder, env=rb.environment())
    try:
        rb.wait_ready()
        run = run_once(rb, state="succeeded")
        assert rb.output(run["id"]) == f"{NOBODY if ROOT else os.geteuid()}\n"
        assert processes_with(f"tail -f /dev/null {rb.folder}/hold") == []
    finally:
        rb.close()
    assert not rb.sanitizer_findings(), rb.log_text()


# ---- the command line


def test_worker_checks_and_dumps_like_the_others(runbookd):
    rb = server(runbookd, "exit 0\n")
    assert rb.run_check("runbook-worker", "--check").returncode == 0
    dump = rb.run_check("runbook-worker", "--dump-config")
    assert dump.returncode == 0 and dump.stdout == rb.run_check("runbookd", "--dump-config").stdout
    assert rb.run_check("runbook-worker", "--version").stdout.startswith("runbook-worker ")
    assert rb.run_check("runbook-worker", "--nonsense").returncode == 2
    rb.conf_path.write_text("wroker: {}\n")
    bad = rb.run_check("runbook-worker", "--check")
    assert bad.returncode == 3 and ":1:1: " in bad.stderr and "'worker'" in bad.stderr


def test_one_worker_a_state_dir(runbookd):
    rb = server(runbookd, "exit 0\n").start()
    rb.logged("program=runbookd msg=ready")
    done = subprocess.run([program("runbook-worker"), "-c", str(rb.conf_path)], timeout=DEADLINE, capture_output=True, text=True,
                          env=rb.environment())
    assert done.returncode == 1 and f"process {rb.pid('worker')} holds" in done.stderr


@pytest.mark.parametrize("idempotent", [True, False])
def test_worker_of_the_same_name_elsewhere_takes_nothing(runbookd, leases, idempotent):
    """Two state_dirs on one Redis and one host: the later one waits until the earlier is gone for a lease."""
    conf = {"redis": leases.url, "worker": {"lease": "2s", "slots": 1}}
    text = "echo begun >> DIR/began\nuntil [ -e DIR/end ]; do sleep 0.02; done\n"
    first = server(runbookd, text, conf=conf, idempotent=idempotent).start()
    fire(first)
    wait_for(lambda: first.lines("began"), "the runbook to begin")
    second = server(runbookd, text.replace("DIR", str(first.folder)), conf=conf, idempotent=idempotent).start()
    second.logged("give this one another --name")
    (first.folder / "end").touch()
    run = first.wait_run(rule="go", state="succeeded")
    assert run["attempt"] == 1 and first.lines("began") == ["begun"]
    first.close()
    leases.over()
    fire(second, instance="b")
    second.wait_runs(lambda runs: [r["state"] for r in runs] == ["succeeded"] * 2, "the second worker to take over")
    assert first.lines("began") == ["begun"] * 2
    assert second.log_text().count("give this one another --name") == 1


def test_two_workers_by_name(runbookd):
    rb = server(runbookd, "exit 0\n").start()
    read, write = os.pipe()
    other = subprocess.Popen([program("runbook-worker"), "-c", str(rb.conf_path), "--name", "two", "--ready-fd", str(write)],
                             pass_fds=[write], stderr=subprocess.PIPE, env=rb.environment())
    try:
        os.close(write)
        assert os.read(read, 2) == b"r"
        other.terminate()
        assert other.wait(timeout=DEADLINE) == 0
    finally:
        os.close(read)
        kill_quietly(other.pid)
        other.communicate()
