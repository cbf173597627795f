"""Senders that sign: the headers that each kind of webhook shows for a body, by Python's own hmac."""
import base64
import hmac
import time

STANDARD_KEY = b"a key of Standard Webhooks"


def whsec(key=STANDARD_KEY):
    """As a sender shows it to whoever sets it up."""
    return "whsec_" + base64.b64encode(key).decode()


def mac(secret, data, algorithm="sha256"):
    return hmac.new(secret.encode() if isinstance(secret, str) else secret, data, algorithm)


def github(secret, body):
    return {"X-Hub-Signature-256": "sha256=" + mac(secret, body).hexdigest()}


def pagerduty(secrets, body):
    return {"X-PagerDuty-Signature": ",".join("v1=" + mac(s, body).hexdigest() for s in secrets)}


def grafana(secret, body, at=None):
    at = str(int(time.time() if at is None else at))
    return {"X-Grafana-Alerting-Signature": mac(secret, f"{at}:".encode() + body).hexdigest(), "X-Time": at}


def standard(body, key=STANDARD_KEY, name="msg_1", at=None):
    at = str(int(time.time() if at is None else at))
    signed = base64.b64encode(mac(key, f"{name}.{at}.".encode() + body).digest()).decode()
    return {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": f"v1,{signed}"}
