"""The estimated duration of a deep run."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.ml.deep.recipe import DeepRecipe, estimate_seconds, n_learned
from app.models import Project, Record
from app.search.embedding_speed import read_speed
from app.web.wording import format_count


@dataclass(frozen=True)
class Estimate:
    """Minutes for training on n_learned records and for embedding all n_records again."""

    n_learned: int
    n_records: int
    learning_minutes: float
    embedding_minutes: float
    has_gpu: bool

    @property
    def sentence(self) -> str:
        """The estimate in words."""
        total = self.learning_minutes + self.embedding_minutes
        where = "on the GPU" if self.has_gpu else "on the CPU"
        about = "" if total < 1 else "about "
        return (
            f"A deep run would take {about}{_format_minutes(total)} {where}: "
            f"{_format_minutes(self.learning_minutes)} to train on {self.n_learned:,} of "
            f"{format_count(self.n_records, 'record')}, {_format_minutes(self.embedding_minutes)} "
            "to embed all records again."
        )


def estimate_duration(db: Session, project: Project, recipe: DeepRecipe = DeepRecipe()) -> Estimate:
    """Estimate from the speed at which the worker embedded the project's texts."""
    counted = select(func.count()).select_from(Record).where(Record.project_id == project.id)
    n_records = db.scalar(counted) or 0
    pace = read_speed(project.id)
    n = n_learned(recipe, n_records, has_gpu=pace.has_gpu)
    return Estimate(
        n_learned=n,
        n_records=n_records,
        learning_minutes=estimate_seconds(recipe, n, pace.per_second) / 60,
        embedding_minutes=n_records / pace.per_second / 60,
        has_gpu=pace.has_gpu,
    )


def _format_minutes(minutes: float) -> str:
    if minutes < 1:
        return "less than a minute"
    if minutes < 90:
        return format_count(round(minutes), "minute")
    return f"{minutes / 60:.1f} hours"
