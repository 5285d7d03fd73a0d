import os
import signal

import pytest
from sqlalchemy import func, select

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.models import Annotation, Consensus, Project, UserAction
from tests.forked import process, status_of
from tests.labeling.conftest import Desk


def label_once(moment: str, project_id: int, user_id: int, record_id: int, label_id: int) -> None:
    """Label one record with the key "once", and die "inside" the save, "after" it, or never."""
    with read_session() as db:
        project = db.get_one(Project, project_id)
    with write_session() as db:
        annotate(
            db, project, user_id, [AnnotationInput(record_id, "label", (label_id,))], key="once"
        )
        if moment == "inside":
            os.kill(os.getpid(), signal.SIGKILL)
    if moment == "after":
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("moment", "n_kept"), [("inside", 0), ("after", 1)])
def test_a_save_that_was_killed_is_whole_or_absent_and_its_retry_stores_it_once(
    desk: Desk, moment: str, n_kept: int
) -> None:
    ids = (desk.project.id, desk.ada.id, desk.records[0], desk.labels[1])
    with process(label_once, moment, *ids) as killed:
        assert status_of(killed) == -signal.SIGKILL
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(UserAction)) == n_kept
        assert db.scalar(select(func.count()).select_from(Consensus)) == n_kept

    with process(label_once, "never", *ids) as again:
        assert status_of(again) == 0
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Annotation)) == 1
    assert desk.consensus(0) == [1]
