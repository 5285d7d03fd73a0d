"""What happened is told to those who asked, and to nobody else."""

from fastapi.testclient import TestClient

from app.db.session import read_session, write_session
from app.models import Delivery, Membership, Notification, Project
from app.notifications.events import Event, announce
from app.notifications.subscriptions import set_email, subscribe
from app.notifications.webhooks import add_webhook
from tests.conftest import client_of, make_project, make_user

DONE = Event("run.succeeded", "Run 3: better.", "/projects/letters/training/runs/3", {"run": 3})


def told(project: Project) -> tuple[list[Notification], list[Delivery]]:
    with read_session() as db:
        return (
            db.query(Notification).order_by(Notification.user_id).all(),
            db.query(Delivery).order_by(Delivery.id).all(),
        )


def tell(project: Project, event: Event = DONE, also: int | None = None) -> None:
    with write_session() as db:
        announce(db, project, event, also)


def test_subscribers_are_notified_once_and_others_never(database: str) -> None:
    project = make_project()
    ada, ben = make_user("ada"), make_user("ben", "annotator")
    make_user("eve", "annotator")
    with write_session() as db:
        subscribe(db, project.id, ben.id)

    tell(project, also=ada.id)
    tell(project, Event("version.activated", "Search uses version 2.", "/x"), also=ada.id)

    notifications, deliveries = told(project)
    assert [(each.user_id, each.sentence) for each in notifications] == [
        (ada.id, "Run 3: better."),
        (ben.id, "Run 3: better."),
    ]
    assert deliveries == []


def test_former_members_get_no_notifications_of_a_closed_project(database: str) -> None:
    project = make_project()
    ben, eve = make_user("ben", "annotator"), make_user("eve", "annotator")
    with write_session() as db:
        db.get_one(Project, project.id).is_open = False
        db.add(Membership(project_id=project.id, user_id=eve.id))
        for user in (ben, eve):
            subscribe(db, project.id, user.id)
    with read_session() as db:
        project = db.get_one(Project, project.id)

    tell(project)

    assert [each.user_id for each in told(project)[0]] == [eve.id]


def test_webhooks_get_every_event_and_mailboxes_subscribed_ones(database: str) -> None:
    project, ada = make_project(), make_user("ada")
    with write_session() as db:
        webhook = add_webhook(db, project, "https://example.org/hook", by=ada)
        set_email(db, ada.id, "ada@example.org")
        subscribe(db, project.id, ada.id, by_email=True)

    tell(project)
    tell(project, Event("version.rolled_back", "Search uses version 1 again.", "/x"))

    deliveries = told(project)[1]
    assert [(each.kind, each.webhook_id, each.user_id) for each in deliveries] == [
        ("run.succeeded", webhook.id, None),
        ("run.succeeded", None, ada.id),
        ("version.rolled_back", webhook.id, None),
    ]
    assert deliveries[0].body["data"] == {
        "project": "letters",
        "sentence": "Run 3: better.",
        "run": 3,
        "url": "/projects/letters/training/runs/3",
    }


def test_the_bell_counts_what_is_new_until_it_was_read(database: str) -> None:
    project, ada = make_project(), make_user("ada")
    browser = client_of(ada)
    assert "new" not in browser.get("/notifications/bell").text
    tell(project, also=ada.id)
    tell(project, also=ada.id)

    assert "2 new" in browser.get("/notifications/bell").text
    newest = max(each["id"] for each in browser.get("/api/v1/notifications").json())
    assert 'href="/projects/letters/training/runs/3"' in browser.get("/notifications").text
    tell(project, also=ada.id)
    browser.post("/notifications/seen", data={"up_to": newest})

    assert "1 new" in browser.get("/notifications/bell").text


def test_a_user_subscribes_and_unsubscribes(database: str) -> None:
    project = make_project()
    browser = client_of(make_user("ben", "annotator"))
    page = f"/projects/{project.slug}/notifications"

    assert "Notify me when a run ends" in browser.get(f"{page}/subscription").text
    browser.post(f"{page}/subscription", data={"tell": "yes"})
    assert "You are notified when a run ends" in browser.get(f"{page}/subscription").text
    tell(project)
    browser.post(f"{page}/subscription", data={"tell": "no"})
    tell(project)

    assert len(told(project)[0]) == 1


def test_mail_needs_an_address_and_an_address_is_looked_at(annotator: TestClient) -> None:
    make_project()
    without = annotator.post("/projects/letters/notifications/subscription", data={"tell": "email"})
    wrong = annotator.post("/notifications/email", data={"email": "ada at example"})
    sly = annotator.post("/notifications/email", data={"email": "a@b.org\nBcc: c@d.org"})

    assert (without.status_code, wrong.status_code, sly.status_code) == (422, 422, 422)
    assert "“ada at example” is not an e-mail address" in wrong.text
    assert annotator.post("/notifications/email", data={"email": "ben@b.org"}).status_code == 303
    assert (
        annotator.post(
            "/projects/letters/notifications/subscription", data={"tell": "email"}
        ).status_code
        == 303
    )
