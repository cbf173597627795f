"""The main job on real input: a full disk, seen by Prometheus, fired by Alertmanager, diagnosed, repaired, resolved."""
import pytest

from chain import Chain, small_disk
from harness import wait_for

RULES = """
rules:
  - name: disk-full
    match: 'alertname = "HostOutOfDiskSpace", mountpoint =~ "DIR/.+"'
    steps:
      - runbook: look-at-disk
        with: {path: "{{ labels.mountpoint }}"}
      - runbook: free-disk
        with: {path: "{{ labels.mountpoint }}"}
"""
LOOK = """#!/bin/sh
# ---
# summary: Shows what fills a folder
# kind: diagnose
# params:
#   path: {type: string, required: true}
# ---
ls -l "$PARAM_path"
"""
FREE = """#!/bin/sh
# ---
# summary: Drops old logs
# kind: remediate
# params:
#   path: {type: string, required: true, pattern: "^DIR/disk$"}
# ---
set -e
rm -f "$PARAM_path"/old-*.log
echo "freed $PARAM_path"
"""


@pytest.fixture
def disk(folder):
    made = small_disk(folder)
    yield made
    made.close()


@pytest.fixture
def chain(folder, disk, runbookd, request):
    rb = runbookd(rules=RULES.replace("DIR", str(folder)),
                  runbooks={"look-at-disk.sh": LOOK, "free-disk.sh": FREE.replace("DIR", str(folder))})
    rb.start()
    alerts = [{"alert": "HostOutOfDiskSpace", "expr": disk.full_expression, "labels": {"severity": "critical"},
               "annotations": {"summary": "Disk {{ $labels.mountpoint }} is almost full"}}]
    chain = Chain(folder, alerts, f"http://{rb.address}/ingest/alertmanager")
    request.node.logs += chain.logs
    chain.rb = rb
    yield chain.start()
    chain.close()


def test_full_disk_is_diagnosed_repaired_and_resolved(chain, disk):
    rb = chain.rb
    for n in range(7):
        (disk.path / f"old-{n}.log").write_bytes(b"x" * ((1 << 20) + (1 << 16)))
    disk.measure()

    look = rb.wait_run(runbook="look-at-disk", state="succeeded")
    free = rb.wait_run(runbook="free-disk", state="succeeded")
    assert "old-0.log" in rb.output(look["id"])
    assert rb.output(free["id"]) == f"freed {disk.path}\n"
    assert free["params"] == {"path": str(disk.path)}
    assert look["finished"] <= free["started"]
    assert list(disk.path.iterdir()) == []
    disk.measure()

    def resolved():
        return [i["status"] for i in rb.items("incidents")] == ["resolved"]
    wait_for(resolved, "Prometheus to see the space and Alertmanager to say so")
    [alert] = rb.items("alerts")
    assert alert["status"] == "resolved" and alert["severity"] == "critical"
    assert alert["summary"] == f"Disk {disk.path} is almost full"
    assert len(rb.items("runs")) == 2

    incident = rb.items("incidents")[0]["id"]
    assert "free-disk" in rb.ctl("incidents", "show", incident).stdout
    assert f"freed {disk.path}" in rb.ctl("runs", "output", free["id"]).stdout
