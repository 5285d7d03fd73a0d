from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.accounts.users import create_user
from app.db.session import read_session, write_session
from app.models import ApiToken, User, utc_now
from tests.conftest import client_of, make_user

SECRET = "a sentence to remember"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def new_token(client: TestClient) -> str:
    answer = client.post("/api/v1/tokens", json={"name": "nightly import"})
    assert answer.status_code == 201
    token: str = answer.json()["token"]
    return token


def test_a_token_acts_as_its_user_until_it_is_revoked(admin: TestClient) -> None:
    token, program = new_token(admin), client_of(None)

    assert program.get("/api/v1/me", headers=bearer(token)).json()["name"] == "ada"
    listed = admin.get("/api/v1/tokens").json()
    assert [(each["name"], each["prefix"]) for each in listed] == [("nightly import", token[:10])]
    assert admin.delete(f"/api/v1/tokens/{listed[0]['id']}").status_code == 204

    assert program.get("/api/v1/me", headers=bearer(token)).status_code == 401
    assert admin.get("/api/v1/tokens").json() == []


def test_only_the_hash_of_a_token_is_stored_and_its_use_is_logged(admin: TestClient) -> None:
    token = new_token(admin)

    client_of(None).get("/api/v1/me", headers=bearer(token))

    with read_session() as db:
        row = db.scalars(select(ApiToken)).one()
    assert token not in (row.token_hash, row.prefix)
    assert row.used_at is not None


def test_a_token_ends_with_its_time_and_with_its_user(admin: TestClient) -> None:
    token, program = new_token(admin), client_of(None)

    with write_session() as db:
        db.execute(update(ApiToken).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert program.get("/api/v1/me", headers=bearer(token)).status_code == 401
    with write_session() as db:
        db.execute(update(ApiToken).values(expires_at=utc_now() + timedelta(days=1)))
        db.execute(update(User).values(is_active=False))
    assert program.get("/api/v1/me", headers=bearer(token)).status_code == 401


def test_nobody_can_revoke_anybody_elses_token(admin: TestClient) -> None:
    new_token(admin)
    token_id = admin.get("/api/v1/tokens").json()[0]["id"]
    ben = client_of(make_user("ben", "annotator"))

    assert ben.delete(f"/api/v1/tokens/{token_id}").status_code == 404
    assert ben.post(f"/me/tokens/{token_id}/revoke").status_code == 404
    assert len(admin.get("/api/v1/tokens").json()) == 1


def test_a_token_that_lasts_too_long_or_has_no_name_is_refused(admin: TestClient) -> None:
    for body in ({"name": "x", "days": 400}, {"name": ""}, {"name": "x", "scope": "all"}):
        assert admin.post("/api/v1/tokens", json=body).status_code == 422
    assert admin.post("/me/tokens", data={"name": "   "}).status_code == 422


def test_the_page_shows_a_new_token_once(admin: TestClient) -> None:
    page = admin.post("/me/tokens", data={"name": "nightly", "days": "30"}).text

    token = page.split("<code>lw_")[1].split("</code>")[0]
    assert client_of(None).get("/api/v1/me", headers=bearer("lw_" + token)).status_code == 200
    assert token not in admin.get("/me").text


def change_password(admin: TestClient, ben: TestClient, user: User) -> None:
    change = {"present": SECRET, "password": "another long sentence"}
    assert ben.post("/me/password", data=change).status_code == 303


def use_a_link(admin: TestClient, ben: TestClient, user: User) -> None:
    page = admin.post(f"/users/{user.id}/invitation").text
    path = "/welcome/" + page.split("/welcome/")[1].split("<")[0].split('"')[0]
    assert client_of(None).post(path, data={"password": SECRET}).status_code == 303


def disable_and_enable(admin: TestClient, ben: TestClient, user: User) -> None:
    for change in ("disable", "enable"):
        assert admin.post(f"/users/{user.id}/{change}").status_code == 303


@pytest.mark.parametrize("end", [change_password, use_a_link, disable_and_enable])
def test_tokens_end_for_good(
    admin: TestClient, end: Callable[[TestClient, TestClient, User], None]
) -> None:
    with write_session() as db:
        user = create_user(db, "ben", "annotator", SECRET)
    ben, program = client_of(user), client_of(None)
    tokens, kept = [new_token(ben) for _ in range(2)], new_token(admin)
    assert program.get("/api/v1/me", headers=bearer(tokens[0])).status_code == 200

    end(admin, ben, user)

    for token in tokens:
        assert program.get("/api/v1/me", headers=bearer(token)).status_code == 401
    assert program.get("/api/v1/me", headers=bearer(kept)).status_code == 200
    assert [each["user"] for each in admin.get("/api/v1/users/tokens").json()] == ["ada"]


def test_an_admin_sees_and_revokes_everyones_tokens(admin: TestClient) -> None:
    ben, cem = (client_of(make_user(name, "annotator")) for name in ("ben", "cem"))
    first, second = new_token(ben), new_token(cem)
    new_token(admin)

    listed = admin.get("/api/v1/users/tokens").json()
    page = admin.get("/users/tokens").text

    assert [(each["user"], each["prefix"]) for each in listed[1:]] == [
        ("ben", first[:10]),
        ("cem", second[:10]),
    ]
    assert first not in page + str(listed)
    assert all(f"<code>{token[:10]}…</code>" in page for token in (first, second))
    assert admin.delete(f"/api/v1/users/tokens/{listed[1]['id']}").status_code == 204
    revoked = admin.post(f"/users/tokens/{listed[2]['id']}/revoke")
    assert revoked.headers["location"] == "/users/tokens"
    for token in (first, second):
        assert client_of(None).get("/api/v1/me", headers=bearer(token)).status_code == 401
    assert [each["user"] for each in admin.get("/api/v1/users/tokens").json()] == ["ada"]
    assert admin.delete("/api/v1/users/tokens/999").status_code == 404
    assert admin.post("/users/tokens/999/revoke").status_code == 404


def test_nobody_else_sees_or_revokes_them(admin: TestClient) -> None:
    new_token(admin)
    token_id = admin.get("/api/v1/tokens").json()[0]["id"]
    for role in ("annotator", "reviewer"):
        client = client_of(make_user(role, role))
        assert client.get("/users/tokens").status_code == 403
        assert client.get("/api/v1/users/tokens").status_code == 403
        assert client.delete(f"/api/v1/users/tokens/{token_id}").status_code == 403
        assert client.post(f"/users/tokens/{token_id}/revoke").status_code == 403
    assert len(admin.get("/api/v1/tokens").json()) == 1


@pytest.mark.parametrize("path", ["/api/v1/tokens", "/me/tokens"])
def test_a_token_cannot_make_one_that_ends_later(admin: TestClient, path: str) -> None:
    answer = admin.post("/api/v1/tokens", json={"name": "ten days", "days": 10})
    program = client_of(None)
    program.headers.update(bearer(answer.json()["token"]))

    def ask(days: int) -> int:
        body = {"name": "x", "days": days}
        is_page = path.startswith("/me")
        sent = program.post(path, data=body) if is_page else program.post(path, json=body)
        return sent.status_code

    assert [ask(days) for days in (10, 90, 366)] == [422, 422, 422]
    assert ask(9) in (200, 201)
    listed = admin.get("/api/v1/tokens").json()
    assert [each["name"] for each in listed] == ["x", "ten days"]
    assert listed[0]["expires_at"] < listed[1]["expires_at"]
