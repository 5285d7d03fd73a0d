from datetime import timedelta

from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.database import reading, transaction
from app.models import ApiToken, User, utc_now
from tests.conftest import client_of, make_user


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


def test_only_the_hash_is_kept_and_its_use_is_noted(admin: TestClient) -> None:
    token = new_token(admin)

    client_of(None).get("/api/v1/me", headers=bearer(token))

    with reading() as db:
        row = db.scalars(select(ApiToken)).one()
    assert token not in (row.token_hash, row.prefix)
    assert row.used_at is not None


def test_a_token_ends_with_its_time_and_with_its_user(admin: TestClient) -> None:
    token, program = new_token(admin), client_of(None)

    with transaction() as db:
        db.execute(update(ApiToken).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert program.get("/api/v1/me", headers=bearer(token)).status_code == 401
    with transaction() as db:
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
