"""What every stage of a run shares: it notes its beginning on the row, and minds cancelling."""

import functools
from collections.abc import Callable

from app.jobs.steps import JobCancelled, Step
from app.models import TrainingRun
from app.training.pipeline import workspace
from app.training.runs import runs
from app.training.runs.progress import RunReport

Work = Callable[[TrainingRun, RunReport], None]


def make_stage(name: str) -> Callable[[Work], Step]:
    """Make a step of what a stage does; it is skipped where the run has succeeded already."""

    def as_step(work: Work) -> Step:
        @functools.wraps(work)
        def step(run_id: int) -> None:
            try:
                run = runs.begin_stage(run_id, name)
                if run is not None:
                    work(run, RunReport(run_id, name))
                else:
                    workspace.clear(run_id)
            except JobCancelled:
                runs.mark_cancelled(run_id)
                raise

        return step

    return as_step
