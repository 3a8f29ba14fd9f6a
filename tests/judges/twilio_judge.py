"""Twilio's own SDK: its signatures are accepted, and it can drive the simulator."""

from urllib.parse import urlencode, urlsplit, urlunsplit
from xml.etree import ElementTree

import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from server import NUMBER, PUBLIC_URL, SERVICE, SID, TOKEN, Server

# Payloads of the shapes that Twilio documents, with values that are awkward on purpose.
BODIES = ["Hi", "", "a b+c&d=e%20f", "naïve 👍🏽 日本語 \u202eabc", "line\r\nline", "x" * 1600, "\u0000nul", "'; DROP TABLE message; --", "  STOPPED  "]


def post(server: Server, form: dict, path: str = "/webhooks/twilio", token: str = TOKEN, signed_as: str | None = None) -> requests.Response:
    signature = RequestValidator(token).compute_signature(signed_as or PUBLIC_URL + path, form)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    return requests.post(server.url + path, data=urlencode(form), headers=headers, timeout=30)


def inbound(number: int, body: str, **more: str) -> dict:
    sid = f"SM{number:032x}"
    return {"ToCountry": "US", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "SmsSid": sid, "SmsStatus": "received", "Body": body,
            "To": NUMBER, "NumSegments": "1", "MessageSid": sid, "AccountSid": SID, "From": "+14155550100", "ApiVersion": "2010-04-01",
            "BrandNewParameter": "of next year", **more}


def signed_hooks_are_stored_once(server: Server):
    for number, body in enumerate(BODIES, start=1):
        for _ in range(2):
            answer = post(server, inbound(number, body))
            assert answer.status_code == 200, (body, answer.text)
            assert answer.headers["content-type"].startswith("text/xml")
            assert ElementTree.fromstring(answer.text).tag == "Response"
    conversation = server.api("GET", "/api/v1/conversations").json()["data"][0]
    stored = server.api("GET", f"/api/v1/conversations/{conversation['id']}/messages?limit=200").json()["data"]
    assert [message["body"] for message in reversed(stored)] == [body.replace("\0", "") for body in BODIES]


def signatures_with_and_without_the_port_fit(server: Server):
    port = PUBLIC_URL + ":443/webhooks/twilio"
    assert post(server, inbound(100, "port"), signed_as=port).status_code == 200
    assert post(server, inbound(101, "http"), signed_as=port.replace("https", "http")).status_code == 403
    assert post(server, inbound(102, "token"), token="another").status_code == 403
    assert post(server, inbound(103, "account", AccountSid="AC" + "9" * 32)).status_code == 404
    assert post(server, inbound(104, "number", To="+15550000000")).status_code == 404


def media_and_odd_senders_are_taken(server: Server):
    media = {f"MediaUrl{n}": f"https://api.twilio.com/media/{n}" for n in range(10)} | {f"MediaContentType{n}": "image/png" for n in range(10)}
    assert post(server, inbound(200, "", NumMedia="10", **media)).status_code == 200
    for number, sender in enumerate(["262966", "DHL", "+266696687", "", "+86 10 1234 5678"], start=201):
        assert post(server, inbound(number, "odd", From=sender)).status_code == 200, sender


class AtSimulator(TwilioHttpClient):
    """The SDK's client, pointed at the simulator."""

    def __init__(self, base: str):
        super().__init__()
        self.base = urlsplit(base)

    def request(self, method, url, *args, **options):
        parts = urlsplit(url)
        return super().request(method, urlunsplit((self.base.scheme, self.base.netloc, parts.path, parts.query, "")), *args, **options)


def the_sdk_drives_the_simulator(server: Server):
    client = Client(SID, TOKEN, http_client=AtSimulator(server.sim))
    made = client.messages.create(to="+14155550199", from_=NUMBER, body="Hello")
    assert made.status == "queued" and client.messages(made.sid).fetch().body == "Hello"
    assert client.messages.create(to="+14155550199", messaging_service_sid=SERVICE, body="Service").from_ is None
    assert {message.sid for message in client.messages.list(to="+14155550199")} >= {made.sid}
    try:
        Client(SID, "wrong", http_client=AtSimulator(server.sim)).messages.create(to="+14155550199", from_=NUMBER, body="x")
    except TwilioRestException as refused:
        assert (refused.status, refused.code) == (401, 20003)
    else:
        raise AssertionError("a wrong token was accepted")


def a_reply_reaches_twilio_and_its_marks_advance(server: Server):
    answer = server.api("POST", "/api/v1/conversations/send", json={"phone": "(415) 555-0177", "message": "Hello!"}, headers={"Idempotency-Key": "once"})
    assert answer.status_code == 201, answer.text
    again = server.api("POST", "/api/v1/conversations/send", json={"phone": "(415) 555-0177", "message": "Hello!"}, headers={"Idempotency-Key": "once"})
    assert again.content == answer.content and again.headers["idempotent-replayed"] == "true"
    client = Client(SID, TOKEN, http_client=AtSimulator(server.sim))
    taken = [message for message in client.messages.list(to="+14155550177")]
    assert [message.body for message in taken] == ["Hello!"]
    message = answer.json()["data"]["message"]
    callback = {"MessageSid": taken[0].sid, "SmsSid": taken[0].sid, "AccountSid": SID, "From": NUMBER, "To": "+14155550177", "ApiVersion": "2010-04-01"}
    for status in ["delivered", "sent", "queued"]:
        assert post(server, callback | {"MessageStatus": status, "SmsStatus": status}).status_code == 200
    path = f"/api/v1/conversations/{answer.json()['data']['conversation']['id']}/messages"
    assert [row["delivery_state"] for row in server.api("GET", path).json()["data"] if row["id"] == message["id"]] == ["delivered"]


CASES = [signed_hooks_are_stored_once, signatures_with_and_without_the_port_fit, media_and_odd_senders_are_taken,
         the_sdk_drives_the_simulator, a_reply_reaches_twilio_and_its_marks_advance]
