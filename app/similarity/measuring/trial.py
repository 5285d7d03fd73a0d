"""A trial: raw, tuned and the version in use answer about the same hidden examples."""

from collections.abc import Iterator

import numpy as np

from app.similarity.examples import Examples
from app.similarity.folds import Fold
from app.similarity.head import Head, RawHead
from app.similarity.measuring.answers import Answers, Reply
from app.similarity.measuring.asking import Champion, ask
from app.similarity.measuring.curve import Curve
from app.similarity.measuring.draws import Draw
from app.similarity.measuring.evaluation import Comparison, Difference, Score
from app.similarity.measuring.gate import EVIDENCE, RAW, decide
from app.similarity.measuring.intervals import Resamples
from app.similarity.measuring.overlap import overlap_each
from app.similarity.measuring.queries import (
    N_NEIGHBOURS,
    DepthLog,
    Queries,
    Rows,
    bins_of,
    gains_by,
)
from app.similarity.measuring.scoring import difference_of, mean_of_known, scores_of
from app.similarity.vectors import Vectors

LEAST_FRESH = 10
"""With fewer labels that are new to the version in use, it is not asked."""


TOLD = {"r_precision", "accuracy", "top_k", "rbo"}
"""The metrics that are told of each query by itself."""


class Trial:
    """The contenders' answers, draw by draw, and what they come to."""

    def __init__(
        self,
        rows: Vectors,
        examples: Examples,
        ks: tuple[int, ...],
        champion: Champion | None,
        base: Head | None = None,
    ) -> None:
        self._rows, self._examples, self._champion = rows, examples, champion
        self._base = base or RawHead(rows.shape[1])
        self.curve = Curve(len(examples))
        self._raw, self._tuned = Answers(examples, ks), Answers(examples, ks)
        # The champion is asked about fresh examples alone, and so is tuned, beside it.
        self._active, self._rival = Answers(examples, ks), Answers(examples, ks)
        # Of single queries, the first draw alone is told: it asks each of them once.
        self._n_draws, self._depths = 0, DepthLog(examples)
        none = np.full((len(examples), N_NEIGHBOURS), -1, np.int64)
        self._neighbours = {"raw": none, "tuned": none.copy()}

    def hold(self, draw: Draw, heads: list[Head]) -> None:
        """Ask raw, the heads of this draw's folds, and the champion."""
        rows, examples = self._rows, self._examples
        for fold, head in zip(draw, heads, strict=True):
            before = ask(self._base, rows, examples, fold)
            after = ask(head, rows, examples, fold)
            self._raw.add(fold[1], before)
            self._tuned.add(fold[1], after)
            self._tuned.keep(("rbo", None), fold[1], overlap_each(before.ranked, after.ranked))
            if self._n_draws == 0:
                self._note(fold, head, len(draw), {"raw": before, "tuned": after})
        self._n_draws += 1
        if self._champion is not None:
            self._challenge(self._champion, draw, heads)

    def _note(self, fold: Fold, head: Head, n_folds: int, replies: dict[str, Reply]) -> None:
        """What single queries got: their neighbours, and purity by depth among all hidden ones."""
        shown, hidden = fold
        for role, reply in replies.items():
            near = hidden[reply.ranked[:, :N_NEIGHBOURS]]
            self._neighbours[role][hidden, : near.shape[1]] = near
        every = np.setdiff1d(np.arange(len(self._examples)), shown)
        rows = self._rows[self._examples.rows[every]]
        self._depths.ask(every, self._base.tune(rows), head.tune(rows), n_folds)

    def _challenge(self, champion: Champion, draw: Draw, heads: list[Head]) -> None:
        rows, examples = self._rows, self._examples
        for head, (shown, hidden) in zip(heads, draw, strict=True):
            fold = (shown, hidden[champion.is_fresh[hidden]])
            if len(fold[1]) > 1:
                self._active.add(fold[1], ask(champion.head, champion.vectors, examples, fold))
                self._rival.add(fold[1], ask(head, rows, examples, fold))

    def outcome(self) -> Comparison:
        """Scores, differences and the decision."""
        draws = Resamples(self._examples.groups)
        pairs = [(self._tuned, self._raw, RAW)]
        active: tuple[Score, ...] = ()
        if self._champion is not None and self._active.n_asked.sum() >= LEAST_FRESH:
            active = scores_of(self._active, draws)
            pairs.append((self._rival, self._active, self._champion.name))
        differences = tuple(_differences(pairs, draws))
        raw, tuned = scores_of(self._raw, draws), scores_of(self._tuned, draws)
        tuned = (*tuned, *self.curve.scores(draws))
        decision = decide(raw, tuned, differences)
        return Comparison(
            raw, tuned, decision.is_good, decision.sentence, active, differences,
            self._queries(draws),
        )  # fmt: skip

    def _queries(self, draws: Resamples) -> Queries:
        roles = {"raw": self._raw, "tuned": self._tuned}
        values = {
            f"{role}/{metric}" + (f"@{k}" if k else ""): answers.values((metric, k))
            for role, answers in roles.items()
            for metric, k in answers.measured()
            if metric in TOLD
        }
        carried, label_ids = self._examples.answers(), self._examples.label_ids
        gains = [
            gains_by(
                carried, label_ids, metric, values[f"raw/{metric}"], values[f"tuned/{metric}"],
                draws,
            )
            for metric in ("r_precision", "accuracy")
        ]  # fmt: skip
        judged = (self._tuned.missed, self._tuned.n_judged, self._tuned.told)
        return Queries(
            values=values,
            suggested={role: _suggested(answers) for role, answers in roles.items()},
            neighbours=self._neighbours,
            depths=self._depths.depths(),
            by_label=(*gains[0], *gains[1]),
            bins=bins_of(*judged, draws),
        )


def _suggested(answers: Answers) -> Rows:
    return np.asarray(np.argwhere(answers.suggested > 0), np.int64)


def _differences(
    pairs: list[tuple[Answers, Answers, str]], draws: Resamples
) -> Iterator[Difference]:
    """Of each pair: what the gate hears first, then what that is made of."""
    for tuned, other, against in pairs:
        each = {
            metric: tuned.values((metric, None)) - other.values((metric, None))
            for metric in ("r_precision", "accuracy")
        }
        told = {EVIDENCE: mean_of_known(list(each.values()))} | each
        for metric, values in told.items():
            found = difference_of(values, metric, against, draws)
            if found is not None:
                yield found
