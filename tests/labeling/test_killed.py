import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.database import reading
from app.models import Act, Annotation, Consensus
from tests.conftest import PATIENCE_SECONDS
from tests.labeling.conftest import Desk

CHILD = Path(__file__).with_name("killed_child.py")
ROOT = Path(__file__).resolve().parents[2]


def label_in_a_process(desk: Desk, moment: str) -> int:
    """The exit status of a process that labels the first record with the key "once"."""
    ids = (desk.project.id, desk.ada.id, desk.records[0], desk.labels[1])
    ran = subprocess.run(
        [sys.executable, str(CHILD), moment, *map(str, ids)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    return ran.returncode


@pytest.mark.parametrize(("moment", "n_kept"), [("inside", 0), ("after", 1)])
def test_a_save_that_was_killed_is_whole_or_absent_and_its_retry_stores_it_once(
    desk: Desk, moment: str, n_kept: int
) -> None:
    assert label_in_a_process(desk, moment) == -signal.SIGKILL
    with reading() as db:
        assert db.scalar(select(func.count()).select_from(Act)) == n_kept
        assert db.scalar(select(func.count()).select_from(Consensus)) == n_kept

    assert label_in_a_process(desk, "never") == 0
    with reading() as db:
        assert db.scalar(select(func.count()).select_from(Annotation)) == 1
    assert desk.consensus(0) == [1]
