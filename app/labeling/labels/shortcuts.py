"""Which label has which key for whom: a digit by its place in the set, unless the user chose
otherwise, and a letter if the user gave it one.

Decision: digits never move by themselves. Where a set has more labels than digits, the ones most
used get theirs when the user asks for it, once, and the rest is found by typing.
"""

from collections.abc import Sequence

from app.models import Label, Project, User
from app.projects.labels import shortcut_for_position

N_DIGITS = 10


def pair_with_digits(
    user: User, project: Project, offered: Sequence[Label]
) -> list[tuple[Label, str]]:
    """Every label with its digit ("" without one): in the order of the digits, then by position."""
    by_id = {label.id: label for label in offered}
    chosen = [digit if digit in by_id else None for digit in load_digits(user, project)]
    rest = iter([label for label in offered if label.id not in chosen])
    places = chosen + [None] * (N_DIGITS - len(chosen))
    with_digit = [by_id[each] if each else next(rest, None) for each in places]
    keyed = [
        (label, shortcut_for_position(place)) for place, label in enumerate(with_digit) if label
    ]
    return keyed + [(label, "") for label in rest]


def load_letters(user: User, project: Project, offered: Sequence[Label]) -> dict[int, str]:
    """Label id → the letter, or other sign, that the user chose for it: each once."""
    stored = user.preferences.get(f"letters_{project.id}")
    ids = {str(label.id): label.id for label in offered}
    found: dict[str, int] = {}
    for written, key in stored.items() if isinstance(stored, dict) else ():
        if written in ids and isinstance(key, str) and len(key) == 1 and not key.isdigit():
            found.setdefault(key, ids[written])
    return {label_id: key for key, label_id in found.items()}


def load_digits(user: User, project: Project) -> list[int | None]:
    """Label ids in the order of the digits 1 to 9, then 0, as the user chose them: each once."""
    stored = user.preferences.get(f"digits_{project.id}")
    found: list[int | None] = []
    for each in stored[:N_DIGITS] if isinstance(stored, list) else []:
        found.append(each if isinstance(each, int) and each not in found else None)
    return found
