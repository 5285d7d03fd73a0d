"""Messages arrive signed, are tried again, never reach inside, and are given up in the end."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from app.db.session import read_session, write_session
from app.models import Delivery, Project, User, Webhook, utc_now
from app.notifications.delivery import (
    RETRY_DELAYS,
    deliver,
    list_due_deliveries,
    note_crashed_attempt,
)
from app.notifications.events import Event, announce
from app.notifications.safe_http import Unreachable, require_public
from app.notifications.subscriptions import set_email, subscribe
from app.notifications.webhooks import add_webhook, sign_headers
from app.settings import settings
from tests.conftest import client_of, make_project, make_user
from tests.notifications.conftest import Mailbox, Receiver

FAILED = Event("run.failed", "Run 1 failed: no memory.", "/projects/letters/training/runs/1")


@pytest.fixture
def project(ada: User) -> Project:
    return make_project()


def announced(project: Project, url: str, *, is_private: bool) -> tuple[Webhook, int]:
    """A webhook, and the id of the delivery that is on its way to it."""
    with write_session() as db:
        webhook = add_webhook(db, project, url, by=None, is_private=is_private)
        announce(db, project, FAILED)
    with read_session() as db:
        return webhook, list_due_deliveries(db, utc_now())[0][0]


def delivery(delivery_id: int) -> Delivery:
    with read_session() as db:
        return db.get_one(Delivery, delivery_id)


def test_the_signature_is_that_of_the_specifications_own_example() -> None:
    headers = sign_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_arrives_once_and_its_receiver_can_check_it(
    project: Project, receiver: Receiver
) -> None:
    webhook, on_its_way = announced(project, receiver.url, is_private=True)

    deliver(on_its_way)
    deliver(on_its_way)

    [(headers, body)] = receiver.heard
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body)["data"]["sentence"] == "Run 1 failed: no memory."
    assert delivery(on_its_way).delivered_at is not None
    with read_session() as db:
        assert list_due_deliveries(db, utc_now() + timedelta(days=2)) == []


def test_what_is_refused_is_tried_again_later_and_then_given_up(
    project: Project, receiver: Receiver
) -> None:
    receiver.status = 500
    _, on_its_way = announced(project, receiver.url, is_private=True)

    before = utc_now()
    deliver(on_its_way)
    after = utc_now()

    first = delivery(on_its_way)
    assert first.error == "The response was 500 instead of 2xx."
    assert first.attempt == 2
    assert first.next_attempt_at is not None
    assert before <= first.next_attempt_at - RETRY_DELAYS[0] <= after
    for _ in RETRY_DELAYS:
        deliver(on_its_way)
    last = delivery(on_its_way)
    assert (last.next_attempt_at, last.abandoned_at is not None) == (None, True)
    assert len(receiver.heard) == 1 + len(RETRY_DELAYS)


def test_an_address_inside_is_refused_unless_the_operator_allowed_it(
    project: Project, receiver: Receiver
) -> None:
    _, on_its_way = announced(project, receiver.url, is_private=False)

    deliver(on_its_way)

    assert receiver.heard == []
    assert "is in a private network" in (delivery(on_its_way).error or "")


def test_redirects_are_not_followed(project: Project, receiver: Receiver) -> None:
    receiver.status = 307
    _, on_its_way = announced(project, receiver.url, is_private=True)

    deliver(on_its_way)

    assert len(receiver.heard) == 1
    assert delivery(on_its_way).error == "The response was 307 instead of 2xx."


@pytest.mark.parametrize(
    "inside",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.9",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "::1",
        "fe80::1%eth0",
        "fd00::7",
        "::ffff:10.0.0.1",
        "224.0.0.1",
    ],
)
def test_no_address_inside_is_taken_for_a_public_one(inside: str) -> None:
    with pytest.raises(Unreachable, match="private network"):
        require_public("example.org", ["93.184.216.34", inside])


def test_a_public_address_is_taken() -> None:
    require_public("example.org", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])


def test_an_accident_counts_as_a_failed_try(project: Project, receiver: Receiver) -> None:
    _, on_its_way = announced(project, receiver.url, is_private=True)

    note_crashed_attempt(on_its_way, "The worker broke.")

    assert (delivery(on_its_way).attempt, delivery(on_its_way).error) == (2, "The worker broke.")


def test_mail_goes_to_subscribers(
    project: Project, ada: User, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKEWISE_SMTP_URL", mailbox.url)
    monkeypatch.setenv("LIKEWISE_PUBLIC_URL", "https://labels.example.org")
    settings.cache_clear()
    with write_session() as db:
        set_email(db, ada.id, "ada@example.org")
        subscribe(db, project.id, ada.id, by_email=True)
        announce(db, project, FAILED)
    with read_session() as db:
        [(on_its_way, _)] = list_due_deliveries(db, utc_now())

    deliver(on_its_way)

    [message] = mailbox.messages
    assert "To: ada@example.org" in message
    assert "From: likewise@example.org" in message
    assert "Subject: letters: Run 1 failed: no memory." in message
    assert "https://labels.example.org/projects/letters/training/runs/1" in message


def test_admins_add_test_and_remove_webhooks_and_annotators_see_none(
    project: Project, ada: User, receiver: Receiver
) -> None:
    admin, annotator = client_of(ada), client_of(make_user("ben", "annotator"))
    page = "/projects/letters/notifications"
    added = admin.post(f"{page}/webhooks", data={"url": "https://example.org/hook"})
    [webhook] = admin.get("/api/v1/projects/letters/webhooks").json()

    assert "whsec_" in added.text
    assert "whsec_" not in admin.get(page).text
    assert webhook["secret"] is None
    assert admin.post(f"{page}/webhooks/{webhook['id']}/test").status_code == 303
    assert "ping" in admin.get(page).text
    assert "example.org" not in annotator.get(page).text
    assert annotator.post(f"{page}/webhooks", data={"url": "https://a.org"}).status_code == 403
    assert admin.post(f"{page}/webhooks/{webhook['id']}/remove").status_code == 303
    assert admin.get("/api/v1/projects/letters/webhooks").json() == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.org/x", "must start with https://"),
        ("https://", "must start with https://"),
        ("https://ada:secret@example.org", "Remove user name and password"),
        ("http://example.org:22/", "Port 22 is not allowed"),
        ("http://example.org:port/", "is not a valid URL"),
    ],
)
def test_what_is_no_address_is_refused_in_words(ada: User, url: str, words: str) -> None:
    make_project()
    answer = client_of(ada).post("/projects/letters/notifications/webhooks", data={"url": url})

    assert answer.status_code == 422
    assert words in answer.text


def test_a_message_given_up_can_be_sent_again(
    project: Project, ada: User, receiver: Receiver
) -> None:
    receiver.status = 500
    _, on_its_way = announced(project, receiver.url, is_private=True)
    for _ in range(1 + len(RETRY_DELAYS)):
        deliver(on_its_way)
    receiver.status = 200

    again = client_of(ada).post(f"/projects/letters/notifications/deliveries/{on_its_way}/retry")
    deliver(on_its_way)

    assert again.status_code == 303
    assert delivery(on_its_way).delivered_at is not None
