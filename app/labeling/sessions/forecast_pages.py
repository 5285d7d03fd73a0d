"""What a session would hold, told beside the button that starts it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from app.accounts.access import CurrentUser
from app.db.session import ReadDb
from app.errors import AppError
from app.labeling.sessions.forecast import Forecast, find_seed_label, forecast_by_version
from app.labeling.sessions.kinds import KindDefinition, find_kind
from app.labeling.sessions.sessions import preview_record_ids
from app.labeling.sessions.start_form import StartFields, parse_optional
from app.models import Project
from app.projects.access import CurrentProject
from app.web.templating import render

router = APIRouter()
# A session that is hardly shorter is no other session.
MOST_KEPT = 0.9


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
    options = (fields.seed_kind, seed, parse_optional(fields.k), fields.filters)
    encoder_id, ids = preview_record_ids(db, project, user_id, *options)
    return forecast_by_version(db, project, encoder_id, ids, find_seed_label(db, seed))


def _describe(expected: Forecast, kind: KindDefinition) -> str:
    n = "1 record" if expected.n_records == 1 else f"{expected.n_records:,} records"
    # Of what is labeled already a forecast would tell nothing.
    if kind.is_labeled or not expected.sentence:
        return f"{n}."
    return f"{n}. {expected.sentence}"
