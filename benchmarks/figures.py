"""Puts the kept figures into docs/figures.md, between its marks, and draws the pictures again.

tuning.py, unseen.py and scale.py end with this; so should whoever adds figures to that page.

usage: python benchmarks/figures.py

A table stands between <!-- table NAME --> and <!-- end -->; everything else is left as it is.
"""

import re
from collections.abc import Callable, Iterable

from results_store import ROOT, load_rows
from scores import DEPTHS
from tuning_plots import draw_tuning
from tuning_table import Line, load_lines

PAGE = ROOT / "docs" / "figures.md"
MARKED = re.compile(r"(<!-- table (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
SHORT = {"skip_triplet": "notebook recipe"}
PICKED = {
    "-": "–",
    "random": "at random",
    "cold": "first session",
    "half true": "half of the true ones",
    "all true": "all true ones",
}


def renew() -> None:
    """Write the page and the pictures again, from the figures that are kept now."""
    PAGE.write_text(renewed(PAGE.read_text()))
    print("Written:", PAGE.relative_to(ROOT), *draw_tuning())


def renewed(page: str) -> str:
    """Return the page with every marked table as the kept figures have it."""
    return MARKED.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = [list(head), *map(list, rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return "".join("| " + " | ".join(row) + " |\n" for row in cells)


def purity_table(corpus: str) -> str:
    names = [f"top_{k}" for k in DEPTHS] if corpus == "agnews" else ["top_5", "top_10", "top_25"]
    names += ["r_precision", "macro_r_precision", "accuracy", "macro_f1"]
    lines = [x for x in load_lines("tuning") + load_lines("deep") if x.corpus == corpus]
    head = ["labels", "picked", "recipe", *names, "±", "draws", "s", "CPU s", "MB"]
    return table(head, (_purity_row(line, names) for line in sorted(lines, key=_place)))


def _place(line: Line) -> tuple[bool, int, int, int]:
    is_ceiling = line.picked.endswith("true")
    return is_ceiling, line.labels, list(PICKED).index(line.picked), len(line.recipe)


def _purity_row(line: Line, names: list[str]) -> list[str]:
    main_metric = "top_1000" if line.corpus == "agnews" else "r_precision"
    return [
        f"{line.labels:,}" if line.labels else "–",
        PICKED[line.picked],
        SHORT.get(line.recipe, line.recipe),
        *(share(line.scores.get(name)) for name in names),
        share(line.spread[main_metric]),
        str(line.draws),
        f"{line.seconds:.1f}",
        f"{line.cpu_seconds:.1f}",
        f"{line.memory_mb:.0f}",
    ]


def unseen_table() -> str:
    names = ("r_precision", "macro_r_precision", "top_10", "top_100", "accuracy", "macro_f1")
    rows = (
        [
            line["data"],
            f"{line['n']:,}",
            str(line["n_classes"]),
            str(line["labels"]),
            str(line["draws"]),
            *(f"{share(line['raw'][name])} → {share(line['head'][name])}" for name in names),
            f"{line['least_gain']:+.3f}",
        ]
        for line in load_rows("unseen")
    )
    return table(["data", "records", "classes", "labels", "draws", *names, "worst draw"], rows)


def scale_table() -> str:
    lines = load_rows("scale")
    stages = list(dict.fromkeys(name for line in lines for name in line["stages"]))
    head = ["seconds, and of the processors", *(f"{line['records']:,} records" for line in lines)]
    rows = [
        [name, *(_pair(line["stages"].get(name, (0.0, 0.0))) for line in lines)] for name in stages
    ]
    rows.append(["all", *(_pair((line["seconds"], line["cpu_seconds"])) for line in lines)])
    rows.append(["most memory", *(f"{line['memory_mb']:,.0f} MB" for line in lines)])
    return table(head, rows)


def _pair(spent: tuple[float, float]) -> str:
    return f"{spent[0]:.1f} ({spent[1]:.1f})"


def share(value: float | None) -> str:
    """Three places, without the 0 before the point."""
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


TABLES: dict[str, Callable[[], str]] = {
    "agnews": lambda: purity_table("agnews"),
    "atis": lambda: purity_table("atis"),
    "unseen": unseen_table,
    "scale": scale_table,
}


if __name__ == "__main__":
    renew()
