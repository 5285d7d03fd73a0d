"""A bundle holds all that is needed, nothing of the records, and its own instructions work."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.db.session import read_session
from app.models import Artifact, Project, Record, User, Version
from app.search.indexes import open_version
from app.search.model_cache import load_text_encoder
from app.settings import settings
from app.storage import CorruptFile
from tests.conftest import client_of

pytestmark = pytest.mark.once


@pytest.fixture
def bundle(project: Project, ada: User) -> zipfile.ZipFile:
    answer = client_of(ada).get("/projects/letters/versions/2/bundle")
    assert answer.headers["content-disposition"] == ('attachment; filename="letters-version-2.zip"')
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_the_bundle_has_card_head_labels_and_metrics_and_no_records(
    bundle: zipfile.ZipFile,
) -> None:
    facts = json.loads(bundle.read("version.json"))
    figures = json.loads(bundle.read("figures.json"))

    assert sorted(bundle.namelist()) == [
        "README.md",
        "figures.json",
        "head.safetensors",
        "version.json",
    ]
    assert facts["labels"] == ["Delivery", "Payment", "Account", "Praise"]
    assert (figures["number"], figures["n_examples"]) == (1, 40)
    assert figures["tuned"]
    with read_session() as db:
        texts = [record.text for record in db.query(Record)]
    everything = b"".join(bundle.read(name) for name in bundle.namelist())
    assert [text for text in texts if text.encode() in everything] == []


def test_the_lines_of_its_card_give_the_tuned_vectors_without_the_application(
    bundle: zipfile.ZipFile, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.extractall(tmp_path / "bundle")
    code = re.findall(r"```python\n(.*?)```", bundle.read("README.md").decode(), re.DOTALL)[0]
    assert "likewise" not in code
    monkeypatch.chdir(tmp_path / "bundle")
    found: dict[str, Any] = {}

    exec(code.replace("a text", "refund my card"), found)

    with read_session() as db:
        version = open_version(db, db.query(Version).filter_by(number=2).one().id)
        raw = load_text_encoder(db, version.version).encode(["refund my card"])
    np.testing.assert_allclose(found["v"], version.head.tune(raw), atol=2e-4)
    expected = version.head.suggest(raw)
    assert expected is not None
    assert found["p"].argmax() == expected.argmax()
    np.testing.assert_allclose(found["shown"].max(), expected.max(), atol=2e-4)


def test_a_damaged_file_is_refused_and_not_given_away(project: Project, ada: User) -> None:
    with read_session() as db:
        head = db.query(Artifact).filter_by(kind="head").one()
    path = settings().data_dir / head.file
    path.write_bytes(path.read_bytes()[:-1] + b"\0")

    answer = client_of(ada).get("/api/v1/projects/letters/versions/2/bundle")

    assert answer.status_code == CorruptFile.status
    assert "damaged or missing" in answer.json()["title"]


def test_the_raw_version_shows_how_to_load_its_base_model(project: Project, ada: User) -> None:
    answer = client_of(ada).get("/projects/letters/versions/1/bundle")
    raw = zipfile.ZipFile(io.BytesIO(answer.content))

    assert sorted(raw.namelist()) == ["README.md", "version.json"]
    assert "SentenceTransformer(" in raw.read("README.md").decode()


def test_the_bundle_of_the_base_model_has_a_card_whose_lines_give_its_vectors(
    project: Project, ada: User
) -> None:
    answer = client_of(ada).get("/api/v1/projects/letters/versions/1/bundle")

    assert answer.status_code == 200
    bundle = zipfile.ZipFile(io.BytesIO(answer.content))
    assert sorted(bundle.namelist()) == ["README.md", "version.json"]
    code = re.findall(r"```python\n(.*?)```", bundle.read("README.md").decode(), re.DOTALL)[0]
    assert f'SentenceTransformer("{project.base_model}")' in code
