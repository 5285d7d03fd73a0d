"""The form that starts a session: what it sends, and the forecast beside its button."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from app.accounts.access import CurrentUser
from app.db.session import ReadDb
from app.errors import AppError
from app.labeling.sessions.forecast import Forecast, find_seed_label, forecast_by_version
from app.labeling.sessions.kinds import KindDefinition, find_kind
from app.labeling.sessions.sessions import build_seed, preview_record_ids
from app.models import Project
from app.projects.access import CurrentProject
from app.records.filters import Filters
from app.search.similar import Seed
from app.web.form_values import parse_optional_number, parse_whole_number
from app.web.templating import render
from app.web.wording import format_count

router = APIRouter()
# A session that is hardly shorter is no other session.
MOST_KEPT = 0.9


class StartFields(BaseModel):
    """As they were written; the last ones are the filters of app.records.filters."""

    seed_kind: str
    record_ids: list[str] = []
    label_id: str = ""
    text: str = ""
    k: str = ""
    from_session_id: str = ""
    title: str = ""
    q: str = ""
    state: str = "unlabeled"
    label: str = ""
    field: str = ""
    value: str = ""
    suggested: str = ""
    least: str = ""
    most: str = ""
    by: str = ""
    source: str = ""
    since: str = ""
    until: str = ""
    when: str = ""
    import_id: str = Field(default="", alias="import")

    @property
    def seed(self) -> Seed | None:
        """What the session starts from. Raises Invalid for what is no number."""
        written = [
            part for record_id in self.record_ids for part in record_id.split(",") if part.strip()
        ]
        ids = [parse_whole_number(part, "record") for part in written]
        return build_seed(
            self.seed_kind, ids, parse_optional_number(self.label_id, "label"), self.text
        )

    @property
    def filters(self) -> Filters:
        """Raises Invalid."""
        return Filters.from_query(self.model_dump(by_alias=True, exclude={"record_ids"}))


@router.get("/projects/{slug}/sessions/forecast")
def show_forecast(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    db: ReadDb,
    fields: Annotated[StartFields, Query()],
) -> HTMLResponse:
    """One sentence, and a button where the session had better be shorter. Stores nothing."""
    try:
        expected = _compute_forecast(db, project, user.id, fields)
    except AppError as error:
        return render(
            request, "labeling/_forecast.html", words=error.sentence, is_none=True, n_likely=0
        )
    kind = find_kind(fields.seed_kind)
    words = _describe(expected, kind)
    n_likely = expected.n_likely if kind.is_reranked else 0
    if n_likely > MOST_KEPT * expected.n_records:
        n_likely = 0
    k = n_likely - len(fields.seed.record_ids if fields.seed else ())
    return render(
        request,
        "labeling/_forecast.html",
        words=words,
        is_none=False,
        n_likely=n_likely if k > 0 else 0,
        k=k,
        label=expected.label,
        n_records=expected.n_records,
    )


def _compute_forecast(db: Session, project: Project, user_id: int, fields: StartFields) -> Forecast:
    seed = fields.seed
    options = (
        fields.seed_kind,
        seed,
        parse_optional_number(fields.k, "number of records"),
        fields.filters,
    )
    version_id, ids = preview_record_ids(db, project, user_id, *options)
    return forecast_by_version(db, project, version_id, ids, find_seed_label(db, seed))


def _describe(expected: Forecast, kind: KindDefinition) -> str:
    n = format_count(expected.n_records, "record")
    # Of what is labeled already a forecast would tell nothing.
    if kind.is_labeled or not expected.sentence:
        return f"{n}."
    return f"{n}. {expected.sentence}"
