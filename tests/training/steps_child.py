"""Carry a run on from the step it is at, and print the steps taken: tests start and kill this."""

import json
import sys

from app.database import reading
from app.models import TrainingRun
from app.training import loop


def main(run_id: int) -> None:
    with reading() as db:
        stage = db.get_one(TrainingRun, run_id).stage
    names = [name for name, _ in loop.STEPS]
    left = names[names.index(stage) :]
    for name in left:
        dict(loop.STEPS)[name](run_id)
    print(json.dumps(left))


main(int(sys.argv[1]))
