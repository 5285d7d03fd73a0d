"""What every evaluation shares: references, the hold-out sample, retention, single queries."""

from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from app.db.session import read_session
from app.ml.evaluation.activation_gate import decide
from app.ml.evaluation.comparison import Comparison
from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.evaluation.neighbour_retention import measure_retention, pick_probes
from app.ml.evaluation.predict import Baseline
from app.ml.heads.storage import load_head
from app.ml.vectors import unit_rows
from app.models import Project, TrainingRun
from app.search.versions import find_active_version
from app.training.pipeline import workspace
from app.training.pipeline.baseline import find_baseline, find_run_of_version
from app.training.pipeline.holdout import HoldoutScores, load_holdout_records
from app.training.pipeline.holdout_examples import HoldoutRecords
from app.training.pipeline.inputs import TrainingInputs
from app.training.pipeline.query_results import save_query_results
from app.training.pipeline.snapshot import load_snapshot
from app.training.reports.segments import compute_segment_gains, load_fields


@dataclass(frozen=True)
class References:
    """What a new version is measured against and by.

    baseline        the active version, where it can be compared
    own_holdout     hold-out records that the run cannot have learned from
    shared_holdout  those of them that the active version's run cannot have learned from either
    """

    baseline: Baseline | None
    own_holdout: HoldoutRecords
    shared_holdout: HoldoutRecords


def load_references(run: TrainingRun, inputs: TrainingInputs) -> References:
    """Load the baseline and the hold-out records of a run that was learned from these inputs."""
    snapshot = load_snapshot(workspace.file_path(run.id, workspace.SNAPSHOT))
    with read_session() as db:
        project = db.get_one(Project, run.project_id)
        own = (inputs.raw_id, inputs.vectors)
        baseline = find_baseline(db, project, snapshot, inputs.ids, own)
        active = find_active_version(db, project.id)
        active_run = None if active is None else find_run_of_version(db, active)
        own_holdout = load_holdout_records(db, project, [run])
        if active_run is None:
            return References(baseline, own_holdout, own_holdout)
        return References(
            baseline, own_holdout, load_holdout_records(db, project, [run, active_run])
        )


def add_holdout_scores(comparison: Comparison, holdout: HoldoutScores) -> Comparison:
    """Return the comparison with the scores on the hold-out sample, and decided anew by all of
    it."""
    if not holdout.tuned:
        return comparison
    measured = replace(
        comparison,
        raw=(*comparison.raw, *holdout.raw),
        tuned=(*comparison.tuned, *holdout.tuned),
        active=(*comparison.active, *holdout.active),
        differences=(*comparison.differences, *holdout.differences),
    )
    decision = decide(measured.raw, measured.tuned, measured.differences)
    return replace(measured, is_better=decision.is_good, sentence=decision.sentence)


def add_retention_scores(
    comparison: Comparison, run: TrainingRun, raw: TrainingInputs, own: TrainingInputs
) -> Comparison:
    """Return the comparison with what the version leaves of the neighbours of records nobody
    labeled.

    raw, own  the vectors that it is compared with, and those that its head reads
    """
    head = load_head(workspace.file_path(run.id, workspace.HEAD))
    probes, candidates = pick_probes(raw.ids, raw.examples.rows)
    is_present = np.isin(raw.ids[candidates], own.ids, assume_unique=True)
    candidates = candidates[is_present]
    probes = probes[np.isin(probes, candidates)]
    tuned = head.tune(own.vectors[np.searchsorted(own.ids, raw.ids[candidates])])
    retention = measure_retention(
        unit_rows(raw.vectors[candidates]), tuned, np.searchsorted(candidates, probes)
    )
    return (
        replace(comparison, tuned=(*comparison.tuned, *retention)) if comparison.raw else comparison
    )


def store_query_results(run: TrainingRun, comparison: Comparison, inputs: TrainingInputs) -> None:
    """Keep what single queries got in the run's folder; nothing where nothing was measured."""
    queries, examples = comparison.queries, inputs.examples
    if queries is None:
        return
    ids = inputs.ids[examples.rows]
    with read_session() as db:
        fields = load_fields(db, ids)
    segments = compute_segment_gains(
        fields, examples.label_matrix(), queries, BootstrapSamples(examples.groups)
    )
    more = {
        "segments": segments,
        "differences": [asdict(difference) for difference in comparison.differences],
    }
    write = partial(save_query_results, queries, ids, examples, more)
    workspace.write_file(run.id, "evaluate", workspace.MEASURED, write)
