"""Amazon SNS in front of the whole: signed messages, subscriptions, and what is refused."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import wait_for
from https import Authority, Server
from sns import CERT_PATH, CONFIRM_PATH, HOST, TOPIC, Signer

ALARM = {"AlarmName": "web-cpu-high", "AWSAccountId": "210987654321", "NewStateReason": "Threshold Crossed", "Region": "EU (Ireland)",
         "AlarmArn": "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:web-cpu-high",
         "Trigger": {"MetricName": "CPUUtilization", "Namespace": "AWS/EC2", "Dimensions": [{"name": "InstanceId", "value": "i-1"}]}}
HEADERS = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-topic-arn": TOPIC}


def alarm(state, minute):
    return {**ALARM, "NewStateValue": state, "StateChangeTime": f"2026-11-20T09:{minute:02}:27.123+0000"}


@pytest.fixture
def signer(folder):
    return Signer(folder)


@pytest.fixture
def amazon(folder, signer):
    authority = Authority(folder)
    server = Server(authority.certify(HOST), {CERT_PATH: signer.cert, CONFIRM_PATH + "abc": b"<ok/>"})
    server.ca = authority.cert
    yield server
    server.close()


@pytest.fixture
def guarded(runbookd, amazon):
    """A bridge whose source `sns` takes TOPIC only, and for which `amazon` is Amazon."""
    return runbookd(conf={"sources": {"sns": {"kind": "sns", "auth": {"sns": {"topic_arns": [TOPIC]}}}},
                          "sns": {"ca_file": str(amazon.ca), "connect_to": amazon.address}})


def post(rb, message, expect=200, source="sns", **headers):
    body = message if isinstance(message, str) else json.dumps(message)
    answer = rb.api("POST", f"/ingest/{source}", body, {**HEADERS, **headers})
    assert answer.status == expect, answer
    return answer.json()


def paths(amazon):
    return [path for _, path in amazon.asked]


def test_alarm_fires_and_resolves(guarded, amazon, signer):
    rb = guarded.start()
    post(rb, signer.notification(alarm("ALARM", 15), version="1"))
    found, = rb.items("alerts")
    assert (found["status"], found["labels"]["alertname"], found["labels"]["instance_id"]) == ("firing", "web-cpu-high", "i-1")
    post(rb, signer.notification(alarm("INSUFFICIENT_DATA", 20), MessageId="2"))
    assert [a["status"] for a in rb.items("alerts")] == ["firing"]
    post(rb, signer.notification(alarm("OK", 40), MessageId="3"))
    assert [a["status"] for a in rb.items("alerts")] == ["resolved"]
    # The ALARM of before, late: SNS keeps no order.
    post(rb, signer.notification(alarm("ALARM", 15), MessageId="4"))
    assert [a["status"] for a in rb.items("alerts")] == ["resolved"]
    post(rb, signer.notification(alarm("ALARM", 50), MessageId="5"))
    assert [(a["status"], a["occurrences"]) for a in rb.items("alerts")] == [("firing", 2)]
    assert paths(amazon) == [CERT_PATH]


def test_sent_again_is_a_duplicate(guarded, signer):
    rb = guarded.start()
    message = signer.notification("hello")
    assert post(rb, message)["new"] == 1
    assert post(rb, message)["duplicate"] == 1
    assert len([e for e in rb.items("events") if e["type"] == "sns_notification"]) == 1


def test_many_at_once_while_the_certificate_is_got(guarded, amazon, signer):
    rb = guarded.start()
    messages = [signer.notification(f"m{i}", MessageId=str(i)) for i in range(30)]
    with ThreadPoolExecutor(15) as pool:
        list(pool.map(lambda m: post(rb, m), messages))
    assert len([e for e in rb.items("events") if e["type"] == "sns_notification"]) == 30
    assert paths(amazon) == [CERT_PATH]


def test_forged_is_403_and_nothing_is_stored(guarded, amazon, signer):
    rb = guarded.start()
    good = signer.notification(alarm("ALARM", 15))
    other = TOPIC.replace("oncall", "other")
    refused = [({**good, "Message": good["Message"].replace("web", "wed")}, "Signature: it is not Amazon's"),
               (signer.notification(TopicArn=other), f"the topic '{other}' may not send here; add it to topic_arns"),
               ({**good, "SigningCertURL": "https://evil.example/x.pem"}, "SigningCertURL: 'https://evil.example/x.pem' is not asked"),
               ({"Type": "Notification", "Message": "unsigned"}, "MessageId: "), ({**good, "Type": "Other"}, "Type: ")]
    for message, text in refused:
        assert post(rb, message, 403)["detail"].startswith(text)
    detail = post(rb, json.dumps(alarm("ALARM", 15)), 403, **{"x-amz-sns-rawdelivery": "true"})["detail"]
    assert detail.startswith("raw message delivery is not signed")
    assert rb.items("alerts") == []
    assert rb.metric("runbookd_ingest_rejected_total", source="sns", reason="auth") == len(refused) + 1
    assert set(paths(amazon)) == {CERT_PATH}


def test_certificate_that_cannot_be_had_is_503(guarded, amazon, signer):
    amazon.answers[CERT_PATH] = 500
    rb = guarded.start()
    answer = rb.api("POST", "/ingest/sns", json.dumps(signer.notification()), HEADERS)
    assert answer.status == 503 and answer.headers["Retry-After"] == "30"
    assert answer.json()["detail"].endswith("the server answered 500")
    assert rb.metric("runbookd_ingest_rejected_total", source="sns", reason="auth_unknown") == 1


def test_subscription_is_confirmed_once_and_audited(guarded, amazon, signer):
    rb = guarded.start()
    message = signer.confirmation("abc")
    post(rb, message)
    assert paths(amazon) == [CERT_PATH, CONFIRM_PATH + "abc"]
    post(rb, message)
    assert paths(amazon) == [CERT_PATH, CONFIRM_PATH + "abc"]
    acts = wait_for(lambda: [a for a in rb.items("audit") if a.get("what") == "confirm_subscription"], "the act in the audit")
    assert [(a["source"], a["topic_arn"]) for a in acts] == [("sns", TOPIC)]
    rb.logged("confirmed a subscription")


def test_subscription_to_another_topic_is_not_confirmed(guarded, amazon, signer):
    rb = guarded.start()
    assert "add it to topic_arns" in post(rb, signer.confirmation(TopicArn=TOPIC + "x"), 403)["detail"]
    assert amazon.asked == []


def test_without_auth_nothing_is_followed(runbookd, amazon, signer):
    """The operator is told, with the URL."""
    rb = runbookd(conf={"sns": {"ca_file": str(amazon.ca), "connect_to": amazon.address}}).start()
    post(rb, signer.confirmation("abc"))
    event, = [e for e in rb.items("events") if e["type"] == "sns_subscription_confirmation"]
    assert event["links"] == {"subscribe": f"https://{HOST}{CONFIRM_PATH}abc"}
    rb.logged("a subscription waits", f"https://{HOST}{CONFIRM_PATH}abc")
    post(rb, alarm("ALARM", 1), **{"x-amz-sns-rawdelivery": "true", "x-amz-sns-message-id": "7"})
    assert len(rb.items("alerts")) == 1
    assert amazon.asked == []


def test_stops_while_a_certificate_is_got(guarded, amazon, signer):
    amazon.answers[CERT_PATH] = lambda handler: amazon.over.wait()
    rb = guarded.start()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(rb.api, "POST", "/ingest/sns", json.dumps(signer.notification()), HEADERS)
        wait_for(lambda: paths(amazon) == [CERT_PATH], "the certificate to be asked for")
        rb.stop()
        assert asked.result().status == 503


def test_auth_of_another_kind_is_an_error(runbookd):
    rb = runbookd(conf={"sources": {"am": {"kind": "alertmanager", "auth": {"sns": {"topic_arns": [TOPIC]}}}}})
    done = rb.run_check("runbook-bridge")
    assert done.returncode == 3 and "'auth.sns' of the source 'am' needs the kind sns, not 'alertmanager'" in done.stdout + done.stderr


def test_ids_are_remembered_for_as_long_as_a_message_is_taken(runbookd):
    sources = {"sns": {"kind": "sns", "auth": {"sns": {"topic_arns": [TOPIC]}}}}
    rb = runbookd(conf={"sources": sources, "limits": {"delivery_window": "69m"}})
    done = rb.run_check("runbook-bridge")
    assert done.returncode == 3 and "'limits.delivery_window' is 69m" in done.stdout + done.stderr and "make it 70m or more" in done.stdout + done.stderr
    rb.configure({"limits": {"delivery_window": "70m"}})
    assert rb.run_check("runbook-bridge", "--check").returncode == 0
