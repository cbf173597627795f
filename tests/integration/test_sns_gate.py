"""Which messages of SNS come in (bridge/flow/sns_gate), before a server that stands for Amazon's."""
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from https import Authority, Server
from sns import CERT_PATH, CONFIRM_PATH, HOST, TOPIC, Signer

BUILD = Path(os.environ.get("RUNBOOKD_BUILDDIR", ".")).resolve()
WAIT = object()


@pytest.fixture
def signer(folder):
    return Signer(folder)


@pytest.fixture
def amazon(folder, signer):
    authority = Authority(folder)
    server = Server(authority.certify(HOST), {CERT_PATH: signer.cert})
    server.ca = authority.cert
    yield server
    server.close()


def gate(amazon, *messages, topics=TOPIC, after_ms=0, time_ms=20000):
    """Verdict and text of each message, in the order of the messages; None stands for a body that is no JSON."""
    lines = ["wait" if m is WAIT else "check " + json.dumps(m) if m is not None else "check" for m in messages]
    now_ms = int(time.time() * 1000) + after_ms
    done = subprocess.run([BUILD / "tests" / "unit" / "print_sns_gate", amazon.ca, amazon.address, str(time_ms), str(now_ms), topics],
                          input="\n".join(lines) + "\n", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    out = done.stdout.splitlines()
    assert out.pop() == "closed"
    found = {int(n): rest for n, _, rest in (line.partition(" ") for line in out)}
    return [found[i] for i in range(len(found))]


def paths(amazon):
    return [path for _, path in amazon.asked]


@pytest.mark.parametrize("version", ["1", "2"])
def test_passes(amazon, signer, version):
    assert gate(amazon, signer.notification(version=version), WAIT) == ["passed"]
    assert amazon.asked == [(HOST, CERT_PATH)]


def test_certificate_is_got_once(amazon, signer):
    """However many wait for it, and for those that come later."""
    messages = [signer.notification(str(i)) for i in range(20)]
    assert gate(amazon, *messages, WAIT, *messages, WAIT) == ["passed"] * 40
    assert paths(amazon) == [CERT_PATH]


def test_one_letter_off(amazon, signer):
    good = signer.notification()
    bad = [{**good, k: good[k][:-1] + ("x" if good[k][-1] != "x" else "y")} for k in ("Message", "MessageId", "Subject")]
    bad.append({**good, "Signature": "A" + good["Signature"][1:] if good["Signature"][0] != "A" else "B" + good["Signature"][1:]})
    bad.append({k: v for k, v in good.items() if k != "Subject"})
    verdicts = gate(amazon, *bad, good, WAIT)
    assert verdicts.pop() == "passed"
    assert verdicts == ["refused Signature: it is not Amazon's of this message (version 2)"] * 5


def test_what_is_refused_asks_nobody(amazon, signer):
    good = signer.notification()
    other = "arn:aws:sns:eu-west-1:210987654321:other"
    verdicts = gate(
        amazon, None, {}, signer.notification(TopicArn=other), {**good, "SigningCertURL": "https://evil.example/a.pem"},
        {**good, "SigningCertURL": f"http://{HOST}{CERT_PATH}"}, {**good, "SigningCertURL": f"https://sns.eu-west-2.amazonaws.com{CERT_PATH}"},
        signer.notification(Timestamp="2026-01-01T00:00:00.000Z"), {**good, "SignatureVersion": "3"}, WAIT)
    wanted = ["raw message delivery is not signed; turn it off for this subscription", "Type: ",
              f"the topic '{other}' may not send here; add it to topic_arns", "SigningCertURL: 'https://evil.example/a.pem' is not asked: its host",
              f"SigningCertURL: 'http://{HOST}", "SigningCertURL: its host is not that of the region of the topic", "Timestamp: 2026-01-01T00:00:00.000Z is long ago",
              "SignatureVersion: known are"]
    assert len(verdicts) == len(wanted)
    for verdict, text in zip(verdicts, wanted):
        assert verdict.startswith(f"refused {text}")
    assert amazon.asked == []


def test_a_caught_message_is_refused_later(amazon, signer):
    good = signer.notification()
    assert gate(amazon, good, WAIT, after_ms=60 * 60000) == ["passed"]
    assert gate(amazon, good, WAIT, after_ms=66 * 60000)[0].startswith("refused Timestamp: ")
    assert gate(amazon, good, WAIT, after_ms=-6 * 60000)[0].startswith("refused Timestamp: ")


def test_several_topics(amazon, signer):
    other = TOPIC.replace("oncall", "deploys")
    assert gate(amazon, signer.notification(), signer.notification(TopicArn=other), WAIT, topics=f"{other},{TOPIC}") == ["passed"] * 2


def test_certificate_cannot_be_had(amazon, signer):
    """To be sent again; but it is not asked for each time."""
    amazon.answers[CERT_PATH] = 503
    verdicts = gate(amazon, *[signer.notification(str(i)) for i in range(5)], WAIT, signer.notification(), WAIT)
    assert verdicts == [f"unknown cannot get 'https://{HOST}{CERT_PATH}': the server answered 503"] * 6
    assert paths(amazon) == [CERT_PATH]


@pytest.mark.parametrize("name", ["sns.example.com", "sns.amazonaws.com.example.com"])
def test_certificate_of_somebody_else(folder, amazon, signer, name):
    stranger = Signer(folder, name)
    amazon.answers[CERT_PATH] = stranger.cert
    assert gate(amazon, stranger.notification(), WAIT) == [f"unknown the certificate is that of '{name}', not of sns.amazonaws.com"]


def test_no_certificate(amazon, signer):
    amazon.answers[CERT_PATH] = b"<html></html>"
    assert gate(amazon, signer.notification(), WAIT) == ["unknown what should be a certificate is none (PEM)"]


def test_failed_ones_make_room(amazon, signer):
    """A stranger who names many certificates does not drive out the one that is used."""
    bad = [{**signer.notification(), "SigningCertURL": f"https://{HOST}/{i}.pem"} for i in range(40)]
    verdicts = gate(amazon, signer.notification(), WAIT, *[x for m in bad for x in (m, WAIT)], signer.notification(), WAIT)
    assert verdicts[0] == verdicts[-1] == "passed"
    assert all(v.startswith("unknown cannot get ") for v in verdicts[1:-1])
    assert paths(amazon).count(CERT_PATH) == 1 and len(amazon.asked) == 41


def test_many_at_once_do_not_drive_out_a_key(amazon, signer):
    """Nor does a stranger who asks for as many certificates at once as there is room for."""
    bad = [{**signer.notification(), "SigningCertURL": f"https://{HOST}/{i}.pem"} for i in range(20)]
    verdicts = gate(amazon, signer.notification(), WAIT, *bad, signer.notification(), WAIT)
    assert verdicts[0] == verdicts[-1] == "passed"
    assert all(v.startswith("unknown ") for v in verdicts[1:-1])
    assert paths(amazon).count(CERT_PATH) == 1


def test_as_many_certificates_as_are_kept(amazon, signer):
    messages = [{**signer.notification(), "SigningCertURL": f"https://{HOST}/{i}.pem"} for i in range(17)]
    amazon.answers.update({f"/{i}.pem": signer.cert for i in range(17)})
    verdicts = gate(amazon, *messages, WAIT)
    assert verdicts == ["passed"] * 16 + ["unknown 16 certificates are being got already; send this again"]
    # One by one, the one that was not used for longest goes.
    amazon.asked.clear()
    one_by_one = [x for m in [*messages, messages[16], messages[15]] for x in (m, WAIT)]
    assert gate(amazon, *one_by_one) == ["passed"] * 19
    assert paths(amazon) == [f"/{i}.pem" for i in range(17)]


def test_at_most_so_many_wait(amazon, signer):
    verdicts = gate(amazon, *[signer.notification()] * 1001, WAIT)
    assert verdicts == ["passed"] * 1000 + ["unknown 1000 messages wait for certificates already; send this again"]


def test_confirms_once(amazon, signer):
    amazon.answers[CONFIRM_PATH + "abc"] = b"<ConfirmSubscriptionResponse/>"
    message = signer.confirmation("abc")
    assert gate(amazon, message, WAIT, message, WAIT) == ["confirmed", "passed"]
    assert paths(amazon) == [CERT_PATH, CONFIRM_PATH + "abc"]


def test_confirmation_that_fails_is_tried_again(amazon, signer):
    message = signer.confirmation("abc")
    verdicts = gate(amazon, message, WAIT, message, WAIT)
    assert len(verdicts) == 2 and all(v.endswith("the server answered 404") and v.startswith("unknown ") for v in verdicts)
    assert paths(amazon) == [CERT_PATH] + [CONFIRM_PATH + "abc"] * 2


def test_confirms_nothing_else(amazon, signer):
    """Not for other topics, not unsigned, not elsewhere though signed, and no unsubscription."""
    good = signer.confirmation()
    verdicts = gate(
        amazon, signer.confirmation(TopicArn=TOPIC + "2"), {**good, "Token": "other"}, {**good, "SubscribeURL": f"https://{HOST}{CONFIRM_PATH}other"},
        signer.confirmation(SubscribeURL="https://evil.example/?Action=ConfirmSubscription&a"), signer.confirmation(SubscribeURL=f"https://{HOST}/?Action=Unsubscribe&a"),
        signer.confirmation(Type="UnsubscribeConfirmation"), WAIT)
    assert [v.split()[0] for v in verdicts] == ["refused"] * 5 + ["passed"]
    assert "may not send here" in verdicts[0] and verdicts[3].startswith("refused SubscribeURL: 'https://evil.example")
    assert set(paths(amazon)) == {CERT_PATH}


def test_stops_while_one_waits(amazon, signer):
    amazon.answers[CERT_PATH] = lambda handler: amazon.over.wait()
    verdicts = gate(amazon, signer.notification(), signer.notification(), time_ms=200000)
    assert len(verdicts) == 2 and all(v.startswith("unknown cannot get ") for v in verdicts)
