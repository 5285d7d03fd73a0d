"""The evaluate stage of a head run: raw and the version in use, by hidden examples and by audit."""

from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import scipy.sparse as sp

from app.database import reading
from app.models import Project, TrainingRun
from app.search.encoders import active_encoder
from app.search.vectors import Ids
from app.similarity.examples import Examples
from app.similarity.head import load_head
from app.similarity.measuring.evaluation import Comparison
from app.similarity.measuring.forgetting import kept_neighbours, probes_among
from app.similarity.measuring.gate import decide
from app.similarity.measuring.intervals import Resamples
from app.similarity.measuring.validation import compare
from app.similarity.recipe import Recipe
from app.similarity.vectors import Vectors, unit_rows
from app.similarity.words import Words
from app.training import workspace
from app.training.auditing import Audit, audit_of_run, audited
from app.training.contenders import find_champion, run_of
from app.training.measured import save_measured
from app.training.report import RunReport
from app.training.slices import fields_of, slices_of
from app.training.snapshot import load_snapshot


@dataclass(frozen=True)
class Material:
    """What tune and evaluate work on: the frozen pool's vectors, the examples in it, the graph,
    and the words, where the recipe hears them.

    raw_id  the version whose vectors they are; ids (n,) int64, ascending, the records that have one
    """

    raw_id: int
    ids: Ids
    vectors: Vectors
    examples: Examples
    recipe: Recipe
    graph: sp.csr_matrix | None
    words: Words | None


def measure(run: TrainingRun, material: Material, report: RunReport) -> Comparison:
    """The run's head against raw and against the version in use, on what none of them has seen."""
    snapshot = load_snapshot(workspace.path_of(run.id, workspace.SNAPSHOT))
    head = load_head(workspace.path_of(run.id, workspace.HEAD))
    own = (material.raw_id, material.vectors)
    with reading() as db:
        project = db.get_one(Project, run.project_id)
        champion = find_champion(db, project, snapshot, material.ids, own)
        active = active_encoder(db, project.id)
        theirs = None if active is None else run_of(db, active)
        ours = audited(db, project, [run])
        both = ours if theirs is None else audited(db, project, [run, theirs])
    comparison = compare(
        material.vectors, material.examples, material.recipe, report,
        graph=material.graph, champion=champion, words=material.words,
    )  # fmt: skip
    heard = (material.ids, material.vectors, material.examples)
    return with_audit(comparison, audit_of_run(head, heard, champion, ours, both))


def with_audit(comparison: Comparison, audit: Audit) -> Comparison:
    """The comparison with what the audit stream says, and decided anew by all of it."""
    if not audit.tuned:
        return comparison
    heard = replace(
        comparison,
        raw=(*comparison.raw, *audit.raw),
        tuned=(*comparison.tuned, *audit.tuned),
        active=(*comparison.active, *audit.active),
        differences=(*comparison.differences, *audit.differences),
    )
    decision = decide(heard.raw, heard.tuned, heard.differences)
    return replace(heard, is_better=decision.is_good, sentence=decision.sentence)


def with_probe(
    comparison: Comparison, run: TrainingRun, raw: Material, own: Material
) -> Comparison:
    """The comparison with what the version leaves of the neighbours of records nobody labeled.

    raw, own  the vectors that it is compared with, and those that its head reads
    """
    head = load_head(workspace.path_of(run.id, workspace.HEAD))
    asking, candidates = probes_among(raw.ids, raw.examples.rows)
    there = np.isin(raw.ids[candidates], own.ids, assume_unique=True)
    candidates = candidates[there]
    asking = asking[np.isin(asking, candidates)]
    tuned = head.tune(own.vectors[np.searchsorted(own.ids, raw.ids[candidates])])
    found = kept_neighbours(
        unit_rows(raw.vectors[candidates]), tuned, np.searchsorted(candidates, asking)
    )
    return replace(comparison, tuned=(*comparison.tuned, *found)) if comparison.raw else comparison


def keep_queries(run: TrainingRun, comparison: Comparison, material: Material) -> None:
    """Keep what single queries got in the run's folder; nothing where nothing was measured."""
    queries, examples = comparison.queries, material.examples
    if queries is None:
        return
    ids = material.ids[examples.rows]
    with reading() as db:
        fields = fields_of(db, ids)
    slices = slices_of(fields, examples.answers(), queries, Resamples(examples.groups))
    more = {"slices": slices, "differences": [asdict(each) for each in comparison.differences]}
    write = partial(save_measured, queries, ids, examples, more)
    workspace.keep(run.id, "evaluate", workspace.MEASURED, write)
