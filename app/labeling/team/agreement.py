"""How far people agree about records that several of them judged."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.labeling.annotations.votes import human_vote_conditions, load_current_votes
from app.models import Annotation, Project, User
from app.models.enums import Verdict
from app.projects.label_resolver import load_merge_targets

Judgement = frozenset[int | None]
"""What one person says about a record: its labels, or {None} for "none of these"."""
Judgements = Mapping[int, Mapping[int, Judgement]]
"""Record id → user id → answer."""
Floats = NDArray[np.float64]

NONE_OF_THESE: Judgement = frozenset({None})

N_DRAWS = 1_000


@dataclass(frozen=True)
class Pair:
    """Two people, and the n records that both judged: the share on which they gave one answer.

    kappa  the same beyond chance; None where chance alone would make them agree always
    """

    user: str
    other: str
    n: int
    share: float
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """n_records that two people or more judged; share of pairs of answers about one record that
    are equal; alpha: the same beyond chance, between low and high with 95 % confidence.

    None where there is nothing to compare, or but one answer was ever given.
    """

    n_records: int
    share: float | None
    alpha: float | None
    low: float | None
    high: float | None
    pairs: list[Pair]


def compute_agreement(db: Session, project: Project) -> Agreement:
    """How far the project's people agree, by what they say now; files are not people, skips are no
    answers. In a multi-label project answers are equal when all their labels are."""
    judgements = _load_judgements(db, project)
    share, alpha = compute_observed_agreement(judgements), krippendorff_alpha(judgements)
    low, high = _bootstrap_interval(judgements) if alpha is not None else (None, None)
    return Agreement(len(judgements), share, alpha, low, high, _build_pairs(db, judgements))


def compute_observed_agreement(judgements: Judgements) -> float | None:
    """Compute the share of pairs of answers about one record that are equal, each record counted
    alike."""
    if not judgements:
        return None
    return float(
        np.mean(
            [_compute_unit_agreement(list(by_user.values())) for by_user in judgements.values()]
        )
    )


def krippendorff_alpha(judgements: Judgements) -> float | None:
    """1 when people always agree, 0 when they do as often as chance would make them, less when
    they agree more seldom; None for no records or a single answer.

    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability: nominal data, any number
    of observers, missing answers.
    """
    kinds = _group_kinds(judgements)
    alpha = float(_compute_alphas(kinds, kinds.n[None, :])[0])
    return None if np.isnan(alpha) else alpha


def cohen_kappa(pairs: Sequence[tuple[Judgement, Judgement]]) -> float | None:
    """Agreement of two people beyond chance; None where each gave one and the same answer always.

    Source: Cohen 1960, A coefficient of agreement for nominal scales.
    """
    n = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(first[each] * second[each] for each in first) / n**2
    if by_chance == 1:
        return None
    return (sum(a == b for a, b in pairs) / n - by_chance) / (1 - by_chance)


def _compute_unit_agreement(unit: Sequence[Judgement]) -> float:
    m = len(unit)
    equal = sum(count * (count - 1) for count in Counter(unit).values())
    return equal / (m * (m - 1))


@dataclass(frozen=True)
class UnitKinds:
    """Records with the same answers, told apart by nothing else.

    n (q,) records of each kind; counts (q, K) how often each of the K answers was given on one
    differing  (q,) the pairs of answers that differ, by the number of answers less one
    """

    n: Floats
    counts: Floats
    differing: Floats


def _group_kinds(judgements: Judgements) -> UnitKinds:
    units = Counter(frozenset(Counter(by_user.values()).items()) for by_user in judgements.values())
    given = sorted({judgement for unit in units for judgement, _ in unit}, key=str)
    counts = np.zeros((len(units), len(given)))
    for row, unit in enumerate(units):
        for judgement, count in unit:
            counts[row, given.index(judgement)] = count
    m = counts.sum(axis=1)
    differing = (m**2 - (counts**2).sum(axis=1)) / (m - 1)
    return UnitKinds(np.array(list(units.values()), np.float64), counts, differing)


def _compute_alphas(kinds: UnitKinds, n: Floats) -> Floats:
    """Alpha of each row of n (draws, q), records of each kind; NaN for a single answer."""
    counts = n @ kinds.counts
    total = counts.sum(axis=1)
    expected = total**2 - (counts**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - (total - 1) * (n @ kinds.differing) / expected, np.float64)


def _bootstrap_interval(judgements: Judgements) -> tuple[float | None, float | None]:
    """95 % of alpha over records drawn again with replacement (Efron 1979)."""
    kinds, n = _group_kinds(judgements), len(judgements)
    resampled = np.random.default_rng(0).multinomial(n, kinds.n / n, N_DRAWS).astype(np.float64)
    alphas = _compute_alphas(kinds, resampled)
    known = alphas[np.isfinite(alphas)]
    if len(known) == 0:
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _build_pairs(db: Session, judgements: Judgements) -> list[Pair]:
    together: dict[tuple[int, int], list[tuple[Judgement, Judgement]]] = defaultdict(list)
    for by_user in judgements.values():
        for one, other in combinations(sorted(by_user), 2):
            together[one, other].append((by_user[one], by_user[other]))
    people = {each for pair in together for each in pair}
    names = dict(db.execute(select(User.id, User.name).where(User.id.in_(people))).all())
    return [
        Pair(
            names.get(one, ""),
            names.get(other, ""),
            len(pairs),
            sum(a == b for a, b in pairs) / len(pairs),
            cohen_kappa(pairs),
        )
        for (one, other), pairs in sorted(together.items(), key=lambda each: -len(each[1]))
    ]


def _load_judgements(db: Session, project: Project) -> dict[int, dict[int, Judgement]]:
    judged = (
        select(Annotation.record_id)
        .where(*human_vote_conditions(project.id))
        .group_by(Annotation.record_id)
        .having(func.count(Annotation.user_id.distinct()) > 1)
    )
    targets = load_merge_targets(db, project.id)
    judgements: dict[int, dict[int, Judgement]] = {}
    for record_id, votes in load_current_votes(db, db.scalars(judged)).items():
        by_user: dict[int, Judgement] = {
            vote.user_id: frozenset(targets.get(i, i) for i in vote.label_ids) or NONE_OF_THESE
            for vote in votes
            if vote.is_person and vote.verdict != Verdict.SKIP and vote.user_id is not None
        }
        if len(by_user) > 1:
            judgements[record_id] = by_user
    return judgements
