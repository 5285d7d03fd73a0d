"""Display preferences for the labeling page, stored with the user's preferences."""

from dataclasses import dataclass
from typing import Any, Self

from app.models import User

DENSITIES = {"comfortable": "Comfortable", "compact": "Compact"}
TEXT_SIZES = {"small": "Small", "normal": "Normal", "large": "Large", "largest": "Largest"}


@dataclass(frozen=True)
class DisplayPreferences:
    """One user's choices; invalid stored values are replaced by the defaults.

    shows_differences  words that tell a row from what its session started from are underlined
    is_reranked        rows below the focused one move as labels arrive
    """

    density: str = "comfortable"
    text_size: str = "normal"
    shows_differences: bool = True
    is_reranked: bool = True

    @classmethod
    def from_user(cls, user: User) -> Self:
        """Load the user's display preferences."""
        stored = user.preferences
        return cls(
            _valid_choice(stored.get("density"), DENSITIES, cls.density),
            _valid_choice(stored.get("text_size"), TEXT_SIZES, cls.text_size),
            stored.get("shows_differences") is not False,
            stored.get("is_reranked") is not False,
        )


def _valid_choice(value: Any, offered: dict[str, str], default: str) -> str:
    return value if isinstance(value, str) and value in offered else default
