"""The tuning table as pictures, docs/pictures/tuning-CORPUS.svg."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from results_store import ROOT
from scores import DEPTHS
from tuning_table import Line, load_lines

PICTURES = ROOT / "docs" / "pictures"
SHOWN = {
    ("skip_triplet", "random"): ("notebook recipe", "#8a6d3b", "s"),
    ("head", "random"): ("head, random labels", "#1f5fbf", "o"),
    ("head", "cold"): ("head, first session's labels", "#0b8f6a", "^"),
    ("deep", "cold"): ("deep, first session's labels", "#a3288f", "D"),
    ("head on deep", "cold"): ("head on deep, the same", "#c0392b", "v"),
}
"""Of each recipe and choice of labels: its name, colour and mark; other lines are not drawn."""

METRICS = {"agnews": ("top_1000", "accuracy"), "atis": ("r_precision", "macro_f1")}
NAMES = {
    "top_1000": "top_1000",
    "r_precision": "r_precision",
    "accuracy": "accuracy of suggestions",
    "macro_f1": "macro F1 of suggestions",
}
FEW = 25


def draw_tuning() -> list[Path]:
    """Draw each corpus of the kept lines; the files, relative to the repository."""
    lines = load_lines("tuning") + load_lines("deep")
    return [_draw(corpus, lines) for corpus in sorted({line.corpus for line in lines})]


def _draw(corpus: str, lines: list[Line]) -> Path:
    own = [line for line in lines if line.corpus == corpus]
    # Text stays text, and the same figures give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "likewise", "font.size": 9}):
        figure = Figure(figsize=(10, 8), layout="constrained")
        first, second, third, fourth = figure.subplots(2, 2).flat
        _by_labels(first, own, METRICS[corpus][0])
        _by_labels(second, own, METRICS[corpus][1])
        _by_depth(third, own, FEW)
        _by_depth(fourth, own, 1000)
        fourth.sharey(third)
        first.legend(fontsize=8)
        path = PICTURES / f"tuning-{corpus}.svg"
        figure.savefig(path, metadata={"Date": None})
    return path.relative_to(ROOT)


def _by_labels(axes: Axes, lines: list[Line], metric: str) -> None:
    for (recipe, picked), (name, colour, mark) in SHOWN.items():
        own = [x for x in lines if (x.recipe, x.picked) == (recipe, picked) and metric in x.scores]
        own.sort(key=lambda line: line.labels)
        if own:
            axes.errorbar(
                [line.labels for line in own],
                [line.scores[metric] for line in own],
                [line.spread[metric] for line in own],
                label=name,
                color=colour,
                marker=mark,
                markersize=4,
                linewidth=1.4,
                capsize=2,
            )
    for line in lines:
        if metric in line.scores and (line.recipe == "raw" or line.picked == "all true"):
            name = "raw" if line.recipe == "raw" else "ceiling: a head on all true labels"
            style = "--" if line.recipe == "raw" else ":"
            axes.axhline(line.scores[metric], color="#555", linestyle=style, label=name)
    axes.set(xscale="log", xlabel="labels", ylabel=NAMES[metric])
    _ticks(axes, sorted({line.labels for line in lines if line.picked == "random"}))


def _by_depth(axes: Axes, lines: list[Line], labels: int) -> None:
    for line in lines:
        name, colour, mark = SHOWN.get((line.recipe, line.picked), ("raw", "#555", "."))
        if line.recipe == "raw" or (line.labels == labels and name != "raw"):
            depths = [k for k in DEPTHS if f"top_{k}" in line.scores]
            shares = [line.scores[f"top_{k}"] for k in depths]
            axes.plot(depths, shares, label=name, color=colour, marker=mark, markersize=4)
    axes.set(xscale="log", xlabel="k", ylabel="top_k", title=f"{labels:,} labels")
    _ticks(axes, DEPTHS)


def _ticks(axes: Axes, places: Sequence[int]) -> None:
    """Name the measured places instead of powers of ten."""
    axes.set_xticks(places, [f"{place:,}" for place in places])
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.25)
