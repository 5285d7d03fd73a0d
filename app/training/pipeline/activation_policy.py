"""Raw against tuned, kept as JSON between the steps; and whether the version is to be activated.

Decision: what measured clearly worse than raw or than the version in use (see
app.ml.evaluation.activation_gate) is not activated, unless the run was requested with force.
Decision: where too little is labeled to measure anything, the version is activated if every label
in use has two records and no text carries two different labels. Waiting would keep the newcomer's
first labels from showing any effect, tuned vectors fall back on raw similarity where they know
nothing, and rolling back is one click. A deep version has no such fallback, and the labels it was
taught by cannot tell how good it is: unmeasured, it waits for a person.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app.ml.evaluation.comparison import Comparison, Difference, Score


@dataclass(frozen=True)
class ActivationDecision:
    """Whether a version is activated, and the sentences that tell a person why."""

    is_activated: bool
    sentence: str


def decide_activation(
    comparison: Comparison, objection: str | None, *, is_forced: bool
) -> ActivationDecision:
    """Activate it or not, and why.

    objection  why it should not be activated if it could not be measured
    """
    summary = comparison.sentence
    if comparison.raw and comparison.is_better:
        return ActivationDecision(True, f"{summary} It was activated.")
    if is_forced:
        return ActivationDecision(
            True,
            f"{summary} It was activated, as requested for any result.",
        )
    if comparison.raw:
        return ActivationDecision(
            False, f"{summary} The version in use stays; this one can still be activated."
        )
    if objection:
        return ActivationDecision(False, f"{summary} Not activated: {objection}")
    return ActivationDecision(
        True,
        f"{summary} It was activated, because every label has at least two records and none "
        "contradict each other; roll back if sessions got worse.",
    )


def save_comparison(comparison: Comparison, path: Path) -> None:
    """Write it as JSON, without the single queries, which have a file of their own."""
    path.write_text(json.dumps(asdict(replace(comparison, queries=None))))


def load_comparison(path: Path) -> Comparison:
    """Load what `save_comparison` wrote."""
    values = json.loads(path.read_text())
    for name in ("raw", "tuned", "active"):
        values[name] = tuple(Score(**score) for score in values[name])
    values["differences"] = tuple(Difference(**value) for value in values["differences"])
    return Comparison(**values)
