"""Deep runs: the whole encoder learns, whatever is killed or cancelled on the way."""

import hashlib
import itertools
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sqlalchemy import func, select, update

from app.db.session import read_session, write_session
from app.jobs.steps import JobCancelled
from app.ml.deep.recipe import DeepRecipe
from app.models import Artifact, Embedding, Project, Record, TrainingRun, User, Version, utc_now
from app.projects.labels import add_label
from app.search import index_maintenance as upkeep
from app.search import model_cache as base_models
from app.search.deep_versions import check_model, model_folder
from app.search.embedding import count_missing, embed_missing, load_all_vectors
from app.search.indexes import open_version
from app.search.model_cache import load_text_encoder
from app.search.similar import Seed, find_neighbours
from app.search.versions import find_active_version, find_raw_version, list_versions, roll_back
from app.settings import settings
from app.storage import CorruptFile
from app.training.pipeline import steps as loop
from app.training.runs import runs
from tests.conftest import make_project
from tests.forked import carry_on, process, status_of
from tests.tiny_encoder import save_tiny_encoder
from tests.training.conftest import NAMES, evaluations_of, label, record_ids

WORDS = (
    "parcel courier van doorstep delayed",
    "invoice refund card charged twice",
    "password login locked reset profile",
    "thanks great lovely superb helpful",
)
COMMON = "my your the please again today"
QUICK = DeepRecipe(batch_size=16, learning_rate=3e-3, epochs=4, checks=4, max_tokens=32)


def texts_of(n: int) -> list[str]:
    """Each of one of four kinds, by its word, beside a common one."""
    rng = np.random.default_rng(0)
    return [
        " ".join([*[WORDS[i % 4].split()[rng.integers(2)]] * 3, rng.choice(COMMON.split())])
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("tiny"), [*WORDS, COMMON])


@pytest.fixture
def project(ada: User, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """160 records embedded, 80 of them labeled, 20 of each kind."""
    monkeypatch.setenv("LIKEWISE_DEVICE", "cpu")
    monkeypatch.setenv("LIKEWISE_BASE_MODEL", str(tiny_model))
    settings.cache_clear()
    made = make_project()
    add_texts(made, texts_of(160))
    with write_session() as db:
        for name in NAMES:
            add_label(db, made.id, name, None)
    embed_missing(made.id, lambda done, total: None)
    label(made, ada, range(80))
    yield made
    base_models._loaded.clear()


def add_texts(project: Project, texts: list[str]) -> None:
    with write_session() as db:
        db.add_all(
            Record(
                project_id=project.id,
                external_id=f"{len(texts)}-{i}",
                text=text,
                fields={},
                content_hash=hashlib.sha256(text.encode()).hexdigest(),
            )
            for i, text in enumerate(texts)
        )


def queue(project: Project, recipe: DeepRecipe = QUICK, *, is_forced: bool = True) -> int:
    with write_session() as db:
        return runs.request_run(db, project, recipe, is_forced=is_forced).id


def take_steps(run_id: int) -> None:
    for _, step in loop.STEPS:
        step(run_id)


def row(run_id: int) -> TrainingRun:
    with read_session() as db:
        return db.get_one(TrainingRun, run_id)


def count(table: type, *conditions: object) -> int:
    with read_session() as db:
        counted = select(func.count()).select_from(table).where(*conditions)  # type: ignore[arg-type]
        return db.scalar(counted) or 0


def test_a_deep_run_groups_records_by_label_and_later_runs_build_on_it(
    project: Project, ada: User, tiny_model: Path
) -> None:
    run_id = queue(project)

    take_steps(run_id)

    run = row(run_id)
    assert (run.status, run.n_examples) == ("succeeded", 80)
    with read_session() as db:
        active = find_active_version(db, project.id)
        assert active is not None
        assert (active.id, active.kind, active.number) == (run.version_id, "deep", 2)
        raw = find_raw_version(db, project)
        assert raw is not None
        ids, before = load_all_vectors(db, raw.id)
        after_ids, after = load_all_vectors(db, active.id)
        version = open_version(db, active.id)
        folder = model_folder(db, active.id)
        measured = {(e.role, e.metric): e for e in evaluations_of(db, run_id) if e.k is None}
    assert ids.tolist() == after_ids.tolist() == version.index.ids.tolist()
    assert like_neighbours(before) < like_neighbours(after) == 1.0
    assert version.index.dimension == 32 + 4
    assert len(version.suggestions.ids) == 160
    # A fifth of 80, and those whose text is the same as one of them.
    assert measured["tuned", "accuracy"].n == measured["raw", "accuracy"].n == 19
    checked = [loss for _, loss in losses(run_id) if loss is not None]
    assert checked[-1] < checked[1]

    plain = SentenceTransformer(str(folder), device="cpu")
    assert np.allclose(plain.encode(texts_of(160)), after, atol=1e-5)
    assert "# An encoder tuned with Likewise" in (folder / "README.md").read_text()
    assert not any(path.suffix in {".bin", ".pt", ".pkl"} for path in folder.rglob("*"))

    add_texts(project, ["courier van delayed", "refund card please"])
    with read_session() as db:
        assert count_missing(db, project) == 2
    upkeep.embed_some(project.id, lambda done, total: None)
    upkeep.index_if_due(project.id)
    with read_session() as db:
        assert count_missing(db, project) == 0
        assert count(Embedding, Embedding.version_id == active.id) == 162
        assert count(Embedding, Embedding.version_id == raw.id) == 162
        assert open_version(db, active.id).index.n_records == 162
        found = find_neighbours(db, project, Seed("text", text="courier van delayed"), 1)
    assert found[0].record_id == record_ids(project)[160]
    assert found[0].similarity == pytest.approx(1.0, abs=1e-3)

    label(project, ada, range(80, 120))
    with write_session() as db:
        second = runs.request_run(db, project, is_forced=True).id
    take_steps(second)
    with read_session() as db:
        on_top = find_active_version(db, project.id)
        assert on_top is not None
        assert (on_top.kind, on_top.base_version_id) == ("head", active.id)
        assert open_version(db, on_top.id).index.dimension == 32 + 4
    with write_session() as db:
        assert roll_back(db, project, None).kind == "deep"
        assert roll_back(db, project, None).kind == "raw"
    with read_session() as db:
        hits = find_neighbours(db, project, Seed("text", text="courier van delayed"), 1)
    assert hits[0].record_id == record_ids(project)[160]


def like_neighbours(vectors: np.ndarray) -> float:
    """The share of each record's ten nearest that are of its kind."""
    similarities = vectors @ vectors.T - 2 * np.eye(len(vectors))
    nearest = np.argsort(-similarities, axis=1)[:, :10]
    kinds = np.arange(len(vectors)) % 4
    return float((kinds[nearest] == kinds[:, None]).mean())


@pytest.mark.sweep
def test_a_deep_run_that_was_killed_while_it_learned_goes_on_from_its_checkpoint(
    project: Project,
) -> None:
    straight = queue(project)
    take_steps(straight)
    with write_session() as db:
        roll_back(db, project, None)
    killed = queue(project)

    with process(carry_on, killed, failpoint="run.tune.loss:kill:14") as begun:
        assert status_of(begun) == -signal.SIGKILL
    place = settings().data_dir / f"runs/{killed}/deep/checkpoints"
    checkpoints = sorted(path.parent.name for path in place.glob("checkpoint-*/whole"))
    measured_before = len(losses(killed))
    carry_on(killed)

    assert checkpoints == ["checkpoint-8"]
    assert 0 < measured_before < len(losses(killed))
    assert [step for step, _ in losses(killed)] == [step for step, _ in losses(straight)]
    with read_session() as db:
        _, one = load_all_vectors(db, row(straight).version_id or 0)
        _, other = load_all_vectors(db, row(killed).version_id or 0)
    assert np.allclose(one, other, atol=1e-3)


@pytest.mark.sweep
def test_a_deep_run_that_was_killed_while_it_embedded_learns_nothing_anew(
    project: Project,
) -> None:
    run_id = queue(project)

    with process(carry_on, run_id, failpoint="run.tune.embedding:kill:2") as begun:
        assert status_of(begun) == -signal.SIGKILL
    measured = losses(run_id)
    carry_on(run_id)

    assert row(run_id).status == "succeeded"
    assert losses(run_id) == measured
    assert count(Version) == 2
    assert count(Embedding) == 2 * 160


def losses(run_id: int) -> list[tuple[int, float | None]]:
    with read_session() as db:
        return [(p.step, p.validation_loss) for p in runs.load_losses(db, run_id)]


def test_cancelling_a_deep_run_ends_it_within_a_batch_and_leaves_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.training.runs.progress.SECONDS_BETWEEN", 0.0)
    run_id = queue(project)
    keep_point = "app.training.pipeline.deep.failpoint"
    told = itertools.count()

    def ask_at_the_third_loss(name: str) -> None:
        if name == "run.tune.loss" and next(told) == 2:
            with write_session() as db:
                db.execute(update(TrainingRun).values(cancel_requested_at=utc_now()))

    monkeypatch.setattr(keep_point, ask_at_the_third_loss)
    loop.collect(run_id)
    with pytest.raises(JobCancelled):
        loop.tune(run_id)

    assert row(run_id).status == "cancelled"
    assert next(told) == 3
    assert not (settings().data_dir / f"runs/{run_id}").exists()
    assert count(Version) == 1


def test_a_run_that_fails_after_training_removes_its_model(project: Project) -> None:
    run_id = queue(project)
    loop.collect(run_id)
    loop.tune(run_id)
    with read_session() as db:
        assert [each.kind for each in list_versions(db, project.id)] == ["raw"]
    assert count(Version) == 2

    runs.fail_run(run_id, "The disk is gone.")

    assert count(Version) == 1
    assert count(Embedding) == 160
    assert count(Artifact, Artifact.kind.startswith("model-")) == 0
    assert list((settings().data_dir / "artifacts").glob("*-model")) == []


def test_a_modified_model_file_is_not_loaded(project: Project) -> None:
    run_id = queue(project)
    take_steps(run_id)
    with read_session() as db:
        encoder = find_active_version(db, project.id)
        assert encoder is not None
        folder = model_folder(db, encoder.id)
    base_models._loaded.clear()

    config = folder / "config_sentence_transformers.json"
    whole = config.read_bytes()
    config.write_bytes(whole + b" ")
    with read_session() as db, pytest.raises(CorruptFile, match="config_sentence_transformers"):
        load_text_encoder(db, encoder)
    config.write_bytes(whole)
    (folder / "stranger.py").write_text("print('hello')")
    with read_session() as db, pytest.raises(CorruptFile, match="stranger"):
        check_model(db, encoder.id)


@pytest.mark.parametrize("is_forced", [False, True])
def test_a_deep_version_that_could_not_be_measured_waits_for_a_person(
    project: Project, ada: User, *, is_forced: bool
) -> None:
    recipe = DeepRecipe.from_json({**QUICK.as_json(), "held_out": 0.0, "epochs": 1})
    run_id = queue(project, recipe, is_forced=is_forced)

    take_steps(run_id)

    verdict = row(run_id).verdict or ""
    assert verdict.startswith("Not measured: too few records are labeled")
    assert ("must be measured first" in verdict) is not is_forced
    with read_session() as db:
        active = find_active_version(db, project.id)
        assert active is not None
        assert active.kind == ("deep" if is_forced else "raw")
        assert [each.kind for each in list_versions(db, project.id)] == ["deep", "raw"]
