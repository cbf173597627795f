"""A storm of 5,000 alerts becomes the incidents of its four causes, in whatever order and through however many bridges."""
import concurrent.futures
import contextlib
import http.client
import random
import re
from pathlib import Path

import pytest

import storm
from harness import DEADLINE, RedisServer, request_on

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"
CONNECTIONS = 4
WANTED = 0.95


def shipped_policies():
    """Those that contrib/runbookd.yml proposes."""
    block = re.search(r"(?m)^#correlation:\n((?:#  - .*\n)+)", (CONTRIB / "runbookd.yml").read_text())[1]
    found = re.findall(r"#  - \{(?:match: '(.*)', )?by: \[(.*)\], window: (\w+)\}\n", block)
    assert len(found) == block.count("\n")
    return [{**({"match": match} if match else {}), "by": by.split(", "), "window": window} for match, by, window in found]


def conf(**more):
    return {"correlation": shipped_policies(), "sources": storm.SOURCES, "topology": [str(CONTRIB / "topology" / "*.yml")],
            "worker": {"enabled": False}, **more}


def send(bridges, messages):
    """Every nth message on the nth connection, and the connections in turn to the bridges."""
    def client(first):
        host, _, port = bridges[first % len(bridges)].address.rpartition(":")
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=DEADLINE)) as connection:
            for source, message in messages[first::CONNECTIONS]:
                answer = request_on(connection, "POST", f"/ingest/{source}", message)
                assert answer.status == 200, answer
    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(client, range(CONNECTIONS)))


def key_of(row):
    identity = {"alertmanager": row["fingerprint"], "datadog": row["labels"].get("cycle_key"),
                "uptime": row["labels"].get("check")}
    return row["source"], identity[row["source"]]


def groups_of(rb):
    """By alert the incident, and by alert the trouble: a symptom belongs to that of its root."""
    roots = {i["id"]: i["symptom_of"] or i["id"] for i in rb.items("incidents")}
    incidents = {key_of(row): row["incident"] for row in rb.items("alerts")}
    return incidents, {key: roots[incident] for key, incident in incidents.items()}


def as_sets(groups):
    found = {}
    for key, group in groups.items():
        found.setdefault(group, set()).add(key)
    return {frozenset(keys) for keys in found.values()}


@pytest.fixture(scope="module")
def alerts():
    return storm.generate()


def test_has_what_it_promises(alerts):
    hosts = {a["own"].get("hostname") or a["own"].get("labels", {}).get("instance", "").split(":")[0] for a in alerts}
    assert len(alerts) == len(storm.truth(alerts)) == 5000
    assert len([h for h in hosts if "-h" in h]) == 300
    assert {a["source"] for a in alerts} == {"alertmanager", "datadog", "uptime"}
    assert {a["cause"] for a in alerts if not a["cause"].startswith("noise")} == {"db", "rack", "nfs", "tls"}
    assert storm.score({1: "a", 2: "a", 3: "a", 4: "b"}, {1: "x", 2: "x", 3: "y", 4: "y"}) == (1 / 3, 1 / 2)


def test_incidents_are_those_of_the_causes(folder, runbookd, alerts, capsys):
    """As it came; shuffled; and through two bridges on one Redis: the same incidents, and they are right."""
    causes = storm.truth(alerts)
    shuffled = random.Random(7).sample(alerts, len(alerts))
    redis = RedisServer(folder).start()
    seen = []
    try:
        for name, bridges, order in (("in order", 1, alerts), ("shuffled", 1, shuffled), ("two bridges", 2, alerts)):
            own = conf(redis=redis.url, namespace=name.replace(" ", "-"))
            made = [runbookd(conf=own).start() for _ in range(bridges)]
            send(made, storm.messages(order))
            incidents, troubles = groups_of(made[-1])
            assert set(incidents) == set(causes), name
            precision, recall = storm.score(troubles, causes)
            alone = storm.score(incidents, causes)
            with capsys.disabled():
                print(f"\nstorm {name}: precision {precision:.4f}, recall {recall:.4f} "
                      f"({len(set(troubles.values()))} troubles of {len(set(incidents.values()))} incidents; "
                      f"without the topology {alone[0]:.4f}, {alone[1]:.4f})")
            assert min(precision, recall) >= WANTED, name
            seen.append((as_sets(incidents), as_sets(troubles)))
            for rb in made:
                rb.stop()
    finally:
        redis.kill()
    assert seen[0] == seen[1] == seen[2]
