"""The conditions of automatic training besides a minimum of changed labels.

The more labels a project has, the less another 25 can improve: from the second run on, a share of
the labels must have changed as well, so that runs are not repeated for nothing. (Label Sleuth
retrains after a fixed number of changes; its issue list asks for a growing one.)
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo, available_timezones

from app.errors import Invalid

LONGEST_PAUSE = 7 * 24 * 60


@dataclass(frozen=True)
class TriggerPolicy:
    """When an automatic run may start; a person can start one at any time.

    growth         share, in [0, 1], of the labels of the last run that must have changed since
    per_label      records that each label in use must have
    pause_minutes  minutes after a run in which no other starts
    quiet_from, quiet_until  times of day, in `zone`, between which no run starts; None: any time.
                   From 22:00 until 6:00 includes midnight
    zone           a name of the time zone database, such as Europe/Berlin
    """

    growth: float = 0.25
    per_label: int = 0
    pause_minutes: int = 0
    quiet_from: time | None = None
    quiet_until: time | None = None
    zone: str = "UTC"

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_json() returned; missing fields have their defaults."""
        values = dict(stored)
        for name in ("quiet_from", "quiet_until"):
            if values.get(name):
                values[name] = time.fromisoformat(values[name])
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """Return the values to store with the project."""
        times = {"quiet_from": self.quiet_from, "quiet_until": self.quiet_until}
        return asdict(self) | {name: t and t.isoformat("minutes") for name, t in times.items()}

    def validate(self) -> Self:
        """Return the policy. Raises Invalid for values out of range."""
        if not 0 <= self.growth <= 1:
            raise Invalid("The share of changed labels must be between 0 and 100 %.")
        if not 0 <= self.per_label <= 1_000:
            raise Invalid("Records per label must be between 0 and 1,000.")
        if not 0 <= self.pause_minutes <= LONGEST_PAUSE:
            raise Invalid(f"The pause must be between 0 and {LONGEST_PAUSE:,} minutes (one week).")
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise Invalid("Quiet hours need a start and an end: fill in both, or neither.")
        if self.zone not in available_timezones():
            raise Invalid(
                f"Unknown time zone “{self.zone[:40]}”. Use a name such as Europe/Berlin."
            )
        return self

    def needed(self, min_labels: int, n_at_last_run: int) -> int:
        """Return how many labels must have changed since a run that used n_at_last_run."""
        return max(min_labels, math.ceil(self.growth * n_at_last_run))

    def pause_ends(self, last_ended_at: datetime | None, now: datetime) -> datetime | None:
        """Return the end of the pause after the last run, None if it is over. Times are aware."""
        if last_ended_at is None:
            return None
        ends = last_ended_at + timedelta(minutes=self.pause_minutes)
        return ends if ends > now else None

    def quiet_ends(self, now: datetime) -> datetime | None:
        """Return the end of the quiet hours, in their zone, if `now` (aware) is within them."""
        if self.quiet_from is None or self.quiet_until is None:
            return None
        local_time = now.astimezone(ZoneInfo(self.zone))
        if not _is_between(local_time.time(), self.quiet_from, self.quiet_until):
            return None
        ends = datetime.combine(local_time.date(), self.quiet_until, local_time.tzinfo)
        return ends if ends > local_time else ends + timedelta(days=1)


def _is_between(moment: time, begin: time, end: time) -> bool:
    if begin <= end:
        return begin <= moment < end
    return moment >= begin or moment < end
