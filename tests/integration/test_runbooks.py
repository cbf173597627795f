"""The shipped configuration, rules and runbooks: accepted, chosen by the alerts they are for, and doing what they say.

Through the real worker; only what needs another machine's parts (a systemd, a sick receiver) runs the script itself.
"""
import gzip
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from alerts import alert, notification
from harness import DEADLINE

TOP = Path(__file__).resolve().parent.parent.parent
RUNBOOKS = sorted((TOP / "runbooks").glob("*.sh"))
HOST = os.uname().nodename
LINE = b"2026-01-31T12:00:00Z INFO shop.checkout order accepted status=200\n"

# rule: (labels beside alertname and instance, alert names, params of the first step)
RULES = {
    "disk-diagnose": ({"mountpoint": "/srv"}, "HostOutOfDiskSpace HostOutOfInodes HostDiskMayFillIn24Hours HostInodesMayFillIn24Hours"
                      " NodeFilesystemAlmostOutOfSpace NodeFilesystemAlmostOutOfFiles NodeFilesystemSpaceFillingUp"
                      " NodeFilesystemFilesFillingUp", {"path": "/srv"}),
    "memory-diagnose": ({}, "HostOutOfMemory HostMemoryUnderMemoryPressure HostSwapIsFillingUp HostOomKillDetected"
                        " ProcessExporterHighMemoryUsage ProcessExporterHighSwapUsage NodeMemoryHighUtilization", {}),
    "cpu-diagnose": ({}, "HostHighCpuLoad HostCpuLoadSaturation HostCpuStealNoisyNeighbor HostCpuHighIowait"
                     " HostContextSwitchingHigh ProcessExporterHighCpuUsage NodeCPUHighUsage NodeSystemSaturation", {}),
    "disk-io-diagnose": ({}, "HostUnusualDiskIo HostUnusualDiskReadLatency HostUnusualDiskWriteLatency HostDiskIoSaturation"
                         " NodeDiskIOSaturation ProcessExporterHighDiskWriteIo", {}),
    "network-diagnose": ({"device": "eth0"}, "HostUnusualNetworkThroughputIn HostUnusualNetworkThroughputOut HostNetworkReceiveErrors"
                         " HostNetworkTransmitErrors HostNetworkBondDegraded HostConntrackLimit NodeNetworkReceiveErrs"
                         " NodeNetworkTransmitErrs NodeNetworkInterfaceFlapping NodeHighNumberConntrackEntriesUsed", {"device": "eth0"}),
    "systemd-socket-diagnose": ({}, "SystemdSocketHighConnections SystemdSocketRefusedConnections", {"device": "any"}),
    "systemd-diagnose": ({"name": "nginx.service"}, "HostSystemdServiceCrashed HostSystemdServiceCrashLooping SystemdUnitFailed"
                         " SystemdUnitInactive SystemdServiceCrashLooping SystemdTimerMissedTrigger NodeSystemdServiceFailed",
                         {"unit": "nginx.service", "lines": "40"}),
    "container-memory-diagnose": ({}, "ContainerHighMemoryUsage ContainerKilled", {}),
    "containers-diagnose": ({}, "ContainerAbsent ContainerVolumeUsage", {"container": "", "lines": "40"}),
    "container-cpu-diagnose": ({}, "ContainerHighCpuUtilization ContainerHighThrottleRate", {}),
    "container-volume-diagnose": ({}, "ContainerVolumeUsage", {"path": "/"}),
}
# What changes something is shipped as dry_run: those that decide at once. The others wait first: test_shipped.py.
CHANGING = {"disk-free-logs": {"alertname": "HostOutOfDiskSpace", "mountpoint": "/var/log"},
            "redis-save": {"alertname": "RedisMissingBackup"}}


@pytest.fixture
def shipped(runbookd):
    """A runbookd with the shipped runbooks, and with the shipped rules where they are wanted."""
    def make(rules="rules: []\n", **options):
        rb = runbookd(rules=rules, **options)
        for path in RUNBOOKS:
            (rb.folder / "runbooks" / path.name).write_text(path.read_text())
            (rb.folder / "runbooks" / path.name).chmod(0o755)
        return rb
    return make


@pytest.fixture
def shipped_rules(shipped):
    rb = shipped(rules={p.name: p.read_text() for p in (TOP / "rules").glob("*.yml")}, conf={"worker": {"pools": ["default"]}})
    rb.start()
    return rb


def run(rb, runbook, state="succeeded", **params):
    """Runs a runbook by hand; its run and its output."""
    answer = rb.api("POST", "/api/v1/runs", {"runbook": runbook, "params": params})
    assert answer.status in (200, 201, 202), answer
    done = rb.wait_run(id=answer.json()["id"], state=state)
    return done, rb.output(done["id"])


def by_hand(runbook, stdin="", path=None, **env):
    """The script itself, with an environment as the worker would give it."""
    base = {"PATH": path or os.environ["PATH"], "RUNBOOK_RUN": "run-1", "RUNBOOK_RULE": "rule-1", "RUNBOOK_INCIDENT": "incident-1"}
    return subprocess.run([str(TOP / "runbooks" / f"{runbook}.sh")], input=stdin, env={**base, **env}, timeout=DEADLINE,
                          capture_output=True, text=True)


def artifact(rb, done, name):
    answer = rb.api("GET", f"/api/v1/runs/{done['id']}/artifacts/{name}")
    assert answer.status == 200, answer
    return answer.text


# ---- configuration and rules

def test_shipped_configuration_is_accepted(shipped):
    rb = shipped(rules={p.name: p.read_text() for p in (TOP / "rules").glob("*.yml")})
    shutil.copy(TOP / "contrib" / "runbookd.yml", rb.conf_path)
    done = rb.run_check("runbookd", "--check")
    assert done.returncode == 0, done
    assert "error" not in done.stderr + done.stdout


def test_all_rules_and_runbooks_are_loaded(shipped_rules):
    files = [p for p in (TOP / "rules").glob("*.yml") if not p.name.endswith(".test.yml")]
    written = {m for p in files for m in re.findall(r"^  - name: (\S+)$", p.read_text(), re.M)}
    rules = {r["name"] for r in shipped_rules.get("/api/v1/rules?limit=1000")["items"]}
    assert rules == written and rules > set(RULES) | set(CHANGING) and len(rules) > 50
    runbooks = {r["name"] for r in shipped_rules.get("/api/v1/runbooks?limit=1000")["items"]}
    assert runbooks == {p.stem for p in RUNBOOKS} and len(runbooks) == 26


@pytest.mark.parametrize("rule", RULES)
def test_alerts_choose_their_rule_and_wait_for_the_host_they_mean(shipped_rules, rule):
    labels, names, params = RULES[rule]
    for i, name in enumerate(names.split()):
        # A host of its own each, because of the cooldown; none of them has a worker.
        host = f"host-{i}.example.com"
        answer = shipped_rules.post_alertmanager(notification([alert({"alertname": name, "instance": f"{host}:9100", **labels})]))
        decided = {d["rule"]: d for d in answer["decisions"]}
        assert decided[rule]["decision"] == "run", (name, answer)
        waiting = shipped_rules.get(f"/api/v1/runs/{decided[rule]['run']}")
        assert (waiting["state"], waiting["pool"]) == ("queued", f"host:{host}")
        assert waiting["params"] == params


@pytest.mark.parametrize("rule", CHANGING)
def test_what_changes_something_is_only_noted(shipped_rules, rule):
    answer = shipped_rules.post_alertmanager(notification([alert({"instance": f"{HOST}:9100", **CHANGING[rule]})]))
    assert {d["rule"]: d["decision"] for d in answer["decisions"]}[rule] == "dry_run"


def test_alerts_that_name_no_host_start_nothing(shipped_rules):
    names = [n for _, names, _ in RULES.values() for n in names.split()] + ["Watchdog"]
    answer = shipped_rules.post_alertmanager(notification([alert({"alertname": n, "name": "x.service", "mountpoint": "/"}) for n in names]))
    assert answer["decisions"] == []


# ---- diagnosis

def test_disk_usage_names_what_fills_the_disk(shipped, folder):
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "deep" / "big file.bin").write_bytes(os.urandom(4 << 20))
    (folder / "data" / "small.bin").write_bytes(b"x" * 100)
    (folder / "data" / "link").symlink_to("/usr")
    gone = folder / "gone.log"
    rb = shipped().start()
    with open(gone, "wb") as still_open:
        still_open.write(os.urandom(8 << 20))
        still_open.flush()
        gone.unlink()
        done, output = run(rb, "disk-usage", path=str(folder / "data"))
    headline = output.splitlines()[0]
    assert f" on {HOST} is " in headline and "% full: " in headline
    assert "big file.bin" in output and str(folder / "data" / "deep") in output
    assert f"{gone} (deleted)" in output
    assert "/usr/" not in artifact(rb, done, "files.txt")
    assert {a["name"] for a in done["artifacts"]} == {"folders.txt", "files.txt", "deleted-open.txt", "mounts.txt"}


def test_disk_usage_of_what_is_not_here_asks_about_the_host(shipped):
    rb = shipped().start()
    done, output = run(rb, "disk-usage", state="failed", path="/no/such/mount")
    assert done["exit_code"] == 1
    assert output == f"cannot look at '/no/such/mount': it does not exist on {HOST}; is this the host that the alert is about?\n"


@pytest.mark.parametrize("runbook, headline, artifacts", [
    ("memory-usage", f"memory of {HOST} is ", {"processes.txt", "meminfo.txt"}),
    ("cpu-load", f"CPUs of {HOST} are ", {"processes.txt"}),
    ("network-sockets", f"{HOST} has ", {"sockets.txt", "counters.txt"}),
])
def test_diagnosis_of_this_host(shipped, runbook, headline, artifacts):
    rb = shipped().start()
    done, output = run(rb, runbook)
    assert output.startswith(headline), output
    assert {a["name"] for a in done["artifacts"]} == artifacts
    assert "not found" not in output and "error:" not in output, output


def test_network_sockets_shows_one_interface(shipped):
    rb = shipped().start()
    assert "\nInterface lo\n" in run(rb, "network-sockets", device="lo")[1]
    assert "there is no such interface" in run(rb, "network-sockets", device="nix0")[1]


@pytest.mark.parametrize("runbook", ["disk-usage", "memory-usage", "cpu-load", "network-sockets"])
def test_diagnosis_with_only_the_minimal_system(folder, runbook):
    """Without what a minimal Debian lacks: no ps, ss, free, top, lsof, curl, python, systemd."""
    for name in ("sh awk cat date df dmesg du find getconf grep head id ls mktemp nice numfmt printf readlink sed sleep sort stat"
                 " tail timeout tr uname xargs").split():
        (folder / name).symlink_to(shutil.which(name))
    done = by_hand(runbook, path=str(folder), PARAM_path=str(folder))
    assert (done.returncode, done.stderr) == (0, ""), done
    assert HOST in done.stdout.splitlines()[0]


# ---- services

FAKE_SYSTEMCTL = """#!/bin/sh
# Answers as systemd would for the units in the folder of this script; notes what it was told to do.
folder=${0%/*}; command=$1; property=; value=; unit=
for word; do
	case $word in --property=*) property=${word#*=} ;; --value) value=yes ;; esac
	unit=$word
done
[ "$property" = Version ] && { echo 252; exit 0; }
case $command in
show)
	[ -f "$folder/$unit.unit" ] || { printf '%s\\n' "${value:-LoadState=}not-found"; exit 0; }
	if [ -n "$value" ]; then sed -n "s/^$property=//p" "$folder/$unit.unit"; else cat "$folder/$unit.unit"; fi ;;
restart) echo "$command $unit" >>"$folder/done"; sed -i 's/^ActiveState=.*/ActiveState=active/; s/^MainPID=.*/MainPID=77/' "$folder/$unit.unit"
	if grep -q DIES "$folder/$unit.unit"; then sleep 1.1; sed -i 's/^ActiveState=.*/ActiveState=failed/' "$folder/$unit.unit"; fi
	! grep -q BROKEN "$folder/$unit.unit" ;;
*) echo "$command $unit" >>"$folder/done" ;;
esac
"""
FAKE_JOURNALCTL = "#!/bin/sh\nprintf 'started \\033[31mred\\n'\n"


@pytest.fixture
def systemd(folder):
    """A folder for PATH with a systemctl and a journalctl that are not real."""
    def unit(name, *lines):
        state = {"LoadState": "loaded", "ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "ExecMainStatus": "3",
                 "MainPID": "0", "NRestarts": "2", "Type": "simple", "Names": name}
        state.update(line.split("=", 1) for line in lines)
        (folder / f"{name}.unit").write_text("".join(f"{k}={v}\n" for k, v in state.items()))
    for name, text in (("systemctl", FAKE_SYSTEMCTL), ("journalctl", FAKE_JOURNALCTL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    unit.path = f"{folder}:{os.environ['PATH']}"
    unit.done = lambda: (folder / "done").read_text().splitlines() if (folder / "done").exists() else []
    return unit


def test_service_status_says_why_it_failed(systemd):
    systemd("nginx.service")
    done = by_hand("service-status", path=systemd.path, PARAM_unit="nginx")
    assert done.returncode == 0, done
    assert done.stdout.startswith(f"nginx.service on {HOST} is failed (failed)")
    assert "it ended with exit status 3\n" in done.stdout and "systemd restarted it 2 times\n" in done.stdout
    assert "started ?[31mred" in done.stdout


def test_service_status_of_an_unknown_unit_fails(systemd):
    done = by_hand("service-status", path=systemd.path, PARAM_unit="nix.service")
    assert (done.returncode, done.stdout) == (
        1, f"there is no unit 'nix.service' on {HOST}; is this the host that the alert is about?\n")


def test_restart_service_restarts_and_looks_again(systemd):
    systemd("nginx.service")
    done = by_hand("restart-service", path=systemd.path, PARAM_unit="nginx.service", PARAM_stable="1")
    assert done.returncode == 0, done
    assert done.stdout.startswith(f"restarted nginx.service on {HOST}: it was failed (failed), main process 0; it is active")
    assert systemd.done() == ["reset-failed nginx.service", "restart nginx.service"]


def test_restart_service_that_does_not_start_fails(systemd):
    systemd("nginx.service", "Description=BROKEN")
    done = by_hand("restart-service", path=systemd.path, PARAM_unit="nginx.service", PARAM_stable="1")
    assert done.returncode == 1 and "restart of nginx.service" in done.stdout and "FAILED" in done.stdout


def test_restart_service_looks_after_a_restart_that_took_long(systemd):
    systemd("nginx.service", "Description=DIES")
    done = by_hand("restart-service", path=systemd.path, PARAM_unit="nginx.service", PARAM_stable="1")
    assert done.returncode == 1 and "did not stay up: it is failed" in done.stdout, done


@pytest.mark.parametrize("unit", ["dbus", "ssh.service", "systemd-journald.service", "getty@tty1.service", "user@0.service",
                                  "runbookd.service", "messages.service", "nginx.socket", "--force", "a;b", "", "masked"])
def test_restart_service_refuses_what_the_machine_needs(systemd, unit):
    systemd("messages.service", "Names=messages.service dbus.service")
    systemd("masked.service", "LoadState=masked")
    for name in ("dbus", "ssh", "systemd-journald", "getty@tty1", "user@0", "runbookd"):
        systemd(f"{name}.service")
    done = by_hand("restart-service", path=systemd.path, PARAM_unit=unit)
    assert done.returncode == 1 and done.stdout.startswith("refusing '"), done
    assert systemd.done() == []


def test_restart_service_does_what_an_administrator_allows(systemd):
    systemd("ssh.service")
    done = by_hand("restart-service", path=systemd.path, PARAM_unit="ssh.service", PARAM_stable="1", RESTART_SERVICE_ALLOW="ssh.service")
    assert done.returncode == 0, done


def test_a_unit_from_a_label_is_data(shipped):
    rules = """
rules:
  - name: look
    match: 'alertname = "Down"'
    steps: [{runbook: service-status, with: {unit: "{{ labels.name }}"}}]
"""
    rb = shipped(rules=rules).start()
    for name in ("$(touch /tmp/x)", "a;b", "-a", "a b", "x\ny.service"):
        answer = rb.post_alertmanager(notification([alert({"alertname": "Down", "name": name})]))
        assert [d["decision"] for d in answer["decisions"]] == ["error"], answer
        assert "unit" in answer["decisions"][0]["reason"]


# ---- logs

@pytest.fixture
def logs(folder, monkeypatch):
    """A folder that rotate-logs may work in."""
    path = folder / "log"
    path.mkdir(mode=0o755)
    monkeypatch.setenv("ROTATE_LOGS_ROOTS", str(path))
    return path


def big(path, size=2 << 20, age=0):
    path.write_bytes(LINE * (size // len(LINE)))
    if age:
        when = path.stat().st_mtime - age
        os.utime(path, (when, when))
    return path.read_bytes()


def test_rotate_logs_empties_a_log_in_use_and_keeps_its_lines(shipped, logs):
    (logs / "shop").mkdir()
    log = logs / "shop" / "checkout.log"
    before = big(log)
    log.chmod(0o640)
    inode = log.stat().st_ino
    rb = shipped().start()
    with open(log, "ab", buffering=0) as writer:
        done, output = run(rb, "rotate-logs", path=str(logs), min_size="1MiB")
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n" and log.stat().st_ino == inode
    [copy] = logs.glob("shop/checkout.log-*.gz")
    assert gzip.decompress(copy.read_bytes()) == before
    assert copy.stat().st_mode & 0o777 == 0o640
    assert output.startswith("freed ") and f"emptied {log}, 2.0M; kept as {copy.name}" in output
    assert [a["name"] for a in done["artifacts"]] == ["report.txt"]


def test_rotate_logs_keeps_what_is_new_open_small_or_no_log(shipped, logs, folder):
    day = 86400
    outside = folder / "outside.log"
    texts = {outside: big(outside)}
    (logs / "link.log").symlink_to(outside)
    (logs / "linked").symlink_to(folder)
    for name, size, age in (("small.log", 1000, 0), ("data.db", 2 << 20, 0), ("wtmp", 2 << 20, 9 * day), ("app.log.1.gz", 900, 0)):
        texts[logs / name] = big(logs / name, size, age)
    (logs / "journal").mkdir()
    texts[logs / "journal" / "system.log"] = big(logs / "journal" / "system.log")
    os.mkfifo(logs / "pipe.log")
    for n in range(2, 7):
        big(logs / f"app.log.{n}.gz", 1000, n * day)
    texts[logs / "open.log.1"] = big(logs / "open.log.1", 5000, 2 * day)
    rotated = big(logs / "app.log.7", 300000, day // 2)
    rb = shipped().start()
    with open(logs / "open.log.1", "rb"):
        _, output = run(rb, "rotate-logs", path=str(logs), min_size="1MiB", keep=3)
    for path, text in texts.items():
        assert path.read_bytes() == text, path
    assert (logs / "pipe.log").is_fifo() and (logs / "link.log").is_symlink()
    # Newest first: .1.gz, .7 (half a day), .2.gz (two days) are kept, the older ones go.
    assert sorted(p.name for p in logs.glob("app.log.*")) == ["app.log.1.gz", "app.log.2.gz", "app.log.7.gz"]
    assert gzip.decompress((logs / "app.log.7.gz").read_bytes()) == rotated
    assert "emptied 0, compressed 1, deleted 4, left alone 1, failed 0" in output


def test_rotate_logs_twice_does_nothing_more(shipped, logs):
    big(logs / "app.log")
    rb = shipped().start()
    run(rb, "rotate-logs", path=str(logs), min_size="1MiB")
    names = sorted(p.name for p in logs.iterdir())
    _, output = run(rb, "rotate-logs", path=str(logs), min_size="1MiB")
    assert output.startswith("nothing to free") and sorted(p.name for p in logs.iterdir()) == names


def test_rotate_logs_refuses_other_folders(shipped, logs, folder):
    (folder / "log2").mkdir()
    (logs / "out").symlink_to(folder / "log2")
    (logs / "file.log").write_text("x")
    rb = shipped().start()
    for path in (folder / "log2", folder, logs / "out", logs / ".." / "log2", "/etc", logs / "file.log"):
        _, output = run(rb, "rotate-logs", state="failed", path=str(path))
        assert output.startswith(f"refusing '{path}'"), output


def test_rotate_logs_keeps_off_where_others_could_lead_it_astray(shipped, logs):
    shared = logs / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    text = big(shared / "app.log")
    rb = shipped().start()
    _, output = run(rb, "rotate-logs", path=str(logs), min_size="1MiB")
    if os.geteuid() == 0:
        assert f"left alone: {shared}/app.log (others may change its folder)" in output
        assert (shared / "app.log").read_bytes() == text
    else:
        assert (shared / "app.log").read_bytes() == b""


def test_rotate_logs_dry_run_changes_nothing(logs):
    text = big(logs / "app.log")
    done = by_hand("rotate-logs", RUNBOOK_DRY_RUN="1", PARAM_path=str(logs), PARAM_min_size="1MiB", ROTATE_LOGS_ROOTS=str(logs))
    assert done.returncode == 0 and "would copy" in done.stdout, done
    assert [p.name for p in logs.iterdir()] == ["app.log"] and (logs / "app.log").read_bytes() == text


# ---- notices

class Receiver(http.server.ThreadingHTTPServer):
    """Takes webhooks; answers `status`."""

    def __init__(self):
        self.status, self.got = 200, []
        super().__init__(("127.0.0.1", 0), self.Handler)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.got.append((self.path, dict(self.headers), body))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def receiver():
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def secret(path, text):
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def test_notify_webhook_sends_what_runbooks_get(shipped, receiver):
    rules = """
rules:
  - name: tell
    match: 'alertname = "Down"'
    steps: [{runbook: notify-webhook, with: {url: "URL/hook?x=1"}}]
""".replace("URL", receiver.url)
    rb = shipped(rules=rules).start()
    rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": "web-1", "odd": "\"\n$(id)"})]))
    done = rb.wait_run(runbook="notify-webhook", state="succeeded")
    [(path, headers, body)] = receiver.got
    sent = json.loads(body)
    assert path == "/hook?x=1" and headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == done["id"] == sent["run"]["id"]
    assert sent["event"]["labels"]["odd"] == "\"\n$(id)"
    assert sent["incident"]["id"] == done["incident"]
    assert "hook" not in rb.output(done["id"]) and done["artifacts"] == []


def test_notify_webhook_chat_keeps_address_and_token_to_itself(receiver, folder):
    files = {"PARAM_url_file": secret(folder / "url", f"{receiver.url}/s3cret"), "PARAM_token_file": secret(folder / "token", "t0ken")}
    done = by_hand("notify-webhook", PARAM_format="chat", PARAM_text="a \"b\" \\ c\n\td\x1b[31m \u00fc", **files)
    assert done.returncode == 0, done
    [(path, headers, body)] = receiver.got
    assert path == "/s3cret" and headers["Authorization"] == "Bearer t0ken"
    assert json.loads(body) == {"text": "a \"b\" \\ c\n\td [31m \u00fc"}
    assert "s3cret" not in done.stdout + done.stderr and "t0ken" not in done.stdout + done.stderr


@pytest.mark.parametrize("status, code", [(204, 0), (503, 75), (429, 75), (404, 1)])
def test_notify_webhook_tries_again_what_may_get_better(receiver, status, code):
    receiver.status = status
    assert by_hand("notify-webhook", PARAM_url=receiver.url).returncode == code


def test_notify_webhook_without_curl(receiver, folder):
    for name in "sh awk cat grep head id mktemp perl rm sed stat tr uname wc".split():
        (folder / name).symlink_to(shutil.which(name))
    done = by_hand("notify-webhook", stdin='{"incident": null}', path=str(folder), PARAM_url=f"{receiver.url}/x", TMPDIR="/tmp")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert [(path, body) for path, _, body in receiver.got] == [("/x", b'{"incident": null}')]
    done = by_hand("notify-webhook", path=str(folder), PARAM_url="https://127.0.0.1/x")
    assert done.returncode == 1 and "https needs curl" in done.stdout


def test_notify_webhook_with_nobody_there(folder):
    with Receiver() as server:
        url = server.url
    done = by_hand("notify-webhook", PARAM_url=url)
    assert done.returncode == 75 and "trying again later" in done.stdout
    for env in ({"PARAM_url": "http://x/\""}, {}, {"PARAM_url_file": str(folder / "nix")}, {"PARAM_url": url, "PARAM_url_file": "/x"}):
        assert by_hand("notify-webhook", **env).returncode == 1
