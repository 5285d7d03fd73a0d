"""Evaluation of versions on the hold-out sample, without bias.

Sessions choose which records are labeled, so metrics on those labels hold for the chosen records.
The hold-out sample was drawn at random (app.labeling.team.holdout), so its metrics hold for every
record of the project.

Decision: a record counts for a version only if that version cannot have learned from it: it was in
the hold-out sample when the version's run took its snapshot, or neither it nor a near-copy had an
annotation by then.
Decision: "none of these" and deleted labels count as wrong suggestions, as they do for the people
who work with them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import id_chunks
from app.labeling.team.holdout import count_holdout, is_in_holdout
from app.ml.evaluation.activation_gate import RAW
from app.ml.evaluation.comparison import Difference, Score
from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.evaluation.predict import Baseline, align_predictions
from app.ml.evaluation.predictions import ExampleScores, FoldPredictions
from app.ml.evaluation.ranking import rank_rows
from app.ml.evaluation.scores import compare_scores
from app.ml.examples import Examples
from app.ml.heads.baselines import RawHead
from app.ml.heads.head import Head
from app.ml.vectors import Ids, Vectors
from app.models import Consensus, Project, Record, TrainingRun, Version
from app.search.indexes import LoadedVersion, NotIndexed, open_version
from app.search.versions import find_active_version, find_version
from app.storage import CorruptFile
from app.training.pipeline.baseline import find_run_of_version, load_seen_record_ids
from app.training.pipeline.holdout_examples import (
    MIN_HOLDOUT_RECORDS,
    HoldoutRecords,
    HoldoutSample,
    build_empty_examples,
    compute_holdout_scores,
    join_examples,
)
from app.training.pipeline.snapshot import load_near_copy_keys


@dataclass(frozen=True)
class HoldoutScores:
    """Evaluate raw, tuned and the active version on the hold-out sample; empty with too few
    labels."""

    raw: tuple[Score, ...] = ()
    tuned: tuple[Score, ...] = ()
    active: tuple[Score, ...] = ()
    differences: tuple[Difference, ...] = ()


def load_holdout_records(
    db: Session, project: Project, runs: Sequence[TrainingRun]
) -> HoldoutRecords:
    """Return the labeled hold-out records that none of these runs can have learned from, neither
    from the record nor from a near-copy."""
    carried: dict[int, set[int]] = defaultdict(set)
    rows = db.execute(
        select(Record.id, Consensus.label_id)
        .join(Consensus, Consensus.record_id == Record.id)
        .where(Record.project_id == project.id, is_in_holdout(project.id))
    )
    for record_id, label_id in rows:
        carried[record_id] |= set() if label_id is None else {label_id}
    ids = np.array(sorted(carried), np.int64)
    keys = load_near_copy_keys(db, ids)
    learned = set[bytes]().union(*(_load_learned_keys(db, run) for run in runs if keys))
    kept = [row for row, key in enumerate(keys) if key not in learned]
    # Digests of equal length, so that NumPy can compare them.
    _, groups = np.unique([keys[row].hex() for row in kept], return_inverse=True)
    labels = tuple(frozenset(carried[int(ids[row])]) for row in kept)
    return HoldoutRecords(ids[kept], labels, groups.astype(np.int64))


def _load_learned_keys(db: Session, run: TrainingRun) -> set[bytes]:
    """Return the near-copy keys of what a run may have learned from: records that had been judged
    when it took its snapshot and were not held out then."""
    judged = load_seen_record_ids(db, run)
    ids = [
        record_id
        for some in id_chunks(judged)
        for record_id in db.scalars(
            select(Record.id).where(Record.id.in_(some), Record.content_hash > run.holdout_until)
        )
    ]
    return set(load_near_copy_keys(db, np.array(sorted(ids), np.int64)))


def evaluate_on_holdout(
    head: Head,
    inputs: tuple[Ids, Vectors, Examples],
    baseline: Baseline | None,
    own_records: HoldoutRecords,
    shared_records: HoldoutRecords,
    base: Head | None = None,
) -> HoldoutScores:
    """Compare raw with the run's head, and the head with the champion, each pair on one sample.

    material  the run's record ids, their raw vectors, and the examples that it learned from
    ours      what the run cannot have learned from; both: nor the champion's run
    base      what reads the raw vectors from those of the material, if they hold others too
    """
    vectors = inputs[1]
    sample = HoldoutSample(inputs, own_records)
    tuned = sample.predict(head, vectors)
    raw = sample.predict(base or RawHead(vectors.shape[1]), vectors)
    if tuned is None or raw is None:
        return HoldoutScores()
    bootstrap = BootstrapSamples(tuned.examples.groups)
    holdout = HoldoutScores(
        compute_holdout_scores(raw, bootstrap),
        compute_holdout_scores(tuned, bootstrap),
        (),
        _compare_pair(tuned, raw, RAW, bootstrap),
    )
    if baseline is None:
        return holdout
    sample = HoldoutSample(inputs, shared_records)
    tuned_on_shared, active = (
        sample.predict(head, vectors),
        sample.predict(baseline.head, baseline.vectors),
    )
    if tuned_on_shared is None or active is None:
        return holdout
    bootstrap = BootstrapSamples(tuned_on_shared.examples.groups)
    differences = (
        *holdout.differences,
        *_compare_pair(tuned_on_shared, active, baseline.name, bootstrap),
    )
    return replace(
        holdout, active=compute_holdout_scores(active, bootstrap), differences=differences
    )


def score_version_now(db: Session, project: Project, version: Version) -> tuple[Score, ...]:
    """Evaluate a version on the hold-out sample by its stored suggestions and vectors; cheap.

    A raw version has no suggestions, so only holdout_r_precision. Empty below LEAST_AUDITED and
    where the version's files cannot be opened, which search reports.
    """
    run = find_run_of_version(db, version)
    found = load_holdout_records(db, project, [] if run is None else [run])
    if len(found.record_ids) < MIN_HOLDOUT_RECORDS:
        return ()
    try:
        loaded = open_version(db, version.id)
    except (NotIndexed, CorruptFile):
        return ()
    is_there = np.isin(found.record_ids, loaded.index.ids)
    ids, groups = found.record_ids[is_there], found.groups[is_there]
    if len(ids) < MIN_HOLDOUT_RECORDS:
        return ()
    known = loaded.suggestions.label_ids
    none = build_empty_examples(known, is_multi_label=project.is_multi_label)
    labels = [each for each, there in zip(found.labels, is_there, strict=True) if there]
    examples = join_examples(none, np.arange(len(ids)), labels, groups)
    example_scores = ExampleScores(examples, (min(10, len(ids) - 1),))
    example_scores.add(np.arange(len(ids)), _predict_now(loaded, ids, examples))
    scores = compute_holdout_scores(example_scores, BootstrapSamples(examples.groups))
    return tuple(score for score in scores if known or score.metric == "holdout_r_precision")


def _predict_now(loaded: LoadedVersion, ids: Ids, examples: Examples) -> FoldPredictions:
    """Return the neighbours and suggestions of these records, in their order."""
    ranked = rank_rows(loaded.index.vectors(ids), groups=examples.groups)
    known = loaded.suggestions.label_ids
    if not known:
        return FoldPredictions(ranked, np.zeros_like(examples.label_matrix()), None)
    return FoldPredictions(
        ranked, *align_predictions(loaded.suggestions.probabilities(ids), known, examples)
    )


def _compare_pair(
    tuned: ExampleScores, other: ExampleScores, against: str, bootstrap: BootstrapSamples
) -> tuple[Difference, ...]:
    keys = (("accuracy", None), ("r_precision", None))
    found = [compare_scores(tuned, other, key, against, bootstrap) for key in keys]
    return tuple(replace(each, metric=f"holdout_{each.metric}") for each in found if each)


def holdout_as_json(db: Session, project: Project, number: int | None = None) -> dict[str, Any]:
    """Return the hold-out sample and the scores of that version, or of the active one."""
    if number is None:
        version = find_active_version(db, project.id)
    else:
        version = find_version(db, project.id, number)
    names = ("metric", "k", "n", "value", "low", "high", "chance")
    scores = () if version is None else score_version_now(db, project, version)
    return asdict(count_holdout(db, project.id)) | {
        "version": None if version is None else version.number,
        "scores": [{name: getattr(score, name) for name in names} for score in scores],
    }
