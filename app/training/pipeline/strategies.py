"""What a run learns by: a head on vectors that are there, or the whole encoder below a new head.

A third way to learn is another class with these methods, chosen by its recipe.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.ml.evaluation.comparison import Comparison
from app.ml.evaluation.cross_validation import cross_validate
from app.ml.evaluation.splits import Partition, draw_partitions
from app.ml.examples import Examples
from app.ml.heads.storage import load_head
from app.models import Project, TrainingRun, Version
from app.search.base_versions import find_active_base_version
from app.training.pipeline import workspace
from app.training.pipeline.evaluate import add_holdout_scores, load_references
from app.training.pipeline.holdout import evaluate_on_holdout
from app.training.pipeline.inputs import TrainingInputs, load_inputs
from app.training.pipeline.snapshot import Snapshot
from app.training.runs.progress import RunReport


@dataclass(frozen=True)
class Measured:
    """A comparison, the inputs that raw was measured on, and those that the new head reads."""

    comparison: Comparison
    raw: TrainingInputs
    own: TrainingInputs


class TrainingStrategy(Protocol):
    """The parts of a run that differ between the methods of learning."""

    def find_source(self, db: Session, project: Project) -> Version | None:
        """Find the version whose vectors the run learns from; None before the first."""

    def find_vector_source(self, db: Session, run_id: int) -> Version:
        """Find the version whose embeddings the run's head reads."""

    def learn_model(self, run: TrainingRun, report: RunReport) -> None:
        """Learn what the head stands on, before the head."""

    def compare(self, run: TrainingRun, report: RunReport) -> Measured:
        """Compare the new version with raw and the active one, on labels that none of them saw."""

    def split(self, examples: Examples) -> Partition:
        """Which examples teach and which are held out, as the comparison splits them."""

    def find_objection(self, snapshot: Snapshot) -> str | None:
        """Why a version that could not be measured is not activated; None if it may be."""


@dataclass(frozen=True)
class HeadStrategy:
    """Learns a head on the embeddings of the version in use, measured by cross-validation."""

    seed: int = 0

    def find_source(self, db: Session, project: Project) -> Version | None:
        """Find the version in use, or the one below its head."""
        return find_active_base_version(db, project)

    def find_vector_source(self, db: Session, run_id: int) -> Version:
        """Find the version that was in use when the run began."""
        return db.get_one(Version, workspace.read_source_id(run_id))

    def learn_model(self, run: TrainingRun, report: RunReport) -> None:
        """Do nothing: the embeddings exist already."""

    def compare(self, run: TrainingRun, report: RunReport) -> Measured:
        """By cross-validation on the run's own inputs, and on the hold-out sample."""
        inputs = load_inputs(run, self, report)
        references = load_references(run, inputs)
        comparison = cross_validate(
            inputs.vectors,
            inputs.examples,
            inputs.recipe,
            report,
            graph=inputs.graph,
            baseline=references.baseline,
            words=inputs.words,
        )
        head = load_head(workspace.file_path(run.id, workspace.HEAD))
        measured = (inputs.ids, inputs.vectors, inputs.examples)
        holdout = evaluate_on_holdout(
            head, measured, references.baseline, references.own_holdout, references.shared_holdout
        )
        return Measured(add_holdout_scores(comparison, holdout), inputs, inputs)

    def split(self, examples: Examples) -> Partition:
        """Return the first partition of the cross-validation."""
        return next(iter(draw_partitions(examples, self.seed)), [])

    def find_objection(self, snapshot: Snapshot) -> str | None:
        """Labels that are too thin, or contradict each other."""
        if snapshot.fewest < 2:
            return "a label has only one record to learn from."
        if snapshot.n_contradictions:
            n = snapshot.n_contradictions
            texts = "one text carries" if n == 1 else f"{n} texts carry"
            return f"{texts} different labels."
        return None


def choose_strategy(recipe: Mapping[str, Any]) -> TrainingStrategy:
    """Choose the strategy of a run's recipe, as it is stored."""
    if recipe.get("method") == "deep":
        # Here, because deep runs are measured with what stands above.
        from app.training.pipeline.deep import DeepStrategy

        return DeepStrategy.from_json(dict(recipe))
    return HeadStrategy(int(recipe.get("seed", 0)))
