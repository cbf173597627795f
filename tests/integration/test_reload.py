"""Configuration is taken whole or not at all, at start and at reload, and what is wrong is said with its place."""
import ctypes
import os
import re
import select
import signal
import signal
import threading

import pytest

from alerts import alert, notification
from harness import DEADLINE, wait_for
from many_rules import RUNBOOK, rule

IN_CLOSE_NOWRITE = 0x10  # of inotify
NOTE = """#!/bin/sh
# ---
# summary: Leaves its rule's name
# kind: diagnose
# ---
echo "$RUNBOOK_RULE" >> DIR/ran
"""
OLD = "rules:\n  - name: old\n    match: 'alertname = \"X\"'\n    steps: [{runbook: note}]\n"
NEW = OLD.replace("old", "new")
BROKEN = {
    "syntax": (OLD + "  - name: [\n", None),
    "unknown key": (OLD + "    cooldwon: 5m\n", (5, 5)),
    "bad matcher": (OLD.replace('= "X"', '=~ "("'), (3, None)),
    "no such runbook": (OLD.replace("note", "nothing"), (4, None)),
}


@pytest.fixture
def server(runbookd):
    return runbookd(rules=OLD, runbooks={"note.sh": NOTE})


def rule_names(rb):
    return [r["name"] for r in rb.get("/api/v1/rules")["items"]]


def places(text):
    return [(int(line), int(column)) for line, column in re.findall(r"rules/test\.yml:(\d+):(\d+): \S", text)]


def check_place(text, where):
    found = places(text)
    assert found, text
    if where:
        assert any(line == where[0] and where[1] in (None, column) for line, column in found), text


def fire(rb, instance):
    return rb.post_alertmanager(notification([alert({"alertname": "X", "instance": instance})]))


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_rules_at_reload_change_nothing(server, kind):
    server.start()
    text, where = BROKEN[kind]
    server.write_rules(text)
    answer = server.api("POST", "/-/reload")
    assert 400 <= answer.status < 500, answer
    check_place(answer.json()["detail"], where)
    assert server.metric("runbookd_config_reload_success") == 0
    assert rule_names(server) == ["old"]
    assert [d["rule"] for d in fire(server, "a")["decisions"]] == ["old"]

    server.write_rules(NEW)
    assert server.api("POST", "/-/reload").status == 200
    assert server.metric("runbookd_config_reload_success") == 1
    assert rule_names(server) == ["new"]
    assert [d["rule"] for d in fire(server, "b")["decisions"]] == ["new"]
    server.wait_settled()
    assert sorted(server.lines("ran")) == ["new", "old"]


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_rules_at_start_are_exit_3(server, kind):
    text, where = BROKEN[kind]
    server.write_rules(text)
    for program in ("runbookd", "runbook-bridge", "runbook-worker"):
        check = server.run_check(program, "--check")
        assert check.returncode == 3, (program, check)
        check_place(check.stdout + check.stderr, where)
    server.spawn()
    assert server.process.wait(timeout=DEADLINE) == 3
    check_place(server.log_text(), where)


def test_all_errors_of_the_rules_at_once_with_the_nearest_name(server):
    server.write_rules({"test.yml": OLD + "    cooldwon: 5m\n  - nmae: two\n", "other.yml": OLD.replace("note", "nothing")})
    check = server.run_check("runbookd", "--check")
    text = check.stdout + check.stderr
    assert check.returncode == 3
    assert "'cooldown'" in text and "'name'" in text, text
    assert len(places(text)) >= 2 and "rules/other.yml:4:" in text, text


def test_all_errors_of_the_configuration_at_once_with_the_nearest_name(server):
    server.configure({"htpt": {}, "incidents": {"retention": "soon"}, "limits": {"queu": 1}})
    check = server.run_check("runbookd", "--check")
    text = check.stdout + check.stderr
    assert check.returncode == 3
    assert "'http'" in text and "'queue'" in text and "soon" in text, text
    assert len(re.findall(r"^\S*runbookd\.yml:\d+:\d+: \S", text, re.M)) == 3, text


def test_sighup_reloads(server):
    server.start()
    server.write_rules(NEW)
    os.kill(server.process.pid, signal.SIGHUP)
    wait_for(lambda: rule_names(server) == ["new"], "the new rules after SIGHUP")


def test_changed_file_is_taken_by_itself(server):
    server.start()
    server.write_rules(NEW)
    wait_for(lambda: rule_names(server) == ["new"], "the new rules after the file changed")


def inotify(path, mask):
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    assert libc.inotify_add_watch(fd, os.fsencode(path), mask) >= 0, os.strerror(ctypes.get_errno())
    return os.fdopen(fd, "rb")


def test_file_of_a_new_folder_that_changes_while_others_are_read(server):
    """The folder is not watched before the configuration that names it is in force."""
    server.write_runbook("nothing.sh", RUNBOOK)
    server.start()
    new = server.folder / "more"
    new.mkdir()
    (new / "a.yml").write_text(OLD)
    (new / "many.yml").write_text("rules:\n" + "".join(rule(1, i) for i in range(5000)))
    with inotify(new / "a.yml", IN_CLOSE_NOWRITE) as was_read:
        server.configure({"rules": ["more/*.yml"]})
        assert select.select([was_read], [], [], DEADLINE)[0], "nobody read a.yml"
        (new / "a.yml").write_text(NEW)
    wait_for(lambda: server.get("/api/v1/rules", limit=1)["items"][0]["name"] == "new",
             "the rules that were written while the others were read")


def start_with_many(server):
    """test.yml's rule, and so many that reading them takes a while."""
    server.write_rules({"z-many.yml": "rules:\n" + "".join(rule(1, i) for i in range(10000))})
    server.write_runbook("nothing.sh", RUNBOOK)
    server.start()


def test_half_written_file_is_not_taken(server):
    """Files that change while a reload by itself reads them are read again, once they are left alone."""
    start_with_many(server)
    file = server.folder / "rules" / "test.yml"
    with inotify(file, IN_CLOSE_NOWRITE) as was_read:
        file.write_text("")  # as an editor does before it writes
        assert select.select([was_read], [], [], DEADLINE)[0], "nobody read test.yml"
        file.write_text(NEW)
    wait_for(lambda: server.get("/api/v1/rules", limit=1)["items"][0]["name"] == "new", "the rules as they were written")
    assert server.log_text().count("msg=reloaded") == 1, "what was half written was in force"


def test_part_that_finds_a_half_written_file_is_started_again(server):
    """runbookd has read the whole one: what its worker finds meanwhile is no reason to stop."""
    server.configure({"worker": {"enabled": False}})
    server.start()
    server.configure({"worker": {"enabled": True}})
    text = server.conf_path.read_text()
    with inotify(server.conf_path, IN_CLOSE_NOWRITE) as was_read:
        server.process.send_signal(signal.SIGHUP)
        assert select.select([was_read], [], [], DEADLINE)[0], "nobody read runbookd.yml"
        server.conf_path.write_text(text[:len(text) // 2])
        wait_for(lambda: server.pids("worker") or server.logged("part=runbook-worker"), "a worker to be started")
    server.write(server.conf_path, text)
    server.logged("worker started")
    assert server.process.poll() is None


def test_file_that_is_always_written_does_not_hold_reloads_up(server):
    start_with_many(server)
    server.write_rules(NEW)
    over = threading.Event()

    def touch():
        while not over.wait(0.02):
            (server.folder / "rules" / "notes.txt").write_text("more")
    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        wait_for(lambda: server.get("/api/v1/rules", limit=1)["items"][0]["name"] == "new",
                 "the new rules beside a file that is always written")
    finally:
        over.set()
        toucher.join()


def test_dump_is_configuration_and_gives_itself(server):
    dump = server.run_check("runbookd", "--dump-config")
    assert dump.returncode == 0, dump
    server.conf_path.write_text(dump.stdout)
    again = server.run_check("runbookd", "--dump-config")
    assert (again.returncode, again.stdout) == (0, dump.stdout)
    assert server.run_check("runbookd", "--check").returncode == 0
