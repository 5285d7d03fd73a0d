"""What a run reads of its records' texts."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select, update

from app.database import reading, transaction
from app.models import Project, Record
from app.similarity.recipe import Recipe
from app.training.texts import is_heard, texts_of, words_of_records
from tests.conftest import distinct_text
from tests.training.conftest import embedded_project, record_ids


@pytest.fixture
def project(database: str) -> Project:
    return embedded_project(n=12)


def test_texts_come_record_by_record_and_a_deleted_one_is_silent(project: Project) -> None:
    ids = np.array([*record_ids(project), 10**6], np.int64)

    with reading() as db:
        found = list(texts_of(db, ids))
        beginnings = list(texts_of(db, ids, 4))

    assert found == [*(distinct_text(n) for n in range(12)), ""]
    assert beginnings == ["text"] * 12 + [""]


def test_words_are_those_of_the_records_in_their_order(project: Project) -> None:
    ids = record_ids(project)
    with transaction() as db:
        rare = select(Record.id).where(Record.id.in_(ids[3:5]))
        db.execute(update(Record).where(Record.id.in_(rare)).values(text="parcel " * 200_000))

    with reading() as db:
        words = words_of_records(db, np.array(ids, np.int64))

    assert words is not None
    weights = np.zeros(12)
    for rows, counts in zip(words.rows, words.counts, strict=True):
        weights[rows] = np.asarray(counts.sum(axis=1)).ravel()
    assert np.flatnonzero(weights).tolist() == [3, 4]


def test_words_are_heard_of_heads_where_each_record_has_one_label(project: Project) -> None:
    several = Project(is_multi_label=True)

    assert is_heard(Recipe(), project)
    assert not is_heard(Recipe(), several)
    assert not is_heard(Recipe(words=0.0), project)
    assert not is_heard(replace(Recipe(), method="skip_triplet"), project)
