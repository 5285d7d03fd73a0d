"""What a session would hold, told beside the button that starts it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from app.accounts.access import CurrentUser
from app.database import ReadDb
from app.errors import AppError
from app.html import render
from app.labeling.forecast import Forecast, forecast_of, label_of
from app.labeling.reordering import REORDERED
from app.labeling.sessions import chosen_ids
from app.labeling.start_fields import StartFields, optional
from app.models import Project
from app.projects.access import InProject

router = APIRouter()
# What these hold is labeled already: a forecast would tell nothing.
COUNTED = ("suspects", "contradictions")
# A session that is hardly shorter is no other session.
MOST_KEPT = 0.9


@router.get("/projects/{slug}/sessions/forecast")
def show_forecast(
    request: Request, project: InProject, user: CurrentUser, db: ReadDb,
    fields: Annotated[StartFields, Query()],
) -> HTMLResponse:  # fmt: skip
    """One sentence, and a button where the session had better be shorter. Stores nothing."""
    try:
        expected = _expected(db, project, user.id, fields)
    except AppError as error:
        return render(
            request, "labeling/_forecast.html", words=error.sentence, is_none=True, n_likely=0
        )
    words = _words(expected, fields.seed_kind)
    n_likely = expected.n_likely if fields.seed_kind in REORDERED else 0
    if n_likely > MOST_KEPT * expected.n_records:
        n_likely = 0
    k = n_likely - len(fields.seed.record_ids if fields.seed else ())
    return render(
        request, "labeling/_forecast.html", words=words, is_none=False,
        n_likely=n_likely if k > 0 else 0, k=k, label=expected.label, n_records=expected.n_records,
    )  # fmt: skip


def _expected(db: Session, project: Project, user_id: int, fields: StartFields) -> Forecast:
    seed = fields.seed
    asked = (fields.seed_kind, seed, optional(fields.k), fields.filters)
    encoder_id, ids = chosen_ids(db, project, user_id, *asked)
    return forecast_of(db, project, encoder_id, ids, label_of(db, seed))


def _words(expected: Forecast, kind: str) -> str:
    n = "1 record" if expected.n_records == 1 else f"{expected.n_records:,} records"
    if kind in COUNTED or not expected.sentence:
        return f"{n}."
    return f"{n}. {expected.sentence}"
