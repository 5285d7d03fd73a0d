"""What an act on many records would do, before it is done."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.browsing.asked import Asked
from app.browsing.finding import find
from app.browsing.ordering import ordered
from app.errors import Conflict, Invalid
from app.labeling.acceptance import MIN_SCORE, Acceptance, is_sure_enough, sum_up
from app.labeling.annotations import Say
from app.labeling.items import suggestions_of
from app.models import Consensus, Label, Project, Record, Remark
from app.projects.labels import label_set
from app.records.filters import Filters, Ids
from app.records.matching import columns_of, is_among, matching_ids
from app.search.encoders import active_encoder

DeedKind = Literal["label", "none", "accept", "withdraw", "flag"]
# So many annotations are stored and taken back in some seconds; saves of others wait for none.
MOST_AT_ONCE = 50_000
NONE_OF_THESE = 0
_DEED = re.compile(r"(none|accept|withdraw|flag)|label:(\d{1,9})|accept:([01](?:\.\d{1,4})?)")


@dataclass(frozen=True)
class Deed:
    """What shall be done to each record.

    label      which one is given
    min_score  suggestions below it are not accepted
    """

    kind: DeedKind
    label: Label | None = None
    min_score: float = MIN_SCORE

    @property
    def written(self) -> str:
        """As forms and addresses say it."""
        if self.kind == "accept":
            return f"accept:{self.min_score:g}"
        return self.kind if self.label is None else f"label:{self.label.id}"


@dataclass(frozen=True)
class Plan:
    """What a deed comes to.

    ids          the records that it changes, (n,) int64
    says         what is said about them; empty for a flag
    n_asked      the records that were chosen
    n_otherwise  those among `ids` that carry another label now, or several
    n_already    those that carry it already
    by_label     how many records get which label
    acceptance   how many suggestions are accepted, and how sure they are; None for other deeds
    fingerprint  tells whether a plan made later does the same to the same records
    """

    deed: Deed
    ids: Ids
    says: Sequence[Say]
    n_asked: int
    n_otherwise: int
    n_already: int
    by_label: dict[int, int]
    fingerprint: str
    acceptance: Acceptance | None = None


def read_deed(db: Session, project: Project, written: str) -> Deed:
    """label:ID, none, accept, accept:SCORE, withdraw or flag.

    Raises Invalid, Conflict for a label not given.
    """
    found = _DEED.fullmatch(written)
    if found is None or float(found[3] or 0) > 1:
        raise Invalid("Choose what to do with the records.")
    if found[3] is not None:
        return Deed("accept", min_score=float(found[3]))
    if found[2] is None:
        kinds: dict[str, DeedKind] = {
            "none": "none", "accept": "accept", "withdraw": "withdraw", "flag": "flag"
        }  # fmt: skip
        return Deed(kinds[found[1]])
    label = next((each for each in label_set(db, project.id) if each.id == int(found[2])), None)
    if label is None:
        raise Conflict("This label cannot be given any more. Choose another.")
    return Deed("label", label)


def chosen_ids(
    db: Session, project: Project, asked: Asked | None, ticked: Sequence[int], most: int
) -> Ids:
    """The ticked records of this project, in their order; or all that a search finds, in its order.

    asked  None: those that are ticked. Raises Invalid for none at all, and for more than `most`.
    """
    if asked is not None:
        ids = ordered(db, project, find(db, project, asked), asked.sort).ids
    else:
        wanted = np.array(list(dict.fromkeys(ticked)), np.int64)
        ours = select(Record.id).where(Record.project_id == project.id, Record.id.in_(ticked))
        ids = wanted[np.isin(wanted, columns_of(db, ours)[0])]
    if len(ids) == 0:
        raise Invalid("No record is chosen: tick some, or choose all that match.")
    if len(ids) > most:
        raise Invalid(f"This takes at most {most:,} records at once, not {len(ids):,}.")
    return ids


def plan(db: Session, project: Project, user_id: int, deed: Deed, ids: Ids) -> Plan:
    """What this user's deed does to these records."""
    acceptance = None
    if deed.kind == "flag":
        changed, says = _not_flagged(db, project, user_id, ids), []
    elif deed.kind == "accept":
        found = _accepting(db, project, ids)
        says = [say for say in found if is_sure_enough(say.suggestion_score, deed.min_score)]
        acceptance = sum_up([say.suggestion_score or 0.0 for say in found], deed.min_score)
        changed = np.array([say.record_id for say in says], np.int64)
    else:
        changed = ids if deed.kind != "withdraw" else _said_by(db, project, user_id, ids)
        says = [_say(deed, int(each)) for each in changed]
    given = Counter(label_id for say in says for label_id in say.label_ids)
    n_otherwise, n_already = _compared(db, project, says) if says else (0, 0)
    return Plan(
        deed, changed, says, len(ids), n_otherwise, n_already, dict(given.most_common()),
        _fingerprint(deed, changed, says), acceptance,
    )  # fmt: skip


def _say(deed: Deed, record_id: int) -> Say:
    if deed.label is not None:
        return Say(record_id, "label", (deed.label.id,))
    # A later skip takes the place of what the user said, and is no voice itself.
    return Say(record_id, "skip" if deed.kind == "withdraw" else "none")


def _not_flagged(db: Session, project: Project, user_id: int, ids: Ids) -> Ids:
    flags = select(Remark.record_id).where(
        Remark.project_id == project.id, Remark.user_id == user_id, Remark.kind == "flag",
        Remark.withdrawn_at.is_(None),
    )  # fmt: skip
    return ids[~np.isin(ids, columns_of(db, flags)[0])]


def _said_by(db: Session, project: Project, user_id: int, ids: Ids) -> Ids:
    return ids[is_among(ids, matching_ids(db, project.id, Filters(user_id=user_id)))]


def _accepting(db: Session, project: Project, ids: Ids) -> list[Say]:
    encoder = active_encoder(db, project.id)
    found = suggestions_of(db, project, encoder.id if encoder else None, ids.tolist())
    return [
        Say(
            each, "label", tuple(suggestion.label_id for suggestion in found[each]),
            suggestion_id=found[each][0].label_id, suggestion_score=found[each][0].score,
            encoder_id=encoder.id if encoder else None,
        )
        for each in ids.tolist()
        if each in found
    ]  # fmt: skip


def _compared(db: Session, project: Project, says: Sequence[Say]) -> tuple[int, int]:
    """Of the records that a label or "none of these" is said about: with another, with the same."""
    agreed = select(Consensus.record_id, func.coalesce(Consensus.label_id, NONE_OF_THESE))
    record_ids, label_ids = columns_of(db, agreed.where(Consensus.project_id == project.id))
    now: dict[int, set[int]] = {}
    for record_id, label_id in zip(record_ids.tolist(), label_ids.tolist(), strict=True):
        now.setdefault(record_id, set()).add(label_id)
    labeled = [say for say in says if say.verdict != "skip" and say.record_id in now]
    wanted = [set(say.label_ids) or {NONE_OF_THESE} for say in labeled]
    n_same = sum(now[say.record_id] == each for say, each in zip(labeled, wanted, strict=True))
    return len(labeled) - n_same, n_same


def _fingerprint(deed: Deed, ids: Ids, says: Sequence[Say]) -> str:
    labels = "|".join(f"{say.record_id}:{say.label_ids}" for say in says)
    same = f"{deed.written} {sorted(ids.tolist())} {labels if deed.kind == 'accept' else ''}"
    return hashlib.sha256(same.encode()).hexdigest()
