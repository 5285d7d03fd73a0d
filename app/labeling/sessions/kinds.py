"""Every kind of session in one table: what it is called, what it needs, how it is labeled.

A new kind is an entry of SESSION_KINDS and its function in selection.STRATEGIES.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from app.errors import Invalid, NotFound
from app.labeling.sessions.suggestion_batches import USUAL_LENGTH
from app.labeling.team.holdout import N_PER_SESSION
from app.models import Label, LabelingSession, Project
from app.records.filters import Filters
from app.records.records import load_excerpts
from app.search.similar import Seed, SeedKind
from app.web.wording import format_count

MOST_RECORDS = 1_000
MOST_GIVEN = 10_000
LONGEST_TITLE = 80
UNLABELED = Filters(state="unlabeled")
TOO_FEW_LABELED = (
    "No suggested label has 5 labeled records yet. Label some representative or uncertain records "
    "first, or choose a label."
)

TitleBuilder = Callable[[Session, Project, Seed | None], str]


class SessionKind(StrEnum):
    """What a session is started from, as it is stored."""

    RECORD = "record"
    SELECTION = "selection"
    LABEL = "label"
    TEXT = "text"
    GIVEN = "given"
    COLD_START = "cold_start"
    SUGGESTED = "suggested"
    UNCERTAIN = "uncertain"
    COVERAGE = "coverage"
    RECENT = "recent"
    LIKELY_MISLABELED = "likely_mislabeled"
    CONFLICTS = "conflicts"
    RANDOM = "random"
    HOLDOUT = "holdout"

    @classmethod
    def _missing_(cls, value: object) -> "SessionKind | None":
        """Names of earlier releases, which programs may still send."""
        earlier = {"audit": cls.HOLDOUT, "suspects": cls.LIKELY_MISLABELED}
        return (earlier | {"contradictions": cls.CONFLICTS}).get(str(value))


class Requirement(StrEnum):
    """What must be there before a session of a kind can start; the value tells people."""

    NOTHING = ""
    LABELS = "Available after the first label, once all records are embedded."
    SUGGESTIONS = "Available once there are suggestions."


@dataclass(frozen=True)
class KindDefinition:
    """What distinguishes one kind of session.

    name                  what pages and figures call the kind
    title                 what one session of it is called, or a function that builds that
    description           one sentence beside its button on the sessions page; "": no button
    seed                  what it starts from; None: it needs nothing
    is_seed_optional      whether it also starts without the seed
    empty                 why it holds nothing, where that has a reason of its own
    default_size          records if nobody says how many; None: as the settings say
    is_drawn_at_start     its records are drawn, and reserved, by starting it: no forecast, and the
                          selection function writes
    is_folded             identical copies of a record are one row
    is_reranked           open rows move as rows are decided
    has_suggestions       rows show what the version suggests
    is_labeled            its records carry labels already
    is_version_dependent  another version would choose other records: it can be started again
    has_forecast          the sessions page says beforehand what it will hold
    is_why_forecast       the reason it was chosen for is a forecast, which its first decision ends
    is_pairwise           each text is compared with the row before
    has_spot_check        the rest can be accepted once a sample of it is labeled
    obstacle              why its suggestions are never accepted together; "": they may be
    """

    kind: str
    name: str
    title: str | TitleBuilder = "Records"
    description: str = ""
    requires: Requirement = Requirement.NOTHING
    seed: SeedKind | None = None
    is_seed_optional: bool = False
    empty: str = ""
    default_size: int | None = None
    is_drawn_at_start: bool = False
    is_folded: bool = False
    is_reranked: bool = False
    has_suggestions: bool = True
    is_labeled: bool = False
    is_version_dependent: bool = False
    has_forecast: bool = False
    is_why_forecast: bool = False
    is_pairwise: bool = False
    has_spot_check: bool = True
    obstacle: str = ""

    @property
    def is_given(self) -> bool:
        """Whether it holds exactly the records that somebody named."""
        return self.seed == "given"

    @property
    def has_record_seed(self) -> bool:
        """Whether it holds what is similar to records."""
        return self.seed in ("record", "selection")

    @property
    def is_similarity(self) -> bool:
        """Whether it holds what is similar to its seed."""
        return self.seed is not None and not self.is_given and not self.is_seed_optional

    @property
    def updates_suggestions(self) -> bool:
        """Whether what is decided changes what is suggested and expected of the open rows.

        Without suggestions there is nothing to change; of labeled rows, what they carry would be
        suggested back.
        """
        return self.has_suggestions and not self.is_labeled

    def build_title(self, db: Session, project: Project, seed: Seed | None) -> str:
        """Build what people call a session. Raises Invalid, and NotFound for foreign ids."""
        return self.title if isinstance(self.title, str) else self.title(db, project, seed)

    def build_seed(
        self, record_ids: Iterable[int] = (), label_id: int | None = None, text: str = ""
    ) -> Seed | None:
        """Build what such a session starts from; None if it needs nothing."""
        if self.seed is None or (self.is_seed_optional and label_id is None):
            return None
        if self.seed == "label":
            return Seed("label", label_id=label_id)
        if self.seed == "text":
            return Seed("text", text=text.strip())
        return Seed(self.seed, record_ids=tuple(dict.fromkeys(record_ids)))

    def explain_empty(self, filters: Filters) -> str:
        """Explain why such a session would hold nothing."""
        if self.empty:
            return self.empty
        if filters == UNLABELED:
            return "Nothing left to label: every record of this project is labeled."
        return "No record matches these filters."


def find_kind(name: str) -> KindDefinition:
    """Find the definition of this kind. Raises Invalid where there is none."""
    if name in SESSION_KINDS:
        return SESSION_KINDS[name]
    with suppress(ValueError):
        return SESSION_KINDS[SessionKind(name)]
    others = [each.kind for each in SESSION_KINDS.values() if not each.is_similarity]
    raise Invalid(
        "Unknown session kind. Start a session from records, a label or a text, or as one of "
        f"these: {', '.join(others)}."
    )


def describe_kind(session: LabelingSession) -> KindDefinition:
    """Return the definition of a stored session's kind, or a plain one if the kind is gone."""
    name = session.seed_kind
    return SESSION_KINDS.get(name) or KindDefinition(name, name)


def clean_title(words: str) -> str:
    """Return a session's title as one line. Raises Invalid if it is too long."""
    title = " ".join(words.split())
    if len(title) > LONGEST_TITLE:
        raise Invalid(
            f"A title can have at most {LONGEST_TITLE} characters ({len(title):,} given)."
        )
    return title


def find_label_name(db: Session, project: Project, label_id: int | None) -> str:
    """Raise NotFound when it is not one of the project's."""
    label = db.get(Label, label_id) if label_id else None
    if label is None or label.project_id != project.id:
        raise NotFound("label")
    return label.name


def _build_given_title(db: Session, project: Project, seed: Seed | None) -> str:
    n = len(seed.record_ids) if seed else 0
    if not 1 <= n <= MOST_GIVEN:
        raise Invalid(f"Choose 1 to {MOST_GIVEN:,} records ({n:,} chosen).")
    return format_count(n, "chosen record")


def _build_record_title(db: Session, project: Project, seed: Seed | None) -> str:
    if seed is None or not seed.record_ids:
        raise Invalid("Choose at least one record to start from.")
    if len(seed.record_ids) > MOST_RECORDS:
        raise Invalid(f"A session can start from at most {MOST_RECORDS:,} records.")
    known = load_excerpts(db, seed.record_ids, 2 * LONGEST_TITLE)
    if any(i not in known or known[i].project_id != project.id for i in seed.record_ids):
        raise NotFound("record")
    if len(known) == 1:
        return f"Similar to “{_shorten(known[seed.record_ids[0]].text)}”"
    return f"Similar to {len(known):,} records"


def _build_label_title(db: Session, project: Project, seed: Seed | None) -> str:
    name = find_label_name(db, project, seed.label_id if seed else None)
    return f"More like the label “{name}”"


def _build_suggested_title(db: Session, project: Project, seed: Seed | None) -> str:
    if seed is None:
        return "Suggested"
    return f"Suggested: {find_label_name(db, project, seed.label_id)}"


def _build_text_title(db: Session, project: Project, seed: Seed | None) -> str:
    if seed is None or not seed.text:
        raise Invalid("Enter a text that the records should be similar to.")
    return f"Similar to the text “{_shorten(seed.text)}”"


def _shorten(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST_TITLE else words[: LONGEST_TITLE - 1].rstrip() + "…"


# Folded is what costs a key for every record. Not so the first labels, which are each looked at,
# the likes of a record, which are shown as they are, and what chance drew.
#
# Reranked is what is looked through for one label. Representative, uncertain and uncovered records
# stand in the order in which they teach; chance must stay chance; contradictions stand in pairs;
# the last import and given records are in somebody's order.
#
# A forecast is not made of what chance draws anew each time, nor of the first labels, of which
# nothing is known.
_DEFINITIONS = (
    KindDefinition(
        SessionKind.RECORD,
        "Similar to a record",
        title=_build_record_title,
        seed="record",
        is_reranked=True,
        is_version_dependent=True,
    ),
    KindDefinition(
        SessionKind.SELECTION,
        "Similar to a selection",
        title=_build_record_title,
        seed="selection",
        is_reranked=True,
        is_version_dependent=True,
    ),
    KindDefinition(
        SessionKind.LABEL,
        "More like a label",
        title=_build_label_title,
        seed="label",
        is_reranked=True,
        is_version_dependent=True,
    ),
    KindDefinition(
        SessionKind.TEXT,
        "Similar to a text",
        title=_build_text_title,
        seed="text",
        is_reranked=True,
        is_version_dependent=True,
    ),
    KindDefinition(SessionKind.GIVEN, "Chosen records", title=_build_given_title, seed="given"),
    KindDefinition(
        SessionKind.COLD_START,
        "Representative",
        title="Representative records",
        description="One typical record from each group of similar records: the best way to start.",
        obstacle="Label this session row by row: suggestions are learned from these first labels.",
    ),
    KindDefinition(
        SessionKind.SUGGESTED,
        "Suggested",
        title=_build_suggested_title,
        seed="label",
        is_seed_optional=True,
        empty="No suggestions left. Label some representative or uncertain records first.",
        default_size=USUAL_LENGTH,
        is_folded=True,
        is_reranked=True,
        is_version_dependent=True,
        is_why_forecast=True,
    ),
    KindDefinition(
        SessionKind.UNCERTAIN,
        "Uncertain",
        title="Most uncertain records",
        description="Records with the least certain suggestions: labeling them improves "
        "suggestions most.",
        requires=Requirement.SUGGESTIONS,
        is_folded=True,
        is_version_dependent=True,
        has_forecast=True,
    ),
    KindDefinition(
        SessionKind.COVERAGE,
        "Far from any label",
        title="Records far from any label",
        description="Records unlike anything labeled so far; may contain new classes.",
        requires=Requirement.LABELS,
        is_folded=True,
        is_version_dependent=True,
        has_forecast=True,
    ),
    KindDefinition(
        SessionKind.RECENT,
        "Last import",
        title="Records of the last import",
        description="Records of the last import, in the order of the file.",
        empty="Everything from the last import is labeled.",
        is_folded=True,
        has_forecast=True,
    ),
    KindDefinition(
        SessionKind.LIKELY_MISLABELED,
        "Likely mislabeled",
        title="Likely mislabeled records",
        description="Records whose label differs from most of their nearest labeled neighbours.",
        requires=Requirement.LABELS,
        empty="No likely mislabeled records found.",
        is_labeled=True,
        has_forecast=True,
    ),
    KindDefinition(
        SessionKind.CONFLICTS,
        "Conflicting labels",
        title="Similar records, different labels",
        description="Nearly identical records with different labels.",
        requires=Requirement.LABELS,
        empty="No nearly identical records have different labels.",
        is_labeled=True,
        has_forecast=True,
        is_pairwise=True,
    ),
    KindDefinition(
        SessionKind.RANDOM,
        "Random",
        title="Random records",
        description="Random unlabeled records; available while records are still being embedded.",
    ),
    # People label a hold-out sample without seeing suggestions.
    KindDefinition(
        SessionKind.HOLDOUT,
        "Hold-out sample",
        title="Hold-out sample: random records",
        description="Records drawn at random, shown without suggestions and never used for "
        "training: they measure how often suggestions are correct.",
        empty="Every record of the project is in the hold-out sample and labeled.",
        default_size=N_PER_SESSION,
        is_drawn_at_start=True,
        has_suggestions=False,
        has_spot_check=False,
    ),
)
SESSION_KINDS: dict[str, KindDefinition] = {each.kind: each for each in _DEFINITIONS}
"""Kind → its definition, in the order in which pages list them."""
