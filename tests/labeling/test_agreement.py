import pytest

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.team.agreement import (
    Agreement,
    cohen_kappa,
    compute_agreement,
    compute_observed_agreement,
    krippendorff_alpha,
)
from tests.conftest import make_user
from tests.labeling.conftest import Desk

# Krippendorff 2011, his example C: four observers, twelve units, nominal data, missing answers.
EXAMPLE_C = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""


def answers(table: str) -> dict[int, dict[int, frozenset[int | None]]]:
    rows = [line.split() for line in table.split("\n") if line]
    found: dict[int, dict[int, frozenset[int | None]]] = {}
    for user, row in enumerate(rows):
        for record, said in enumerate(row):
            if said != ".":
                found.setdefault(record, {})[user] = frozenset({int(said)})
    return {record: of for record, of in found.items() if len(of) > 1}


def measured(desk: Desk) -> Agreement:
    with read_session() as db:
        return compute_agreement(db, desk.project)


def test_alpha_is_that_of_the_published_example() -> None:
    assert krippendorff_alpha(answers(EXAMPLE_C)) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(answers("1 1 1\n1 1 1")) is None
    assert krippendorff_alpha({}) is None
    assert krippendorff_alpha(answers("1 2 1\n1 2 1")) == pytest.approx(1.0)


def test_kappa_is_that_of_the_textbook() -> None:
    yes, no = frozenset[int | None]({1}), frozenset[int | None]({2})
    pairs = [(yes, yes)] * 20 + [(yes, no)] * 5 + [(no, yes)] * 10 + [(no, no)] * 15

    assert cohen_kappa(pairs) == pytest.approx(0.4)
    assert cohen_kappa([(yes, yes)] * 3) is None
    assert compute_observed_agreement(answers("1 1 2\n1 2 2")) == pytest.approx(2 / 3)


def test_agreement_counts_current_votes(desk: Desk) -> None:
    cleo = make_user("cleo", "annotator")
    desk.label(desk.ada, (0, 0), (1, 0), (2, 1), (3, 1), (4, None), key="a")
    desk.label(desk.ben, (0, 0), (1, 1), (2, 1), (3, 1), (4, None), (5, 0), key="b")
    desk.label(desk.ben, (1, 0), key="better")
    desk.label(cleo, (0, 1), key="c")
    with write_session() as db:
        annotate(db, desk.project, cleo.id, [AnnotationInput(desk.records[1], "skip")], key="s")

    found = measured(desk)

    assert found.n_records == 5
    assert found.share == pytest.approx((4 + 1 / 3) / 5)
    assert found.alpha is not None
    assert found.low is not None
    assert found.low < found.alpha <= (found.high or 0)
    pairs = {(pair.user, pair.other): (pair.n, pair.share, pair.kappa) for pair in found.pairs}
    assert pairs["ada", "ben"][:2] == (5, 1.0)
    assert pairs["ada", "ben"][2] == pytest.approx(1.0)
    assert pairs["ada", "cleo"] == (1, 0.0, 0.0)


def test_agreement_needs_two_votes(desk: Desk) -> None:
    desk.label(desk.ada, (0, 0), key="a")

    assert measured(desk) == Agreement(0, None, None, None, None, [])
