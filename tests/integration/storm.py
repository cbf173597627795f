"""A recorded storm: 5,000 alerts of 300 hosts by 3 sources within four minutes, and what caused each.

    python3 storm.py FOLDER     writes storm.ndjson (messages in order) and truth.ndjson (alert and cause) there

Four things break at once, two of them in the same cluster, in three clusters of 100 hosts in five racks:

- db      the database of eu-1 dies: its eight applications fail on all hosts but those of rack r3
- rack    the switch of rack r3 in eu-1 dies: its 20 hosts are gone, with all that ran there
- nfs     the file server of eu-2 dies: 100 hosts hang, applications are slow
- tls     the certificate of the ingress of us-1 expires: all that comes from outside fails

Beside that some sixty alerts that have nothing to do with any of it, each a cause of its own. As in life, labels do not
tell all: Datadog reports applications of the dead rack by service, as it does those of the dead database.

The sources are Prometheus by way of Alertmanager, Datadog, and an uptime checker that is read by a `generic` mapping.
"""
import itertools
import json
import random
import sys
from collections import Counter
from pathlib import Path

from alerts import alert, fingerprint, notification

ALERTS = 5000
CLUSTERS = ("eu-1", "eu-2", "us-1")
RACKS = ("r1", "r2", "r3", "r4", "r5")
APPLICATIONS = ("shop", "cart", "search", "payment", "mail", "account", "stock", "price")
BATCH = 30  # alerts of one message of Alertmanager, at most
START = "2026-11-20T09:{:02d}:{:02d}Z"
UPTIME = {"kind": "generic", "map": {
    "each": "checks", "type": "alert", "status": {"path": "state", "firing": ["down"], "resolved": ["up"]},
    "fingerprint": ["id"], "summary": "text",
    "labels": {"alertname": "name", "check": "id", "service": "service", "cluster": "cluster", "region": "region"}}}
# What Datadog calls host is what Prometheus calls instance, but for the port.
SOURCES = {"datadog": {"kind": "datadog", "labels": {"instance": "{{ labels.host }}"}}, "uptime": UPTIME}


def hosts(cluster, rack=None):
    return [f"{cluster}-{r}-h{i:02d}" for r in RACKS if rack in (None, r) for i in range(20)]


class Storm:
    """alerts: dicts of source, key (as the API knows it: source and identity), cause, second, and the sender's own."""

    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.alerts = []

    def add(self, source, key, cause, second, own):
        self.alerts.append({"source": source, "key": (source, key), "cause": cause, "second": second, "own": own})

    def second(self, first=5, last=230):
        return self.random.randrange(first, last)

    def prometheus(self, cause, name, second=None, host=None, port=9100, **labels):
        labels = {"alertname": name, "severity": "critical", **labels}
        if host:
            labels.update(instance=f"{host}:{port}", cluster=host[:4], rack=host[5:7])
        second = self.second() if second is None else second
        own = alert(labels, starts_at=START.format(second // 60, second % 60))
        self.add("alertmanager", fingerprint(labels), cause, second, own)

    def datadog(self, cause, title, host, service=None):
        n, second = len(self.alerts), self.second()
        tags = [f"cluster:{host[:4]}", f"rack:{host[5:7]}", "env:prod"] + ([f"service:{service}"] if service else [])
        self.add("datadog", f"cycle-{n}", cause, second, {
            "id": str(10 ** 6 + n), "alert_id": str(10 ** 4 + n % 97), "alert_cycle_key": f"cycle-{n}",
            "alert_transition": "Triggered", "alert_type": "error", "alert_title": f"[Triggered] {title}",
            "hostname": host, "tags": ",".join(tags)})

    def uptime(self, cause, name, service, cluster, region):
        key = f"check-{len(self.alerts)}"
        self.add("uptime", key, cause, self.second(), {
            "id": key, "name": name, "state": "down", "service": service, "cluster": cluster, "region": region,
            "text": f"{service} in {cluster} does not answer {region}"})

    # -- the causes

    def database(self):
        cluster, cause = "eu-1", "db"
        self.prometheus(cause, "PostgresDown", 0, host="eu-1-r1-h00", port=9187, service="postgres")
        self.prometheus(cause, "PostgresReplicaLost", host="eu-1-r2-h00", port=9187, service="postgres")
        self.datadog(cause, "postgres cannot be reached", "eu-1-r1-h00", "postgres")
        alive = [h for h in hosts(cluster) if h[5:7] != "r3"]
        for n, app in enumerate(APPLICATIONS):
            for host in (alive * 2)[10 * n:10 * n + 20]:
                for name in ("HighErrorRate", "HighLatency", "ConnectionPoolExhausted", "QueriesTimeOut", "QueueGrows"):
                    self.prometheus(cause, name, host=host, port=8080, service=app)
                for title in (f"Errors of {app} are high", f"{app} answers slowly"):
                    self.datadog(cause, title, host, app)
            for i in range(20):
                self.uptime(cause, "PageFails", app, cluster, f"region-{i}")

    def rack(self):
        cause, rack = "rack", hosts("eu-1", "r3")
        self.prometheus(cause, "SwitchDown", 0, instance="sw-eu-1-r3", cluster="eu-1", rack="r3")
        for host in rack:
            self.prometheus(cause, "HostDown", host=host)
            for i in range(25):
                self.prometheus(cause, "TargetDown", host=host, port=8000 + i, job=f"job-{i}")
            for name in ("NodeNotReady", "NodeNetworkLost", "NodeClockLost", "NodeFilesystemLost", "NodeKubeletSilent"):
                for i in range(2):
                    self.prometheus(cause, name, host=host, prober=str(i))
            for i in range(15):
                self.datadog(cause, f"Host monitor {i} is silent", host)
        for app in APPLICATIONS:
            for host in rack[:5]:
                self.datadog(cause, f"{app} is gone", host, app)

    def file_server(self):
        cluster, cause = "eu-2", "nfs"
        self.prometheus(cause, "NfsServerDown", 0, host="eu-2-r1-h00", port=9100, service="nfs")
        for host in hosts(cluster):
            for i in range(4):
                self.prometheus(cause, "HostMountHangs", host=host, mountpoint=f"/srv/{i}")
            for name in ("HostHighLoad", "NodeDiskWaits"):
                self.prometheus(cause, name, host=host)
            for title in ("Host load is high", "Host has blocked tasks", "Host cannot write"):
                self.datadog(cause, title, host)
        for app in APPLICATIONS:
            for host in self.random.sample(hosts(cluster), 20):
                for name in ("HighLatency", "UploadsFail"):
                    self.prometheus(cause, name, host=host, port=8080, service=app)

    def certificate(self):
        cluster, cause = "us-1", "tls"
        for host in self.random.sample(hosts(cluster), 6):
            self.prometheus(cause, "CertificateExpired", 0, host=host, port=9113, service="ingress")
            self.prometheus(cause, "HandshakesFail", host=host, port=9113, service="ingress")
        for app in APPLICATIONS:
            for i in range(80):
                self.uptime(cause, "ProbeFails", app, cluster, f"region-{i}")
            for host in self.random.sample(hosts(cluster), 45):
                self.datadog(cause, f"Synthetic test of {app} fails", host, app)
            for host in self.random.sample(hosts(cluster), 45):
                self.prometheus(cause, "ProbeOfClientFails", host=host, port=8080, service=app)

    def noise(self):
        """Up to the full number, each a cause of its own."""
        for i in itertools.count():
            if len(self.alerts) == ALERTS:
                return
            cluster = CLUSTERS[i % 3]
            host = self.random.choice([h for h in hosts(cluster) if h[5:7] != "r3"])
            if i % 4 == 0:
                self.datadog(f"noise-{i}", f"Host battery {i} is old", host)
            else:
                self.prometheus(f"noise-{i}", f"BatchJob{i}Failed", host=host, port=9200, service=f"batch-{i}")


def generate(seed=1):
    storm = Storm(seed)
    for part in (storm.database, storm.rack, storm.file_server, storm.certificate, storm.noise):
        part()
    assert len(storm.alerts) == ALERTS
    return sorted(storm.alerts, key=lambda a: a["second"])


def messages(alerts):
    """[(source, body)] in the order of the alerts: those of a minute that a sender groups go together."""
    out, groups = [], {}
    for a in alerts:
        if a["source"] == "datadog":
            out.append(("datadog", a["own"]))
            continue
        labels = a["own"].get("labels", {})
        group = (a["source"], labels.get("alertname"), labels.get("cluster"))
        groups.setdefault(group, []).append(a["own"])
        if len(groups[group]) == BATCH:
            out.append((a["source"], body(a["source"], groups.pop(group))))
    return out + [(group[0], body(group[0], own)) for group, own in groups.items()]


def body(source, own):
    return {"checks": own} if source == "uptime" else notification(own)


def truth(alerts):
    return {a["key"]: a["cause"] for a in alerts}


def score(groups, causes):
    """Precision and recall over all pairs of alerts: of the pairs in one group, those of one cause; of the pairs of one
    cause, those in one group. groups and causes: by alert."""
    def pairs(counts):
        return sum(n * (n - 1) // 2 for n in counts.values())
    both = pairs(Counter((groups[key], causes[key]) for key in causes))
    return both / pairs(Counter(groups.values())), both / pairs(Counter(causes.values()))


def main(folder):
    alerts = generate()
    with open(folder / "storm.ndjson", "w") as out:
        for source, message in messages(alerts):
            out.write(json.dumps({"source": source, "body": message}) + "\n")
    with open(folder / "truth.ndjson", "w") as out:
        for (source, key), cause in truth(alerts).items():
            out.write(json.dumps({"source": source, "alert": key, "cause": cause}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
