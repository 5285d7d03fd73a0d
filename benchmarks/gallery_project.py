"""The sample project after some days of three people's work: what the gallery takes pictures of."""

import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, func, select, update

from app.accounts.users import create_user
from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.comments import store_comment
from app.labeling.annotations.undo import undo
from app.labeling.sessions.rows import Item, load_items
from app.labeling.sessions.sessions import start_session
from app.maps.drawing import list_due_maps
from app.models import Annotation, LabelingSession, Project, TrainingRun, User, UserAction, utc_now
from app.progress.goals import set_goal
from app.projects.labels import label_set
from app.projects.sample import sample_messages
from app.search.embedding import count_missing
from app.search.index_revisions import needs_index
from app.search.similar import Seed
from app.search.versions import find_active_version
from app.training.runs.runs import request_run

DAYS = 9
PEOPLE = (("ada", "admin"), ("eve", "reviewer"), ("ben", "annotator"))


@dataclass
class GalleryProject:
    """Who is there, a session of suggestions that is under way, and a record that people spoke
    about."""

    project: Project
    people: dict[str, User]
    session: LabelingSession
    record_id: int


def prepare_gallery() -> GalleryProject:
    """Label, let the worker that is running tune twice and draw the maps, label on."""
    with write_session() as db:
        project = db.scalars(select(Project).where(Project.is_sample)).one()
        people = {name: create_user(db, name, role, uuid.uuid4().hex) for name, role in PEOPLE}
        project.has_auto_training = False
        set_goal(db, project, "80 %", date.today() + timedelta(days=14))
    until(lambda: not _is_waiting_for_vectors(project))
    work = Work(project, random.Random(1))
    ada, eve, ben = people.values()
    work.label(ada, start_session(project, ada, "cold_start"))
    first = work.label(ben, start_session(project, ben, "random", k=40))
    train(project, ada)
    for user in (ben, eve, ben, ada):
        work.accept_page(user, start_session(project, user, "suggested"))
    near = Seed("record", (first[0].record.id,))
    work.label(eve, start_session(project, eve, "record", seed=near, k=25))
    work.judge_too(ada, first[:25])
    with write_session() as db:
        undo(db, project, ada.id)
        store_comment(db, project, ben.id, first[1].record.id, "flag", key=uuid.uuid4().hex)
        words = "Two questions in one: which of them counts?"
        store_comment(
            db, project, ben.id, first[1].record.id, "comment", body=words, key=uuid.uuid4().hex
        )
    train(project, eve)
    until(lambda: not _maps_to_draw())
    session = start_session(project, ada, "suggested")
    work.label(ada, session, at_most=6)
    spread_over_days(project)
    return GalleryProject(project, people, session, first[1].record.id)


class Work:
    """People who know what each message is about, and are wrong now and then."""

    def __init__(self, project: Project, dice: random.Random) -> None:
        self.project, self.dice = project, dice
        self.intents = {message.external_id: message.intent for message in sample_messages()}
        with read_session() as db:
            self.labels = {label.name: label.id for label in label_set(db, project.id)}

    def label(self, user: User, session: LabelingSession, at_most: int | None = None) -> list[Item]:
        """One key for each row; the rows."""
        rows = self._rows(user, session)[:at_most]
        for item in rows:
            self._act(user, [self._say(item)], "single", session.id)
        return rows

    def accept_page(self, user: User, session: LabelingSession) -> None:
        """Return a key for each wrong row, then the page for the rest."""
        rows = self._rows(user, session)
        right = [item for item in rows if self._is_right(item)]
        for item in rows:
            if item not in right:
                self._act(user, [self._say(item)], "single", session.id)
        self._act(user, [self._say(item) for item in right], "page", session.id)

    def judge_too(self, user: User, rows: Sequence[Item]) -> None:
        """Return the same records again, by somebody who sees some of them otherwise."""
        for item in rows:
            label_id = self._truth(item) if self.dice.random() > 0.12 else self._any_label()
            say = AnnotationInput(
                item.record.id, "label", (label_id,), milliseconds=self._milliseconds()
            )
            self._act(user, [say], "single", None)

    def _rows(self, user: User, session: LabelingSession) -> list[Item]:
        with read_session() as db:
            return load_items(db, self.project, session, user.id, limit=session.n_records)

    def _truth(self, item: Item) -> int:
        return self.labels[self.intents[item.record.external_id]]

    def _any_label(self) -> int:
        return self.dice.choice(list(self.labels.values()))

    def _milliseconds(self) -> int:
        return int(1000 * self.dice.lognormvariate(0.9, 0.5))

    def _is_right(self, item: Item) -> bool:
        return bool(item.suggestions) and item.suggestions[0].label_id == self._truth(item)

    def _say(self, item: Item) -> AnnotationInput:
        best = item.suggestions[0] if item.suggestions else None
        return AnnotationInput(
            item.record.id,
            "label",
            (self._truth(item),),
            rank=item.rank,
            similarity=item.similarity,
            milliseconds=self._milliseconds(),
            suggestion_id=best.label_id if best else None,
            suggestion_score=best.score if best else None,
        )

    def _act(
        self, user: User, says: list[AnnotationInput], source: str, session_id: int | None
    ) -> None:
        with write_session() as db:
            action = annotate(
                db,
                self.project,
                user.id,
                says,
                key=uuid.uuid4().hex,
                source="page" if source == "page" else "single",
                session_id=session_id,
            )
            seconds = self.dice.uniform(9, 18) if source == "page" else self._milliseconds() / 800
            db.execute(
                update(UserAction).where(UserAction.id == action.id).values(active_seconds=seconds)
            )


def train(project: Project, by: User) -> None:
    """Ask for a run, and wait until the worker has carried it out."""
    with write_session() as db:
        request_run(db, project, by=by)
    until(lambda: not _count(TrainingRun.status.in_(("queued", "running"))))
    if _count(TrainingRun.status != "succeeded"):
        raise SystemExit("A training run of the gallery did not succeed.")


def spread_over_days(project: Project) -> None:
    """All this took minutes; let it look like the days that it stands for."""
    with write_session() as db:
        actions = db.scalars(
            select(UserAction).where(UserAction.project_id == project.id).order_by(UserAction.id)
        ).all()
        end = utc_now()
        for n, action in enumerate(actions, 1):
            action.performed_at = end - timedelta(days=DAYS) * (1 - n / len(actions)) ** 1.4
            said = update(Annotation).where(Annotation.action_id == action.id)
            db.execute(said.values(annotated_at=action.performed_at))
        first = func.min(UserAction.performed_at)
        begun = db.execute(
            select(UserAction.session_id, first).group_by(UserAction.session_id)
        ).all()
        for session_id, moment in begun:
            found = update(LabelingSession).where(LabelingSession.id == session_id)
            db.execute(found.values(started_at=moment))


def until(is_so: Callable[[], bool]) -> None:
    """Wait for the worker."""
    while not is_so():
        time.sleep(1)


def _is_waiting_for_vectors(project: Project) -> bool:
    with read_session() as db:
        encoder = find_active_version(db, project.id)
        return encoder is None or count_missing(db, project) > 0 or needs_index(db, encoder)


def _count(condition: ColumnElement[bool]) -> int:
    with read_session() as db:
        return db.scalar(select(func.count()).select_from(TrainingRun).where(condition)) or 0


def _maps_to_draw() -> list[int]:
    with read_session() as db:
        return list_due_maps(db)
