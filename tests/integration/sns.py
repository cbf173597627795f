"""Messages as Amazon SNS signs them, with a key of the test's own."""
import base64
import json
import subprocess
from datetime import datetime, timezone

from https import run

REGION = "eu-west-1"
HOST = f"sns.{REGION}.amazonaws.com"
TOPIC = f"arn:aws:sns:{REGION}:210987654321:oncall"
CERT_PATH = "/SimpleNotificationService-0123456789abcdef.pem"
CONFIRM_PATH = f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token="


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Signer:
    def __init__(self, folder, name="sns.amazonaws.com"):
        self.key, cert = folder / f"{name}.signing.key", folder / f"{name}.signing.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", cert, "-days", "30",
            "-subj", f"/CN={name}")
        self.cert = cert.read_bytes()

    def sign(self, message, version="2"):
        keys = {"Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")}.get(
            message["Type"], ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"))
        text = "".join(f"{k}\n{message[k]}\n" for k in keys if k in message)
        digest = {"1": "-sha1", "2": "-sha256"}[version]
        done = subprocess.run(["openssl", "dgst", digest, "-sign", self.key], input=text.encode(), capture_output=True, check=True)
        return {"SigningCertURL": f"https://{HOST}{CERT_PATH}", **message, "SignatureVersion": version,
                "Signature": base64.b64encode(done.stdout).decode()}

    def notification(self, text="hello", version="2", **more):
        message = text if isinstance(text, str) else json.dumps(text)
        return self.sign({"Type": "Notification", "MessageId": "5f3c1a2e-1", "TopicArn": TOPIC, "Subject": "s", "Message": message,
                          "Timestamp": now(), **more}, version)

    def confirmation(self, token="abc", version="1", **more):
        return self.sign({"Type": "SubscriptionConfirmation", "MessageId": "5f3c1a2e-2", "Token": token, "TopicArn": TOPIC,
                          "Message": "confirm?", "SubscribeURL": f"https://{HOST}{CONFIRM_PATH}{token}", "Timestamp": now(),
                          **more}, version)
