"""Options of the filters on the records page, and descriptions of the active filters."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Annotation, Import, Label, Project, User, Version
from app.projects.labels import is_offered, list_all_labels
from app.records.records import RecordExcerpt, list_field_names, load_excerpts
from app.search.request import SearchRequest
from app.search.versions import find_active_version, list_versions
from app.web.templating import format_share
from app.web.wording import format_count

STATE_WORDS = {
    "any": "any",
    "unlabeled": "unlabeled",
    "labeled": "labeled",
    "none": "none of these",
    "flagged": "flagged",
    "commented": "commented",
    "skipped": "skipped",
    "disagreed": "annotators disagree",
}
SOURCE_WORDS = {"any": "any", "person": "by hand", "import": "imported", "rule": "by a rule"}
SORT_WORDS = {
    "score": "best match",
    "confident": "highest probability",
    "unsure": "lowest probability",
    "oldest": "oldest first",
    "newest": "newest first",
    "labeled": "recently labeled first",
    "id": "id",
}
CHANCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
MOST_IMPORTS = 50
SEEDS_SHOWN, SEED_CHARACTERS = 3, 600


@dataclass(frozen=True)
class FilterChoices:
    """Filter options of this project. all_labels includes retired labels."""

    all_labels: dict[int, Label]
    labels: list[Label]
    fields: list[str]
    people: dict[int, str]
    imports: dict[int, str]
    versions: list[Version]
    active: Version | None
    seed_records: list[RecordExcerpt]


@dataclass(frozen=True)
class FilterChip:
    """An active filter; `url` is the same page without it."""

    words: str
    url: str


def load_choices(db: Session, project: Project, search: SearchRequest) -> FilterChoices:
    """Load the options of the filter form."""
    labels = list_all_labels(db, project.id)
    return FilterChoices(
        {label.id: label for label in labels},
        [label for label in labels if is_offered(label)],
        list_field_names(db, project.id),
        _people(db, project.id),
        _imports(db, project.id),
        list_versions(db, project.id),
        find_active_version(db, project.id),
        _seed_records(db, project, search),
    )


def _people(db: Session, project_id: int) -> dict[int, str]:
    spoke = select(Annotation.id).where(
        Annotation.project_id == project_id, Annotation.user_id == User.id
    )
    found = db.execute(select(User.id, User.name).where(spoke.exists()).order_by(User.name_key))
    return dict(found.all())


def _imports(db: Session, project_id: int) -> dict[int, str]:
    brought = (Import.project_id == project_id, Import.n_stored > 0)
    newest = select(Import.id, Import.file_name).where(*brought).order_by(Import.id.desc())
    return dict(db.execute(newest.limit(MOST_IMPORTS)).all())


def _seed_records(db: Session, project: Project, search: SearchRequest) -> list[RecordExcerpt]:
    ids = search.near.record_ids[:SEEDS_SHOWN] if search.near else ()
    known = load_excerpts(db, ids, SEED_CHARACTERS)
    return [known[each] for each in ids if each in known and known[each].project_id == project.id]


def build_chips(search: SearchRequest, offered: FilterChoices, path: str) -> list[FilterChip]:
    """Describe the active filters, each with the URL that removes it."""
    f = search.filters
    days = f"{f.when} " + " ".join(
        f"{word} {day}" for word, day in (("from", f.since), ("to", f.until)) if day
    )
    set_ones = [
        (_near(search, offered), {"record": "", "like": "", "text": "", "version": ""}),
        (STATE_WORDS[f.state] if f.state != "any" else "", {"state": ""}),
        (_format_name("label", f.label_id, _names(offered)), {"label": ""}),
        (_format_name("suggested", f.suggested_id, _names(offered)), {"suggested": ""}),
        (f"probability from {format_share(f.least)}" if f.least is not None else "", {"least": ""}),
        (f"probability to {format_share(f.most)}" if f.most is not None else "", {"most": ""}),
        (_format_name("labeled by", f.user_id, offered.people), {"by": ""}),
        (f"label source: {SOURCE_WORDS[f.source]}" if f.source != "any" else "", {"source": ""}),
        (days if f.since or f.until else "", {"since": "", "until": "", "when": ""}),
        (_format_name("import", f.import_id, offered.imports), {"import": ""}),
        (f"{f.field}: {f.value or '(empty)'}" if f.field else "", {"field": "", "value": ""}),
    ]
    return [
        FilterChip(words, search.address(path, **without)) for words, without in set_ones if words
    ]


def _near(search: SearchRequest, offered: FilterChoices) -> str:
    if search.near is None:
        return ""
    if search.near.kind == "label":
        return _format_name("similar to label", search.near.label_id, _names(offered))
    if search.near.kind == "text":
        return "similar to a text"
    return f"similar to {format_count(len(search.near.record_ids), 'record')}"


def _names(offered: FilterChoices) -> dict[int, str]:
    return {label_id: label.name for label_id, label in offered.all_labels.items()}


def _format_name(noun: str, number: int | None, names: Mapping[int, str]) -> str:
    return "" if number is None else f"{noun} {names.get(number, number)}"
