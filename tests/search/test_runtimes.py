"""A version's runtime is settled before its first vector, and computes all of them ever after."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.db.session import read_session
from app.ml.encoding import agreement, runtime_trial
from app.ml.encoding.encoder import Encoder as Encodes
from app.ml.encoding.encoder import load_encoder
from app.ml.encoding.runtime import OpenVinoEncoder
from app.models import Artifact, Project, Version
from app.search import model_cache as base_models
from app.search import runtimes
from app.search.deep_versions import find_prepared, prepare_deep
from app.search.embedding import embed_with, load_all_vectors
from app.search.index_revisions import write_index
from app.search.model_cache import BaseModelMissing, is_loaded, load_text_encoder
from app.search.runtimes import settle_runtime
from app.search.similar import Seed, find_neighbours
from app.settings import settings
from app.storage import CorruptFile
from tests.search.conftest import TEXTS, active, add_records, embed_all
from tests.tiny_encoder import save_tiny_encoder

pytest.importorskip("openvino")


@pytest.fixture
def fresh() -> Iterator[None]:
    """Nothing is loaded yet, as in a process that has just begun."""
    base_models._loaded.clear()
    yield
    base_models._loaded.clear()


def set_runtime(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("LIKEWISE_RUNTIME", name)
    settings.cache_clear()


@pytest.fixture
def project(
    new_project: Callable[[str], Project], fresh: None, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """Forty messages without vectors, where OpenVINO is asked for."""
    # So few texts, on so small a model, are over too soon to be timed.
    monkeypatch.setattr(runtime_trial, "LEAST_SPEEDUP", 0.0)
    set_runtime(monkeypatch, "openvino")
    project = new_project("letters")
    add_records(project, TEXTS)
    return project


def runtime_files(encoder: Version) -> list[Artifact]:
    with read_session() as db:
        of_kind = (Artifact.version_id == encoder.id, Artifact.kind == "runtime")
        return list(db.scalars(select(Artifact).where(*of_kind)))


def loaded(encoder: Version) -> Encodes:
    with read_session() as db:
        return load_text_encoder(db, encoder).encoder


def test_vectors_and_questions_are_computed_by_the_runtime_that_stood_its_trial(
    project: Project, loaded_tiny: Encodes
) -> None:
    embed_all(project)
    version = active(project)
    write_index(version.id)

    assert version.runtime == "openvino"
    assert "on 40 texts the mean cosine to torch is" in version.runtime_reason
    assert len(runtime_files(version)) == 1
    runtime = loaded(version)
    assert isinstance(runtime, OpenVinoEncoder)
    with read_session() as db:
        stored = load_all_vectors(db, version.id)[1]
        [hit] = find_neighbours(db, project, Seed("text", text="my lamp is late"), 1)
    np.testing.assert_array_equal(stored, runtime.encode(TEXTS))
    cosines = np.einsum("ij,ij->i", stored, loaded_tiny.encode(TEXTS))
    assert cosines.min() > 0.995
    assert hit.similarity == pytest.approx(1, abs=1e-3)


def test_the_setting_changes_nothing_about_a_settled_version(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_all(project)
    set_runtime(monkeypatch, "torch")
    base_models._loaded.clear()

    add_records(project, ["my kettle came twice"])
    embed_all(project)

    version = active(project)
    assert version.runtime == "openvino"
    with read_session() as db:
        stored = load_all_vectors(db, version.id)[1]
    np.testing.assert_array_equal(stored[-1:], loaded(version).encode(["my kettle came twice"]))
    assert settle_runtime(version).runtime_reason == version.runtime_reason
    assert len(runtime_files(version)) == 1


def test_a_version_with_vectors_by_torch_stays_on_torch(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_runtime(monkeypatch, "torch")
    embed_all(project)
    assert active(project).runtime_reason == "Chosen in the settings."

    set_runtime(monkeypatch, "openvino-int8")
    add_records(project, ["my kettle came twice"])
    embed_all(project)

    assert active(project).runtime == "torch"
    assert runtime_files(active(project)) == []


def test_vectors_that_nobody_settled_were_made_with_torch(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.search.embedding.settle_runtime", lambda encoder: encoder)
    embed_all(project)
    assert active(project).runtime is None

    settled = settle_runtime(active(project))

    assert (settled.runtime, settled.runtime_reason) == (
        "torch",
        "The existing embeddings were computed with torch.",
    )


def test_a_runtime_that_fails_its_trial_is_replaced_by_torch_with_the_reason(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_runtime(monkeypatch, "openvino-int8")
    monkeypatch.setattr(agreement, "LEAST_COSINE", 1.01)

    embed_all(project)

    version = active(project)
    assert version.runtime == "torch"
    assert "openvino-int8 is calibrated on 50 texts or more" in version.runtime_reason
    assert version.runtime_reason.endswith("That is not enough.")
    assert runtime_files(version) == []
    assert not list((settings().data_dir / "artifacts").glob("*runtime*"))


def test_int8_gives_way_to_floating_point(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_runtime(monkeypatch, "openvino-int8")

    embed_all(project)

    assert active(project).runtime == "openvino"


def test_without_openvino_torch_is_used_and_the_reason_stored(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "list_missing_packages", lambda name: ["openvino", "onnx"])

    embed_all(project)

    assert active(project).runtime == "torch"
    assert active(project).runtime_reason == (
        "openvino needs openvino and onnx: pip install 'likewise[accel]'."
    )


def test_a_process_without_openvino_names_the_missing_package(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_all(project)
    base_models._loaded.clear()
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(
        BaseModelMissing, match=r"Version 1 was created with openvino\. OpenVINO is not"
    ):
        loaded(active(project))


def test_a_damaged_runtime_is_not_loaded(project: Project) -> None:
    embed_all(project)
    base_models._loaded.clear()
    [artifact] = runtime_files(active(project))
    path = settings().data_dir / artifact.file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(CorruptFile, match=artifact.file):
        loaded(active(project))


def test_pages_know_whether_a_question_is_answered_at_once(project: Project) -> None:
    embed_all(project)
    with read_session() as db:
        assert is_loaded(db, active(project))
        base_models._loaded.clear()
        assert not is_loaded(db, active(project))


def test_a_trial_that_was_cut_off_is_made_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object, **__: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as cut:
        cut.setattr(runtimes, "add_artifacts", cut_off)
        with pytest.raises(RuntimeError, match="the power went"):
            embed_all(project)
    assert active(project).runtime is None

    embed_all(project)

    assert active(project).runtime == "openvino"
    assert len(runtime_files(active(project))) == 1


def test_only_some_runtimes_stay_in_memory(
    project: Project, new_project: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "MOST_RUNTIMES", 1)
    embed_all(project)
    other = new_project("others")
    add_records(other, TEXTS)

    embed_all(other)

    with read_session() as db:
        assert is_loaded(db, active(other))
        assert not is_loaded(db, active(project))


def test_a_deep_version_has_a_runtime_of_its_own(project: Project, tmp_path: Path) -> None:
    embed_all(project)
    folder = save_tiny_encoder(tmp_path / "tuned", TEXTS, seed=1)
    by_torch = load_encoder(str(folder), "cpu").encode(TEXTS)
    prepare_deep(project.id, 7, folder)
    with read_session() as db:
        deep = find_prepared(db, 7)
    assert deep is not None

    embed_with(deep, lambda n_done, n_total: None)

    with read_session() as db:
        settled = db.get_one(Version, deep.id)
        vectors = load_all_vectors(db, deep.id)[1]
        raw = load_all_vectors(db, active(project).id)[1]
    assert settled.runtime == "openvino"
    assert runtime_files(settled)[0].file != runtime_files(active(project))[0].file
    assert np.einsum("ij,ij->i", vectors, by_torch).min() > 0.995
    assert np.einsum("ij,ij->i", vectors, raw).mean() < 0.9
