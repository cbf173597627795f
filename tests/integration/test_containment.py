"""A runbook that will not end, hides from its group or prints without end is held by the worker."""
from alerts import alert, notification
from harness import memory_bound, memory_kb, processes_with, wait_for

RULES = """
rules:
  - name: wild
    match: 'alertname = "Wild"'
    steps: [{runbook: wild}]
"""
WILD = """#!/bin/sh
# ---
# summary: Ignores TERM, leaves a daemon behind, prints for ever
# kind: diagnose
# timeout: 8s
# grace: 1s
# output_limit: 64KiB
# ---
trap '' TERM
touch DIR/hold
(setsid sh -c 'trap "" TERM HUP; exec tail -f DIR/hold' &)
echo begun
yes 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz
"""
LOUD = """#!/bin/sh
# ---
# summary: Prints 1 GB and ends well
# kind: diagnose
# timeout: 5m
# output_limit: 64KiB
# ---
echo begun
yes 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz | head -c 1000000000
"""
LONG_LINE = LOUD.replace("yes 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz", "tr '\\\\0' x < /dev/zero")
GROWTH_KB = 32 * 1024


def trigger(rb):
    rb.post_alertmanager(notification([alert({"alertname": "Wild", "instance": "a"})]))


def check_output_is_capped(rb, run):
    text = rb.output(run["id"])
    assert text.startswith("begun\n")
    assert len(text) < 80 * 1024
    assert "output" in text[-300:] and "64" in text[-300:], text[-300:]


def test_stubborn_runbook_is_gone_after_timeout_and_grace(runbookd):
    rb = runbookd(rules=RULES, runbooks={"wild.sh": WILD}).start()
    worker = rb.pid("worker")
    before = memory_kb(worker, "VmHWM")
    trigger(rb)
    hold = str(rb.folder / "hold")
    wait_for(lambda: processes_with(f"tail -f {hold}"), "the runbook's daemon to be there")
    run = rb.wait_run(rule="wild", state="timed_out")
    assert run["reason"]
    assert processes_with(str(rb.folder / "runbooks")) == []
    assert processes_with(hold) == []
    check_output_is_capped(rb, run)
    assert rb.pid("worker") == worker
    assert memory_kb(worker, "VmHWM") - before < memory_bound(GROWTH_KB)


def test_a_gigabyte_of_lines(runbookd):
    rb = runbookd(rules=RULES, runbooks={"wild.sh": LOUD}).start()
    gigabyte(rb)


def test_a_gigabyte_without_a_newline(runbookd):
    rb = runbookd(rules=RULES, runbooks={"wild.sh": LONG_LINE}).start()
    gigabyte(rb)


def gigabyte(rb):
    worker, bridge = rb.pid("worker"), rb.pid("bridge")
    before = [memory_kb(p, "VmHWM") for p in (worker, bridge)]
    trigger(rb)
    run = rb.wait_run(rule="wild", state="succeeded", deadline=200)
    check_output_is_capped(rb, run)
    assert (rb.pid("worker"), rb.pid("bridge")) == (worker, bridge)
    after = [memory_kb(p, "VmHWM") for p in (worker, bridge)]
    assert all(b - a < memory_bound(GROWTH_KB) for a, b in zip(before, after)), (before, after)
