"""Alertmanager's webhook messages, made or read from the captured ones."""
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "alertmanager"
ZERO_TIME = "0001-01-01T00:00:00Z"
FNV_OFFSET, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


def timestamp(when):
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now(**offset):
    return timestamp(datetime.now(timezone.utc) + timedelta(**offset))


def fingerprint(labels):
    """As Prometheus computes it: FNV-1a, 64 bits, over the labels sorted by name."""
    h = FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            h = ((h ^ byte) * FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def alert(labels, status="firing", starts_at=None, ends_at=None, annotations=None):
    return {
        "status": status,
        "labels": labels,
        "annotations": annotations or {},
        "startsAt": starts_at or now(),
        "endsAt": ends_at or (ZERO_TIME if status == "firing" else now()),
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up",
        "fingerprint": fingerprint(labels),
    }


def common(alerts, member):
    """What all have in common, as Alertmanager fills commonLabels."""
    first = alerts[0][member]
    return {k: v for k, v in first.items() if all(a[member].get(k) == v for a in alerts)}


def notification(alerts, external_url="http://am-1:9093", **more):
    """One webhook message, version 4. more overrides or adds members at the top."""
    firing = any(a["status"] == "firing" for a in alerts)
    return {
        "version": "4",
        "groupKey": '{}:{alertname="%s"}' % alerts[0]["labels"].get("alertname", ""),
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "runbookd",
        "groupLabels": {"alertname": alerts[0]["labels"].get("alertname", "")},
        "commonLabels": common(alerts, "labels"),
        "commonAnnotations": common(alerts, "annotations"),
        "externalURL": external_url,
        "alerts": alerts,
        **more,
    }


def golden(name):
    """A message as a real Alertmanager sent it."""
    return json.loads((GOLDEN / name).read_text())
