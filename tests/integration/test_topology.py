"""What depends on what, and what changed: an incident that is another one's symptom, and deploys before it."""
import json

from alerts import alert, notification, now
from harness import RedisServer

RULES = """
rules:
  - name: restart
    match: 'alertname =~ ".*Fails"'
    only: root
    steps: [{runbook: note}]
"""
NOTE = {"note.sh": "#!/bin/sh\n# ---\n# summary: Note it\n# kind: notify\n# ---\n"}
TOPOLOGY = """
topology:
  - node: database
    match: 'service = "postgres"'
  - node: client
    match: 'service =~ "shop|cart"'
    depends_on: [{node: database, same: [cluster]}]
"""
POLICIES = {"correlation": [{"by": ["cluster", "service"], "window": "10m"}]}


def with_topology(rb, text=TOPOLOGY):
    folder = rb.folder / "topology"
    folder.mkdir(exist_ok=True)
    (folder / "test.yml").write_text(text)
    return rb


def fails(service, cluster="eu", status="firing", **labels):
    return notification([alert({"alertname": f"{service.title()}Fails", "service": service, "cluster": cluster, **labels},
                               status=status)])


def incident(rb, service, cluster="eu"):
    found, = rb.items("incidents", filter=f'service = "{service}", cluster = {cluster}')
    return rb.get(f"/api/v1/incidents/{found['id']}")


def decision(rb, message):
    """What the rule decides on it."""
    found, = rb.post_alertmanager(message)["decisions"]
    return found["decision"], found["reason"]


def test_clients_of_a_dead_database_are_left_alone(runbookd):
    rb = with_topology(runbookd(rules=RULES, runbooks=NOTE, conf=POLICIES)).start()
    assert decision(rb, fails("cart")) == ("run", "matched")  # it came before its cause
    assert decision(rb, fails("postgres")) == ("run", "matched")
    assert [r["only"] for r in rb.get("/api/v1/rules")["items"]] == ["root"]
    root = incident(rb, "postgres")
    why = f"its incident is a symptom of incident {root['id']}, and the rule says only: root"
    assert decision(rb, fails("shop")) == ("paused", why)
    assert decision(rb, fails("cart", instance="b")) == ("paused", why)
    assert decision(rb, fails("shop", cluster="us")) == ("run", "matched")
    symptoms = [incident(rb, service)["id"] for service in ("cart", "shop")]
    assert (root["root"], root["symptom_of"]) == (True, None)
    assert incident(rb, "postgres")["root_of"] == symptoms
    assert {i["id"] for i in rb.items("incidents", filter=f"symptom_of = {root['id']}")} == set(symptoms)
    assert {i["id"] for i in rb.items("incidents", filter='symptom_of = ""')} == {root["id"], incident(rb, "shop", "us")["id"]}
    # An explanation comes to the same.
    shown = rb.api("POST", "/api/v1/explain", {"source": "alertmanager", "payload": fails("shop", instance="c")}).json()
    row, = shown["events"][0]["rules"]
    assert (row["decision"], row["reason"]) == ("paused", why)
    # The page and the timelines say so, also through a kill of everything.
    rb.kill9_all()
    rb.start()
    page = rb.ctl("incidents", "show", symptoms[1]).stdout
    assert f"it is a symptom of incident {root['id']}" in page
    assert f"{symptoms[1]} is a symptom of {root['id']}: it depends on database" in page
    assert "symptoms 2: " in rb.ctl("incidents", "show", root["id"]).stdout
    # The root resolves first: the others stay its symptoms.
    rb.post_alertmanager(fails("postgres", status="resolved"))
    assert incident(rb, "postgres")["status"] == "resolved"
    assert incident(rb, "shop")["symptom_of"] == root["id"]


def test_a_bad_topology_changes_nothing(runbookd):
    rb = with_topology(runbookd(rules=RULES, runbooks=NOTE, conf=POLICIES)).start()
    with_topology(rb, TOPOLOGY.replace("- node: database\n", "- node: database\n    depends_on: [client]\n"))
    answer = rb.api("POST", "/-/reload")
    assert answer.status != 200
    assert "these nodes depend on each other in a circle: database -> client -> database" in answer.text
    assert decision(rb, fails("postgres"))[0] == "run"
    assert decision(rb, fails("shop"))[0] == "paused"
    with_topology(rb, TOPOLOGY.replace("shop|cart", "cart"))
    assert rb.api("POST", "/-/reload").status == 200
    assert decision(rb, fails("shop", cluster="us"))[0] == "run"


def test_rules_are_tested_with_the_topology(runbookd):
    rb = with_topology(runbookd(rules=RULES, runbooks=NOTE, conf=POLICIES)).start()
    (rb.folder / "rules" / "t.test.yml").write_text(json.dumps({"tests": [{
        "name": "a symptom is left alone", "exact": True,
        "events": [{"at": "0s", "alert": {"labels": {"alertname": "DbFails", "service": "postgres", "cluster": "eu"}}},
                   {"at": "1m", "alert": {"labels": {"alertname": "ShopFails", "service": "shop", "cluster": "eu"}}},
                   {"at": "2m", "alert": {"labels": {"alertname": "CartFails", "service": "cart", "cluster": "us"}}}],
        "expect": [{"at": "0s", "rule": "restart", "runbook": "note"}, {"at": "2m", "rule": "restart", "runbook": "note"}]}]}))
    assert "1 passed, 0 failed" in rb.ctl("test", "-c", str(rb.conf_path), str(rb.folder / "rules" / "t.test.yml")).stdout


def deploy(rb, **labels):
    answer = rb.api("POST", "/api/v1/events", {"type": "deployed", **labels})
    assert answer.status in (200, 201), answer


def test_what_changed_before_it_broke(folder, runbookd):
    """Through two bridges: the change by the one, the alert by the other."""
    redis = RedisServer(folder).start()
    conf = {**POLICIES, "redis": redis.url, "worker": {"enabled": False}}
    one, two = [runbookd(conf=conf).start() for _ in range(2)]
    try:
        deploy(one, service="shop", cluster="eu", version="2.1")
        deploy(one, service="cart", cluster="eu", version="3.0")
        two.post_alertmanager(fails("shop"))
        changed, = incident(one, "shop")["what_changed"]
        assert (changed["type"], changed["source"], changed["labels"]["version"]) == ("deployed", "emit", "2.1")
        assert one.get(f"/api/v1/events/{changed['event']}")["labels"]["service"] == "shop"
        # Told late: of another source, with the time of its own.
        late = {"specversion": "1.0", "id": "1", "source": "git", "type": "git_branch_merged", "time": now(minutes=-5),
                "service": "shop"}
        answer = one.api("POST", "/ingest/cloudevents", json.dumps(late), {"Content-Type": "application/cloudevents+json"})
        assert answer.status == 200, answer
        first, second = incident(two, "shop")["what_changed"]
        assert (first, second["type"]) == (changed, "git_branch_merged")
        kinds = [(e["kind"], e["event"]["type"]) for e in two.items(f"incidents/{incident(two, 'shop')['id']}/timeline")]
        assert sorted(kinds) == [("event", "alert"), ("event", "deployed"), ("event", "git_branch_merged")]
        page = one.ctl("incidents", "show", incident(two, "shop")["id"]).stdout
        assert page.index("What changed") < page.index("deployed") < page.index("git_branch_merged") < page.index("Alerts")
        assert "version=2.1" in page
        # No alert, no change.
        assert len(one.items("incidents")) == 1
    finally:
        for rb in (one, two):
            rb.stop()
        redis.kill()
