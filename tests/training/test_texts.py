"""What a run reads of its records' texts."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select, update

from app.db.session import read_session, write_session
from app.ml.recipe import Recipe
from app.models import Project, Record
from app.training.pipeline.inputs import load_word_features, uses_words
from app.training.pipeline.snapshot import iterate_texts
from tests.conftest import distinct_text
from tests.training.conftest import embedded_project, record_ids


@pytest.fixture
def project(database: str) -> Project:
    return embedded_project(n=12)


def test_texts_come_record_by_record_and_a_deleted_one_is_silent(project: Project) -> None:
    ids = np.array([*record_ids(project), 10**6], np.int64)

    with read_session() as db:
        found = list(iterate_texts(db, ids))
        beginnings = list(iterate_texts(db, ids, 4))

    assert found == [*(distinct_text(n) for n in range(12)), ""]
    assert beginnings == ["text"] * 12 + [""]


def test_words_are_those_of_the_records_in_their_order(project: Project) -> None:
    ids = record_ids(project)
    with write_session() as db:
        rare = select(Record.id).where(Record.id.in_(ids[3:5]))
        db.execute(update(Record).where(Record.id.in_(rare)).values(text="parcel " * 200_000))

    with read_session() as db:
        words = load_word_features(db, np.array(ids, np.int64))

    assert words is not None
    weights = np.zeros(12)
    for rows, counts in zip(words.rows, words.counts, strict=True):
        weights[rows] = np.asarray(counts.sum(axis=1)).ravel()
    assert np.flatnonzero(weights).tolist() == [3, 4]


def test_words_are_used_by_single_label_heads_only(project: Project) -> None:
    several = Project(is_multi_label=True)

    assert uses_words(Recipe(), project)
    assert not uses_words(Recipe(), several)
    assert not uses_words(Recipe(words=0.0), project)
    assert not uses_words(replace(Recipe(), method="skip_triplet"), project)
