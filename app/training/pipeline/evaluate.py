"""The evaluate stage of a head run: raw and the version in use, by hidden examples and by audit."""

from dataclasses import asdict, replace
from functools import partial

import numpy as np

from app.db.session import read_session
from app.ml.evaluation.activation_gate import decide
from app.ml.evaluation.comparison import Comparison
from app.ml.evaluation.cross_validation import cross_validate
from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.evaluation.neighbour_retention import measure_retention, pick_probes
from app.ml.heads.storage import load_head
from app.ml.vectors import unit_rows
from app.models import Project, TrainingRun
from app.search.versions import find_active_version
from app.training.pipeline import workspace
from app.training.pipeline.baseline import find_baseline, find_run_of_version
from app.training.pipeline.holdout import HoldoutScores, evaluate_on_holdout, load_holdout_records
from app.training.pipeline.inputs import TrainingInputs
from app.training.pipeline.query_results import save_query_results
from app.training.pipeline.snapshot import load_snapshot
from app.training.reports.segments import compute_segment_gains, load_fields
from app.training.runs.progress import RunReport


def evaluate_head(run: TrainingRun, inputs: TrainingInputs, report: RunReport) -> Comparison:
    """The run's head against raw and against the version in use, on what none of them has seen."""
    snapshot = load_snapshot(workspace.file_path(run.id, workspace.SNAPSHOT))
    head = load_head(workspace.file_path(run.id, workspace.HEAD))
    own = (inputs.raw_id, inputs.vectors)
    with read_session() as db:
        project = db.get_one(Project, run.project_id)
        baseline = find_baseline(db, project, snapshot, inputs.ids, own)
        active = find_active_version(db, project.id)
        baseline_run = None if active is None else find_run_of_version(db, active)
        own_holdout = load_holdout_records(db, project, [run])
        shared_holdout = (
            own_holdout
            if baseline_run is None
            else load_holdout_records(db, project, [run, baseline_run])
        )
    comparison = cross_validate(
        inputs.vectors,
        inputs.examples,
        inputs.recipe,
        report,
        graph=inputs.graph,
        baseline=baseline,
        words=inputs.words,
    )
    measured = (inputs.ids, inputs.vectors, inputs.examples)
    return add_holdout_scores(
        comparison, evaluate_on_holdout(head, measured, baseline, own_holdout, shared_holdout)
    )


def add_holdout_scores(comparison: Comparison, holdout: HoldoutScores) -> Comparison:
    """The comparison with what the audit stream says, and decided anew by all of it."""
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
    """The comparison with what the version leaves of the neighbours of records nobody labeled.

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
    more = {"segments": segments, "differences": [asdict(each) for each in comparison.differences]}
    write = partial(save_query_results, queries, ids, examples, more)
    workspace.write_file(run.id, "evaluate", workspace.MEASURED, write)
