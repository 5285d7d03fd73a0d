"""How long a session takes to start in a large project, by what it starts from.

usage: sessions.py [--records 200000] [--labels 2000] [--rounds 5] [--data FOLDER]

Makes a project in a data folder (kept and used again if --data names it): records whose vectors lie
in clusters, as those of real texts do, labels on some of them, a raw version and a tuned one with
suggestions. Then starts a session of every kind, forecasts it, and asks for the order of an open
one, in this process: milliseconds of CPU time at the median, which other work on the machine does
not change, and by the clock.
"""

import argparse
import contextlib
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from results_store import store_results
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.db import schema
from app.db.session import read_session, write_session
from app.errors import Conflict
from app.labeling.sessions.forecast import forecast_by_version
from app.labeling.sessions.next_best import load_offers
from app.labeling.sessions.reranking import compute_order
from app.labeling.sessions.session_list import load_session_lists
from app.labeling.sessions.sessions import build_seed, load_record_ids, start_next, start_session
from app.ml.index import VectorIndex
from app.models import (
    Annotation,
    Consensus,
    Import,
    Label,
    Project,
    Record,
    User,
    UserAction,
    utc_now,
)
from app.search.similar import Seed
from app.search.suggestions import Suggestions, save_suggestions
from app.search.versions import activate, publish
from app.settings import settings
from app.storage import store_file

N_CLUSTERS, N_LABELS, DIMENSION = 400, 8, 384
AT_ONCE = 10_000
Floats = NDArray[np.float32]


def main() -> None:
    """Make what is missing, then measure and keep."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--records", type=int, default=200_000)
    asked.add_argument("--labels", type=int, default=2_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--data", type=Path)
    words = asked.parse_args()
    folder = words.data or Path(tempfile.mkdtemp(prefix="likewise-sessions-"))
    os.environ["LIKEWISE_DATA_DIR"] = str(folder)
    settings.cache_clear()
    if not (folder / "likewise.sqlite3").exists():
        make(words.records, words.labels)
    rows = [{"records": words.records, **row} for row in measured(words.rounds)]
    for row in rows:
        print("  ".join(f"{value:>9}" if i else str(value) for i, value in enumerate(row.values())))
    store_results("sessions", rows)


def make(n: int, n_labeled: int) -> None:
    """Make a project of n records, n_labeled of them labeled by one admin."""
    schema.upgrade()
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, N_CLUSTERS, n)
    centres = rng.normal(size=(N_CLUSTERS, DIMENSION)).astype(np.float32)
    vectors = centres[clusters] + rng.normal(size=(n, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with write_session() as db:
        db.add(User(name="ada", name_key="ada", role="admin"))
        project = Project(slug="large", name="Large", base_model="none", min_labels=25)
        db.add(project)
        db.flush()
        add_records(db.connection().execute, project, n)
        labels = [
            Label(
                project_id=project.id,
                name=f"label {i}",
                name_key=f"label {i}",
                colour=i,
                position=i,
            )
            for i in range(N_LABELS)
        ]
        db.add_all(labels)
        db.flush()
        label_ids = [label.id for label in labels]
        ids = np.array(db.scalars(select(Record.id).order_by(Record.id)).all(), np.int64)
    publish_versions(project, ids, vectors, clusters % N_LABELS, label_ids)
    say(project, ids, clusters % N_LABELS, label_ids, rng.permutation(n)[:n_labeled])


def add_records(execute: Callable[..., object], project: Project, n: int) -> None:
    """Short texts, the last tenth of them by a later import."""
    now = utc_now()
    for start in range(0, n, AT_ONCE):
        texts = [f"message number {i} of a large project" for i in range(start, start + AT_ONCE)]
        execute(
            insert(Record),
            [
                {
                    "project_id": project.id,
                    "external_id": f"r{start + i}",
                    "text": text,
                    "content_hash": hashlib.sha256(text.encode()).hexdigest(),
                    "fields": {},
                    "created_at": now,
                    "updated_at": now,
                }
                for i, text in enumerate(texts[: n - start])
            ],
        )
    execute(
        insert(Import).values(
            project_id=project.id,
            file_name="m.csv",
            file="imports/1",
            format="csv",
            mapping={},
            status="succeeded",
            attempt=1,
            n_stored=n,
            n_read=n,
            created_at=now,
            started_at=now,
        )
    )


def publish_versions(
    project: Project,
    ids: NDArray[np.int64],
    vectors: Floats,
    classes: NDArray[np.int64],
    label_ids: list[int],
) -> None:
    """Return a raw version, and an active one that suggests rightly nine times in ten."""
    rng = np.random.default_rng(1)
    odds = rng.gumbel(size=(len(ids), N_LABELS)) + 4 * np.eye(N_LABELS)[classes]
    chances = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    tuned = np.concatenate([vectors, chances], axis=1)
    found = Suggestions(ids, tuple(label_ids), chances.astype(np.float16))
    raw_files = {"index": store_file("index", VectorIndex.build(ids, vectors).save)}
    files = {
        "index": store_file("index", VectorIndex.build(ids, tuned.astype(np.float32)).save),
        "suggestions": store_file("suggestions", lambda path: save_suggestions(found, path)),
    }
    with write_session() as db:
        raw = publish(
            db, project, kind="raw", base_version=None, files=raw_files, n_records=len(ids)
        )
        db.flush()
        encoder = publish(
            db, project, kind="head", base_version=raw, files=files, n_records=len(ids)
        )
        activate(db, encoder, by=None, reason="better")


def say(
    project: Project,
    ids: NDArray[np.int64],
    classes: NDArray[np.int64],
    label_ids: list[int],
    rows: NDArray[np.int64],
) -> None:
    """One act that labels these rows; one in a hundred of them wrongly."""
    with write_session() as db:
        action = UserAction(project_id=project.id, user_id=1, kind="page", key="all")
        db.add(action)
        db.flush()
        each = [
            (int(ids[row]), label_ids[(classes[row] + (place % 100 == 0)) % N_LABELS])
            for place, row in enumerate(rows)
        ]
        shared = {"action_id": action.id, "project_id": project.id}
        db.execute(
            insert(Annotation),
            [
                {
                    "record_id": record_id,
                    "label_id": label_id,
                    "user_id": 1,
                    "source": "page",
                    "verdict": "label",
                    **shared,
                }
                for record_id, label_id in each
            ],
        )
        db.execute(
            insert(Consensus),
            [
                {"record_id": record_id, "label_id": label_id, **shared}
                for record_id, label_id in each
            ],
        )


def measured(rounds: int) -> list[dict[str, object]]:
    """Each kind of session, then the pages about them."""
    with read_session() as db:
        project = db.scalars(select(Project)).one()
        user = db.scalars(select(User).where(User.name == "ada")).one()
        first = db.scalars(select(Record.id).order_by(Record.id).limit(5)).all()
        label_id = db.scalars(select(Label.id).order_by(Label.id).limit(1)).one()
    seeds = seeds_of(first, label_id)
    rows = [
        row_of(kind, rounds, partial(start_or_none, project, user, kind, seed))
        for kind, seed in seeds.items()
    ]
    session = start_session(project, user, "record", seed=seeds["record"], k=1_000)
    rows.append(row_of("next best", rounds, lambda: start_next(project, user)))

    def expected(db: Session) -> object:
        return forecast_by_version(db, project, session.version_id, load_record_ids(db, session))

    asked: dict[str, Callable[[Session], object]] = {
        "offers": lambda db: load_offers(db, project, user.id),
        "lists": lambda db: load_session_lists(db, project, user),
        "order of 1,000": lambda db: compute_order(db, project, session, user.id),
        "forecast of 1,000": expected,
    }
    return rows + [row_of(name, rounds, partial(read, verb)) for name, verb in asked.items()]


def seeds_of(first: Sequence[int], label_id: int) -> dict[str, Seed | None]:
    """Every kind of session, with what it is asked for."""
    seeds: dict[str, Seed | None] = {
        "record": build_seed("record", first[:1]),
        "selection": build_seed("selection", first),
        "label": build_seed("label", label_id=label_id),
        "given": build_seed("given", first),
        "suggested": build_seed("suggested", label_id=label_id),
    }
    plain = (
        "cold_start",
        "uncertain",
        "coverage",
        "recent",
        "likely_mislabeled",
        "contradictions",
        "random",
        "audit",
    )
    return seeds | dict.fromkeys(plain)


def start_or_none(project: Project, user: User, kind: str, seed: Seed | None) -> None:
    """Where nothing is left, finding that out is what takes the time."""
    with contextlib.suppress(Conflict):
        start_session(project, user, kind, seed=seed)


def read(verb: Callable[[Session], object]) -> object:
    """Read what a page reads."""
    with read_session() as db:
        return verb(db)


def row_of(name: str, rounds: int, verb: Callable[[], object]) -> dict[str, object]:
    """Median milliseconds, after a first go that opens files."""
    verb()
    cpu, clock = [], []
    for _ in range(rounds):
        began, at = time.process_time(), time.perf_counter()
        verb()
        cpu.append(1000 * (time.process_time() - began))
        clock.append(1000 * (time.perf_counter() - at))
    return {
        "what": name,
        "cpu_ms": round(statistics.median(cpu), 1),
        "ms": round(statistics.median(clock), 1),
    }


if __name__ == "__main__":
    main()
