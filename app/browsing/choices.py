"""What the filters of the records page can be set to, and those that are set, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.browsing.asked import Asked
from app.html import share
from app.models import Annotation, Encoder, Import, Label, Project, User
from app.projects.labels import every_label, is_offered
from app.records.records import Opening, field_names, openings_of
from app.search.encoders import active_encoder, versions

STATE_WORDS = {
    "any": "any", "unlabeled": "unlabeled", "labeled": "labeled", "none": "none of these",
    "flagged": "flagged", "commented": "commented", "skipped": "skipped",
    "disagreed": "people disagree",
}  # fmt: skip
SOURCE_WORDS = {"any": "any", "person": "by hand", "import": "with a file", "rule": "by a rule"}
SORT_WORDS = {
    "score": "best match", "confident": "surest suggestion", "unsure": "least sure suggestion",
    "oldest": "added first", "newest": "added last", "labeled": "labeled last", "id": "id",
}  # fmt: skip
CHANCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
MOST_IMPORTS = 50
SEEDS_SHOWN, SEED_CHARACTERS = 3, 600


@dataclass(frozen=True)
class Choices:
    """What there is to choose from in this project. every_label holds retired labels too."""

    every_label: dict[int, Label]
    labels: list[Label]
    fields: list[str]
    people: dict[int, str]
    imports: dict[int, str]
    versions: list[Encoder]
    active: Encoder | None
    seed_records: list[Opening]


@dataclass(frozen=True)
class Chip:
    """A filter that is set; `url` is the same page without it."""

    words: str
    url: str


def choices(db: Session, project: Project, asked: Asked) -> Choices:
    """Read what the form offers."""
    labels = every_label(db, project.id)
    return Choices(
        {label.id: label for label in labels},
        [label for label in labels if is_offered(label)],
        field_names(db, project.id),
        _people(db, project.id),
        _imports(db, project.id),
        versions(db, project.id),
        active_encoder(db, project.id),
        _seed_records(db, project, asked),
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


def _seed_records(db: Session, project: Project, asked: Asked) -> list[Opening]:
    ids = asked.near.record_ids[:SEEDS_SHOWN] if asked.near else ()
    known = openings_of(db, ids, SEED_CHARACTERS)
    return [known[each] for each in ids if each in known and known[each].project_id == project.id]


def chips(asked: Asked, offered: Choices, path: str) -> list[Chip]:
    """What is set, each with the way to take it away."""
    f = asked.filters
    days = f"{f.when} " + " ".join(
        f"{word} {day}" for word, day in (("from", f.since), ("to", f.until)) if day
    )
    set_ones = [
        (_near(asked, offered), {"record": "", "like": "", "version": ""}),
        (STATE_WORDS[f.state] if f.state != "any" else "", {"state": ""}),
        (_named("label", f.label_id, _names(offered)), {"label": ""}),
        (_named("suggested", f.suggested_id, _names(offered)), {"suggested": ""}),
        (f"chance from {share(f.least)}" if f.least is not None else "", {"least": ""}),
        (f"chance to {share(f.most)}" if f.most is not None else "", {"most": ""}),
        (_named("labeled by", f.user_id, offered.people), {"by": ""}),
        (f"labeled {SOURCE_WORDS[f.source]}" if f.source != "any" else "", {"source": ""}),
        (days if f.since or f.until else "", {"since": "", "until": "", "when": ""}),
        (_named("import", f.import_id, offered.imports), {"import": ""}),
        (f"{f.field}: {f.value or '(empty)'}" if f.field else "", {"field": "", "value": ""}),
    ]
    return [Chip(words, asked.address(path, **without)) for words, without in set_ones if words]


def _near(asked: Asked, offered: Choices) -> str:
    if asked.near is None:
        return ""
    if asked.near.kind == "label":
        return _named("like the label", asked.near.label_id, _names(offered))
    return f"like {len(asked.near.record_ids):,} record{'s'[: len(asked.near.record_ids) > 1]}"


def _names(offered: Choices) -> dict[int, str]:
    return {label_id: label.name for label_id, label in offered.every_label.items()}


def _named(noun: str, number: int | None, names: Mapping[int, str]) -> str:
    return "" if number is None else f"{noun} {names.get(number, number)}"
