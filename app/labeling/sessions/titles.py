"""What a session is called, and what is said where there is nothing to put into one."""

from sqlalchemy.orm import Session

from app.errors import Invalid, NotFound
from app.models import Label, Project
from app.records.filters import Filters
from app.records.records import load_excerpts
from app.search.similar import Seed

MOST_RECORDS = 1_000
MOST_GIVEN = 10_000
LONGEST_TITLE = 80
UNLABELED = Filters(state="unlabeled")
_TITLES = {
    "cold_start": "Representative records",
    "uncertain": "Most uncertain records",
    "random": "Random records",
    "coverage": "Records far from any label",
    "recent": "Records of the last import",
    "suspects": "Labels that disagree with their neighbours",
    "contradictions": "Alike, but labeled differently",
    "audit": "Audit: records drawn by chance",
}
TOO_FEW_LABELED = (
    "No label that is suggested has 5 labeled records yet: label some representative or uncertain "
    "records first, or choose a label."
)
_NOTHING = {
    "suggested": "Nothing more is suggested: label some representative or uncertain records first.",
    "suspects": "No label disagrees with its neighbours.",
    "contradictions": "No two records that read alike are labeled differently.",
    "recent": "Everything from the last import is labeled.",
    "audit": "Every record of the project belongs to the audit already, and is labeled.",
}


def explain_empty(kind: str, filters: Filters) -> str:
    """Why a session of this kind would be empty."""
    if kind in _NOTHING:
        return _NOTHING[kind]
    if filters == UNLABELED:
        return "There is nothing left to label: every record of this project has its label."
    return "No record matches these filters."


def build_title(db: Session, project: Project, seed_kind: str, seed: Seed | None) -> str:
    """What people call the session. Raises Invalid, and NotFound for foreign ids."""
    if seed is None:
        return _TITLES.get(seed_kind, "Records")
    if seed.kind == "given":
        return _given_title(len(seed.record_ids))
    if seed.kind in ("record", "selection"):
        return _records_title(db, project, seed)
    if seed.kind == "label":
        return f"More like the label “{find_label_name(db, project, seed.label_id)}”"
    if not seed.text:
        raise Invalid("Say what the records should be similar to.")
    return f"Similar to the words “{_shorten(seed.text)}”"


def clean_title(words: str) -> str:
    """What somebody called a session, in one line. Raises Invalid for more than a line holds."""
    title = " ".join(words.split())
    if len(title) > LONGEST_TITLE:
        raise Invalid(f"A title has at most {LONGEST_TITLE} characters, not {len(title):,}.")
    return title


def _given_title(n: int) -> str:
    if not 1 <= n <= MOST_GIVEN:
        raise Invalid(f"Choose 1 to {MOST_GIVEN:,} records, not {n:,}.")
    return "1 chosen record" if n == 1 else f"{n:,} chosen records"


def find_label_name(db: Session, project: Project, label_id: int | None) -> str:
    """Raises NotFound when it is not one of the project's."""
    label = db.get(Label, label_id) if label_id else None
    if label is None or label.project_id != project.id:
        raise NotFound("label")
    return label.name


def _records_title(db: Session, project: Project, seed: Seed) -> str:
    if not seed.record_ids:
        raise Invalid("Choose at least one record to start from.")
    if len(seed.record_ids) > MOST_RECORDS:
        raise Invalid(f"A session starts from at most {MOST_RECORDS:,} records.")
    known = load_excerpts(db, seed.record_ids, 2 * LONGEST_TITLE)
    if any(i not in known or known[i].project_id != project.id for i in seed.record_ids):
        raise NotFound("record")
    if len(known) == 1:
        return f"Similar to “{_shorten(known[seed.record_ids[0]].text)}”"
    return f"Similar to {len(known):,} records"


def _shorten(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST_TITLE else words[: LONGEST_TITLE - 1].rstrip() + "…"
