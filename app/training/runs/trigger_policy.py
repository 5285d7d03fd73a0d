"""What a run waits for before it starts by itself, beside the labels that changed.

The more labels a project has, the less another 25 can teach: from the second run on a share of the
labels must have changed as well, so that runs do not follow each other for nothing. (Label Sleuth
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
    """When a run may start by itself; a person who asks for one need not wait.

    growth         share, in [0, 1], of the labels of the last run that must have changed since
    per_label      each label that is in use has at least so many records
    pause_minutes  after a run has ended, no other starts for so long
    quiet_from, quiet_until  between these times of day, in `zone`, none starts; None: any time.
                   From 22:00 until 6:00 lasts over midnight
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
        """What as_json() wrote down; what is not in it has its default."""
        values = dict(stored)
        for name in ("quiet_from", "quiet_until"):
            if values.get(name):
                values[name] = time.fromisoformat(values[name])
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """For the project's row."""
        times = {"quiet_from": self.quiet_from, "quiet_until": self.quiet_until}
        return asdict(self) | {name: t and t.isoformat("minutes") for name, t in times.items()}

    def validate(self) -> Self:
        """Itself. Raises Invalid for what cannot be meant."""
        if not 0 <= self.growth <= 1:
            raise Invalid("The share of changed labels lies between 0 and 100 %.")
        if not 0 <= self.per_label <= 1_000:
            raise Invalid("A label can be asked for 0 to 1,000 records.")
        if not 0 <= self.pause_minutes <= LONGEST_PAUSE:
            raise Invalid(f"A pause lasts 0 to {LONGEST_PAUSE:,} minutes, which is a week.")
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise Invalid("Quiet hours have a beginning and an end: fill in both, or neither.")
        if self.zone not in available_timezones():
            raise Invalid(f"“{self.zone[:40]}” is no time zone; one is called Europe/Berlin.")
        return self

    def needed(self, min_labels: int, n_at_last_run: int) -> int:
        """How many labels must have changed since the last run, which learned from so many."""
        return max(min_labels, math.ceil(self.growth * n_at_last_run))

    def pause_ends(self, last_ended_at: datetime | None, now: datetime) -> datetime | None:
        """When the pause after the last run is over, if it is not yet. Times are aware."""
        if last_ended_at is None:
            return None
        ends = last_ended_at + timedelta(minutes=self.pause_minutes)
        return ends if ends > now else None

    def quiet_ends(self, now: datetime) -> datetime | None:
        """When the quiet hours are over, in their zone, if `now` (aware) lies in them."""
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
