"""A project's goal: a number or share of records, with an optional deadline."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from app.errors import Invalid
from app.models import Project
from app.web.form_values import is_whole_number


@dataclass(frozen=True)
class Goal:
    """n  records that are to be labeled; until  the day by which, or None

    words  the goal as it was set: "5,000 records" or "80 %"
    """

    n: int
    words: str
    until: date | None


def build_goal(project: Project, n_records: int) -> Goal | None:
    """Return the project's goal for its current number of records."""
    if project.goal_share is not None:
        words = f"{100 * project.goal_share:g} % of the records"
        return Goal(round(project.goal_share * n_records), words, project.goal_on)
    if project.goal_n is not None:
        return Goal(project.goal_n, f"{project.goal_n:,} records", project.goal_on)
    return None


def set_goal(db: Session, project: Project, words: str, until: date | None) -> None:
    """Set the goal from text; empty text removes it. Raises Invalid.

    words  a number of records ("5,000") or a share of them ("80 %")
    """
    kept = db.get_one(Project, project.id)
    kept.goal_n, kept.goal_share = _parse_goal(words)
    kept.goal_on = until if words.strip() else None


def format_goal(project: Project) -> str:
    """Return the goal as text for the form; empty without one."""
    if project.goal_share is not None:
        return f"{100 * project.goal_share:g} %"
    return "" if project.goal_n is None else f"{project.goal_n:,}"


def _parse_goal(words: str) -> tuple[int | None, float | None]:
    plain = words.replace(",", "").replace(" ", "").replace("\u202f", "")
    if not plain:
        return None, None
    if plain.endswith("%"):
        return None, _parse_share(plain[:-1])
    if not is_whole_number(plain) or not 0 < int(plain) <= 1_000_000_000:
        raise Invalid(
            "The goal must be a number of records, such as 5,000, or a percentage, such as 80 %."
        )
    return int(plain), None


def _parse_share(digits: str) -> float:
    try:
        percent = float(digits)
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise Invalid("The percentage must be above 0 % and at most 100 %.")
    return percent / 100
