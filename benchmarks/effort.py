"""What does a correctly labeled record cost? A simulated annotator labels everything, over HTTP.

usage: effort.py [--data agnews atis] [--ways next raw audit] [--look SECONDS] [--keep FOLDER]

The product's own server and worker run on a new data folder (SQLite). The annotator knows the true
labels, asks for the next best session, and presses the page's own keys: a label key on each row
whose suggestion is wrong, then one accept for the rest of the page. An action is a key or click
that writes; moves and the clicks that open sessions are counted apart.

next   follows the product's choice of session and page until every record is labeled
audit  the same, but accepts whole sessions of 500 after an audit wherever the product allows it
raw    sessions of 50 raw neighbours without suggestions, labeled at once like their seed
--look  seconds that the annotator takes for a page; people take longer
--keep  a folder for the embedded records: the next call starts from there

One key per record, as tools without similarity need it, is 1.0 by definition.
"""

import argparse
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labeled_data import LabeledData, truth
from results_store import store_rows
from simulated_annotator import Annotator, Row, Served

CHECKED_EVERY = 500
GOOD_ENOUGH = 0.95
RAW_PAGE = 50
AUDITED = 500
Figures = dict[str, Any]


def follow_the_product(annotator: Annotator, look: float) -> list[Figures]:
    """Label all that is open, session by session as the product chooses them."""
    return in_sessions(
        annotator, look, lambda session: label_page(annotator, annotator.rows(session), session)
    )


def in_sessions(
    annotator: Annotator, look: float, label: Callable[[Figures], None]
) -> list[Figures]:
    """Take the sessions that the product proposes until none is left; how it stood on the way."""
    marks, checked = [], 0
    while session := annotator.next_session():
        label(session)
        time.sleep(look)
        if annotator.n_labeled >= checked + CHECKED_EVERY:
            checked = annotator.n_labeled
            marks.append(annotator.state())
            print_mark(marks[-1])
    return marks


def label_page(annotator: Annotator, rows: list[Row], session: Figures) -> None:
    """Return a label key on each row that is wrong or has no suggestion; then the rest at once."""
    wrong = [row for row in rows if row.suggested != annotator.truth[row.external_id]]
    annotator.moves += wrong[-1].rank if wrong else 0
    for row in wrong:
        annotator.label([row], session, "single")
    right = [row for row in rows if row.suggested == annotator.truth[row.external_id]]
    if right:
        annotator.label(right, session, "page")


def accept_after_audits(annotator: Annotator, look: float) -> list[Figures]:
    """Where a label's session passes its audit the rest of it is accepted unseen."""

    def label(session: Figures) -> None:
        longer = annotator.longer(session, AUDITED) if session["seed_kind"] == "suggested" else None
        if longer is None or not annotator.accept_audited(longer):
            label_page(annotator, annotator.rows(session), session)

    return in_sessions(annotator, look, label)


def label_like_the_seed(annotator: Annotator, _look: float) -> list[Figures]:
    """Start from a random open record: one key for it and all its neighbours, one for each other
    one that differs."""
    while session := annotator.session(seed_kind="random", k=1):
        [seed] = annotator.rows(session)
        start = {"seed_kind": "record", "record_ids": [seed.record_id], "k": RAW_PAGE - 1}
        around = annotator.session(**start) or session
        rows = annotator.rows(around)
        same = annotator.truth[seed.external_id]
        differing = [row for row in rows if annotator.truth[row.external_id] != same]
        for row in differing:
            annotator.label([row], around, "single")
        annotator.label([row for row in rows if row not in differing], around, "page")
        annotator.moves += differing[-1].rank if differing else 0
    return []


WAYS = {"next": follow_the_product, "audit": accept_after_audits, "raw": label_like_the_seed}


def measured(data: LabeledData, way: str, look: float, base: Path) -> Figures:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        shutil.copytree(base, folder)
        # Without a worker there are neither runs nor suggestions: similarity stays raw.
        with Served(folder, *(["--no-worker"] if way == "raw" else [])) as server:
            annotator = Annotator(server, data.labels)
            start = time.perf_counter()
            marks = WAYS[way](annotator, look)
            return figures(annotator, data, way, marks) | {
                "seconds": round(time.perf_counter() - start),
                "renewed_after_seconds": server.renewal_seconds(),
            }


def figures(annotator: Annotator, data: LabeledData, way: str, marks: list[Figures]) -> Figures:
    standing = annotator.state()
    n = len(data.labels)
    enough = next((mark for mark in marks if mark["accuracy"] >= GOOD_ENOUGH), standing)
    return {
        "data": data.name,
        "way": way,
        "records": n,
        "labels": len(set(data.labels.values())),
        "actions": sum(annotator.actions.values()),
        "of": dict(annotator.actions),
        "moves": annotator.moves,
        "sessions": annotator.n_sessions,
        "correct": round(standing["labeled_accuracy"], 4),
        "per_correct_record": round(
            sum(annotator.actions.values()) / (standing["labeled_accuracy"] * n), 4
        ),
        "until_95": round(enough["actions"] / n, 4),
        "labeled_at_95": enough["labeled"],
        "forecasts_kept": annotator.forecasts_kept(),
        "marks": marks,
    }


def print_mark(mark: Figures) -> None:
    print(
        f"  {mark['labeled']:6,} labeled with {mark['actions']:5,} actions; "
        f"all records, the rest as suggested: {mark['accuracy']:.3f} right",
        flush=True,
    )


def show(line: Figures) -> None:
    kinds: Counter[str] = Counter(line["of"])
    print(
        f"{line['data']:8} {line['way']:6} {line['per_correct_record']:.3f} actions per correctly "
        f"labeled record ({kinds['single']:,} rows, {kinds['page']:,} pages, {line['moves']:,} "
        f"moves, {line['sessions']} sessions), {line['correct']:.1%} right; 95 % of all right "
        f"after {line['until_95']:.3f} a record; {line['seconds']} s; suggestions renewed "
        f"{line['renewed_after_seconds']} s after the newest label; forecasts kept "
        f"{line['forecasts_kept']}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["agnews", "atis"])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--look", type=float, default=3.0)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in asked.data:
            data = truth(name)
            if data is None:
                continue
            base = (asked.keep or Path(temporary)) / name
            data.embed(base)
            for way in asked.ways:
                lines.append(measured(data, way, asked.look, base))
                show(lines[-1])
    if lines:
        store_rows("effort", lines, by=("data", "way"))


if __name__ == "__main__":
    main()
