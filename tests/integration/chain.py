"""The real senders: Prometheus, node_exporter and Alertmanager from Debian, in one folder, on free ports."""
import contextlib
import json
import os
import subprocess
from pathlib import Path

from harness import http_request, free_port, spawn, wait_for


class SmallDisk:
    """A file system of a few MB that can be filled and that node_exporter sees; only root can mount one."""

    def __init__(self, folder):
        self.path = Path(folder) / "disk"
        self.path.mkdir(mode=0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "runbookd-test", str(self.path)], check=True)

    @property
    def full_expression(self):
        """True also where the last second's scrape failed: an alert that ends and comes again is another."""
        where = f'{{mountpoint="{self.path}"}}[1m]'
        return f"last_over_time(node_filesystem_avail_bytes{where}) / last_over_time(node_filesystem_size_bytes{where}) < 0.1"

    def measure(self):
        pass

    def close(self):
        subprocess.run(["umount", "-l", str(self.path)], check=False)


class CountedDisk:
    """For those who may not mount: a folder whose used share node_exporter reads from a text file, written by measure()."""
    SIZE = 8 << 20

    def __init__(self, folder):
        self.path, self.metrics = Path(folder) / "disk", Path(folder) / "textfile"
        self.path.mkdir(mode=0o755)
        self.metrics.mkdir()
        self.measure()

    @property
    def full_expression(self):
        return f'label_replace(last_over_time(test_disk_free_ratio[1m]) < 0.1, "mountpoint", "{self.path}", "", "")'

    def measure(self):
        used = sum(f.stat().st_size for f in self.path.rglob("*") if f.is_file())
        new = self.metrics / "disk.new"
        new.write_text(f"test_disk_free_ratio {1 - used / self.SIZE}\n")
        new.rename(self.metrics / "disk.prom")

    def close(self):
        pass


def small_disk(folder):
    return SmallDisk(folder) if os.geteuid() == 0 else CountedDisk(folder)


class Chain:
    """Prometheus scrapes node_exporter each second and fires through Alertmanager at a webhook.

    alerts: rules of Prometheus as dicts; webhook: a function that gives the URL, asked once.
    """

    def __init__(self, folder, alerts, webhook):
        self.folder = Path(folder) / "chain"
        self.folder.mkdir()
        self.processes, self.logs = [], []
        self.exporter, self.prometheus, self.alertmanager = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.write("alerts.yml", {"groups": [{"name": "test", "interval": "1s", "rules": alerts}]})
        self.write("prometheus.yml", {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.alertmanager]}]}]},
            "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": [self.exporter]}]}],
        })
        self.write("alertmanager.yml", {
            "route": {"receiver": "runbookd", "group_by": ["alertname", "instance"], "group_wait": "1s",
                      "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "runbookd", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
        })

    def write(self, name, value):
        (self.folder / name).write_text(json.dumps(value, indent=2))

    def start(self):
        (self.folder.parent / "textfile").mkdir(exist_ok=True)
        self.run("node-exporter", ["prometheus-node-exporter", f"--web.listen-address={self.exporter}",
                                   "--collector.disable-defaults", "--collector.filesystem", "--collector.textfile",
                                   f"--collector.textfile.directory={self.folder.parent / 'textfile'}",
                                   "--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys)($|/)"])
        self.run("alertmanager", ["prometheus-alertmanager", f"--config.file={self.folder / 'alertmanager.yml'}",
                                  f"--storage.path={self.folder / 'alertmanager'}", "--cluster.listen-address=",
                                  f"--web.listen-address={self.alertmanager}"])
        self.run("prometheus", ["prometheus", f"--config.file={self.folder / 'prometheus.yml'}",
                                f"--storage.tsdb.path={self.folder / 'prometheus'}",
                                f"--web.listen-address={self.prometheus}", "--rules.alert.resend-delay=5s"])
        for name, address, path in (("node_exporter", self.exporter, "/metrics"), ("Alertmanager", self.alertmanager, "/-/ready"),
                                    ("Prometheus", self.prometheus, "/-/ready")):
            wait_for(lambda: http_request(address, "GET", path).status == 200, f"{name} to be ready")
        return self

    def run(self, name, argv):
        log = self.folder / f"{name}.log"
        self.logs.append((f"log of {name}", log))
        self.processes.append(spawn(argv, log, cwd=self.folder))

    def close(self):
        for p in self.processes:
            with contextlib.suppress(ProcessLookupError):
                p.kill()
            p.wait()
