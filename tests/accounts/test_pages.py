from contextlib import ExitStack
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.accounts.display_preferences import DisplayPreferences
from app.accounts.invitations import create_first_admin_token, invite
from app.accounts.pages import local_path
from app.accounts.passwords import PLACES, hold_place
from app.accounts.users import create_user
from app.db.session import read_session, write_session
from app.models import Login, User, utc_now
from app.settings import settings
from tests.accounts.attempts import end_now
from tests.conftest import client_of, make_user

SECRET = "a sentence to remember"


@pytest.fixture
def ada(database: str) -> User:
    with write_session() as db:
        return create_user(db, "Ada", "admin", SECRET)


def log_in(client: TestClient, password: str = SECRET, **more: str) -> int:
    return client.post("/login", data={"name": "Ada", "password": password, **more}).status_code


@pytest.mark.usefixtures("ada")
def test_logging_in_gives_a_new_cookie_that_scripts_cannot_read() -> None:
    client = client_of(None)
    client.cookies.set("likewise", "planted by somebody")

    answer = client.post("/login", data={"name": "Ada", "password": SECRET, "next": "/me"})

    cookie = answer.headers.get_list("set-cookie")[0]
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    assert "planted" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert client.get("/me").status_code == 200


@pytest.mark.usefixtures("ada")
def test_over_https_the_cookie_is_bound_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKEWISE_IS_HTTPS", "true")
    settings.cache_clear()

    answer = client_of(None).post("/login", data={"name": "Ada", "password": SECRET})

    cookie = answer.headers.get_list("set-cookie")[0]
    assert cookie.startswith("__Host-likewise=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    device = answer.headers.get_list("set-cookie")[1]
    assert device.startswith("__Host-likewise-device=")
    assert "Secure" in device
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.usefixtures("ada")
def test_wrong_passwords_are_answered_alike_and_then_slowed_down() -> None:
    client = client_of(None)

    known = client.post("/login", data={"name": "Ada", "password": "wrong"})
    unknown = client.post("/login", data={"name": "Eve", "password": "wrong"})
    assert known.status_code == unknown.status_code == 401
    assert "Name or password is wrong." in known.text
    assert known.text.replace("Ada", "Eve") == unknown.text
    for _ in range(4):
        assert log_in(client, "wrong") == 401
    end_now()
    refused = client.post("/login", data={"name": "ada", "password": SECRET})

    assert refused.status_code == 429
    assert refused.headers["retry-after"] in ("1", "2")
    assert f"Wait {refused.headers['retry-after']} seconds" in refused.text


@pytest.mark.usefixtures("ada")
def test_a_known_device_can_log_in_during_an_attack() -> None:
    home, stranger = client_of(None), client_of(None)
    entered = home.post("/login", data={"name": "Ada", "password": SECRET})
    cookie = next(c for c in entered.headers.get_list("set-cookie") if "-device=" in c)
    assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Max-Age=31536000"))
    home.post("/logout")
    while log_in(stranger, "wrong") != 429:
        pass
    end_now()

    assert log_in(client_of(None)) == 429
    assert log_in(home) == 303


@pytest.mark.usefixtures("ada")
def test_the_password_page_is_throttled_and_shows_the_waiting_time() -> None:
    client = client_of(None)
    log_in(client)
    change = {"present": "wrong", "password": "another long sentence"}
    while (refused := client.post("/me/password", data=change)).status_code == 401:
        pass

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) <= 2


def test_too_many_logins_at_once_are_answered_with_retry_after(ada: User) -> None:
    with write_session() as db:
        link = invite(db, "annotator", by=ada)
    form = {"name": "Ben", "password": SECRET}
    client = client_of(None)
    with ExitStack() as places:
        for _ in range(PLACES):
            places.enter_context(hold_place(is_known=False))
        answers = [client.post("/login", data=form), client.post(f"/welcome/{link}", data=form)]
        # Refused before anything is hashed.
        assert client.post("/welcome/guessed", data=form).status_code == 404

    assert [answer.status_code for answer in answers] == [503, 503]
    assert {answer.headers["retry-after"] for answer in answers} == {"2"}
    assert all("Try again in a few seconds" in answer.text for answer in answers)
    assert client.post(f"/welcome/{link}", data=form).status_code == 303


@pytest.mark.usefixtures("ada")
def test_after_logging_out_the_old_cookie_is_worth_nothing() -> None:
    client = client_of(None)
    log_in(client)
    stolen = dict(client.cookies)

    assert client.post("/logout").headers["location"] == "/login"

    assert client.get("/me").status_code == 303
    client.cookies.update(stolen)
    assert client.get("/me").headers["location"] == "/login?next=/me"


@pytest.mark.parametrize(
    ("column", "age"), [("seen_at", timedelta(hours=13)), ("created_at", timedelta(days=8))]
)
def test_a_login_ends_by_itself(admin: TestClient, column: str, age: timedelta) -> None:
    assert admin.get("/me").status_code == 200

    with write_session() as db:
        db.execute(update(Login).values({column: utc_now() - age}))

    assert admin.get("/me").status_code == 303
    assert admin.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/projects/a?x=1", "/projects/a?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("", "/"),
    ],
)
def test_logging_in_leads_to_our_own_pages_only(asked: str, led: str) -> None:
    assert local_path(asked) == led


@pytest.mark.usefixtures("ada")
def test_an_open_redirect_is_refused_wherever_next_is_read() -> None:
    client = client_of(None)

    assert "evil" not in client.get("/login?next=//evil.example/").text
    answer = client.post(
        "/login", data={"name": "Ada", "password": SECRET, "next": "//evil.example/"}
    )
    assert answer.headers["location"] == "/"
    assert client.get("/login?next=https://evil.example/").headers["location"] == "/"


def test_the_first_link_leads_in_as_admin_and_works_once(nobody: TestClient) -> None:
    with write_session() as db:
        token = create_first_admin_token(db)
    assert "one-time link that the server printed" in nobody.get("/login").text
    assert "become the admin" in nobody.get(f"/welcome/{token}").text

    refused = nobody.post(f"/welcome/{token}", data={"name": "Ada", "password": "too short"})
    assert refused.status_code == 422
    assert "at least 12 characters" in refused.text
    entered = nobody.post(f"/welcome/{token}", data={"name": "Ada", "password": SECRET})

    assert entered.headers["location"] == "/"
    assert nobody.get("/users").status_code == 200
    again = client_of(None).post(f"/welcome/{token}", data={"name": "Eve", "password": SECRET})
    assert again.status_code == 409
    assert "already been used" in again.text
    assert client_of(None).get("/welcome/guessed").status_code == 404


def test_an_admin_invites_and_the_invited_comes_in_with_that_role(admin: TestClient) -> None:
    page = admin.post("/users/invitations", data={"role": "reviewer"}).text
    path = "/welcome/" + page.split("/welcome/")[1].split("<")[0].split('"')[0]
    assert path not in admin.get("/users").text

    client = client_of(None)
    client.post(path, data={"name": "Cem", "password": SECRET})

    assert client.get("/api/v1/me").json()["role"] == "reviewer"
    assert client.get("/users").status_code == 403


def test_a_name_that_is_taken_leaves_the_link_good(admin: TestClient) -> None:
    with write_session() as db:
        ada = db.scalars(select(User)).one()
        token = invite(db, "annotator", by=ada)
    client = client_of(None)

    taken = client.post(f"/welcome/{token}", data={"name": "ADA", "password": SECRET})
    assert taken.status_code == 409
    assert "named “ADA” already" in taken.text

    assert (
        client.post(f"/welcome/{token}", data={"name": "Ben", "password": SECRET}).headers[
            "location"
        ]
        == "/"
    )


def test_a_disabled_user_is_out_at_once_and_cannot_come_back(admin: TestClient) -> None:
    with write_session() as db:
        ben = create_user(db, "ben", "annotator", SECRET)
    client = client_of(ben)
    assert client.get("/me").status_code == 200

    assert admin.post(f"/users/{ben.id}/disable").headers["location"] == "/users"

    assert client.get("/me").status_code == 303
    assert client.post("/login", data={"name": "ben", "password": SECRET}).status_code == 401
    admin.post(f"/users/{ben.id}/enable")
    assert client.post("/login", data={"name": "ben", "password": SECRET}).status_code == 303


def test_a_password_link_does_not_work_while_its_user_is_disabled(admin: TestClient) -> None:
    ben = make_user("ben", "annotator")
    page = admin.post(f"/users/{ben.id}/invitation").text
    path = "/welcome/" + page.split("/welcome/")[1].split("<")[0].split('"')[0]
    admin.post(f"/users/{ben.id}/disable")
    client = client_of(None)

    for refused in (client.get(path), client.post(path, data={"password": SECRET})):
        assert refused.status_code == 409
        assert "This account is disabled. Ask an admin to enable it" in refused.text
        assert "set-cookie" not in refused.headers
    admin.post(f"/users/{ben.id}/enable")

    assert client.post("/login", data={"name": "ben", "password": SECRET}).status_code == 401
    assert client.post(path, data={"password": SECRET}).status_code == 303
    assert client.get("/me").status_code == 200


def test_a_new_role_takes_effect_at_once_and_ends_the_logins(admin: TestClient) -> None:
    ben = make_user("ben", "annotator")
    client = client_of(ben)

    admin.post(f"/users/{ben.id}/role", data={"role": "reviewer"})

    assert client.get("/me").status_code == 303
    assert client_of(ben).get("/api/v1/me").json()["role"] == "reviewer"
    assert admin.post(f"/users/{ben.id}/role", data={"role": "king"}).status_code == 422
    assert admin.post("/users/999/role", data={"role": "admin"}).status_code == 404


def test_only_admins_manage_users(annotator: TestClient) -> None:
    assert annotator.get("/users").status_code == 403
    assert annotator.get("/api/v1/users").status_code == 403
    for path in ("/users/invitations", "/users/1/role"):
        assert annotator.post(path, data={"role": "admin"}).status_code == 403
    for path in ("/users/1/disable", "/users/1/enable", "/users/1/invitation"):
        assert annotator.post(path).status_code == 403


def test_changing_the_password_logs_every_other_browser_out(ada: User) -> None:
    here, there = client_of(None), client_of(ada)
    log_in(here)
    change = {"present": SECRET, "password": "another long sentence"}

    assert here.post("/me/password", data=change | {"present": "wrong"}).status_code == 401
    assert here.post("/me/password", data=change | {"password": "short"}).status_code == 422
    assert there.get("/me").status_code == 200
    assert here.post("/me/password", data=change).status_code == 303

    assert here.get("/me?changed=true").status_code == 200
    assert there.get("/me").status_code == 303
    assert log_in(client_of(None)) == 401
    assert log_in(client_of(None), "another long sentence") == 303


def test_preferences_are_stored_independently(admin: TestClient) -> None:
    admin.post("/me/preferences", json={"keys": {"skip": "w"}, "density": "high"})

    answer = admin.post("/me/preferences", json={"density": None, "view": "card"})

    assert answer.json() == {"keys": {"skip": "w"}, "view": "card"}
    assert admin.get("/api/v1/me").json()["preferences"] == answer.json()
    assert admin.post("/me/preferences", json={"Bad key": 1}).status_code == 422
    assert admin.post("/me/preferences", json={"keys": "x" * 9000}).status_code == 422
    with read_session() as db:
        assert db.scalars(select(User.preferences)).one() == answer.json()


def test_the_look_of_the_labeling_page_is_chosen_and_nothing_else_is_touched(
    admin: TestClient,
) -> None:
    admin.post("/me/preferences", json={"keys": {"skip": "w"}, "digits_7": [3, None]})

    kept = admin.post("/me/display", data={"density": "compact", "text_size": "large"})

    assert kept.headers["location"] == "/me?kept=true#look"
    page = admin.get("/me?kept=true").text
    assert '<option value="compact" selected>' in page
    assert '<option value="large" selected>' in page
    assert page.count(" checked>") == 0
    assert admin.get("/api/v1/me").json()["preferences"] == {
        "keys": {"skip": "w"},
        "digits_7": [3, None],
        "density": "compact",
        "text_size": "large",
        "shows_differences": False,
        "is_reranked": False,
    }
    assert admin.post("/me/display", data={"density": "x", "text_size": "y"}).status_code == 422


def test_a_stored_look_that_makes_no_sense_is_the_usual_one() -> None:
    stored = {"density": 7, "text_size": "huge", "is_reranked": False}

    assert DisplayPreferences.from_user(User(preferences=stored)) == DisplayPreferences(
        is_reranked=False
    )
