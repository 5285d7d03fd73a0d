"""The evaluation of a run, query by query, stored as a file of its version for plots.

One safetensors file, an artifact of kind "figures". Arrays hold the queries; values with intervals
(the curve over k, labels, segments, calibration) are computed by the worker and stored in the
file's metadata, so that a page only draws.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.ml.evaluation.intervals import BootstrapSamples, percentile_interval
from app.ml.evaluation.per_query import PurityByDepth, QueryResults
from app.ml.examples import Examples
from app.ml.vectors import Ids
from app.models import Artifact, TrainingRun
from app.storage import CorruptFile, verified_path

KIND = "figures"
ROLES = ("raw", "tuned")
FACTS = ("curve", "labels", "bins", "segments", "differences")
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class StoredResults:
    """The results of q queries, labeled records held out from training.

    record_ids  (q,); targets (q, K) bool: which of label_ids each carries
    values      role/metric, or role/metric@k → (q,) float32, NaN where not evaluated
    suggested   role → (s, 2): a query's position, and the column of a label suggested for it
    neighbours  role → (q, 10) record ids, nearest first, -1 for none
    ks          depths; at (c,): positions of the queries evaluated at all of them; purity, role
                → (c, len(ks)); chance (c,) and best (c, len(ks)), what random and perfect rankings
                would have
    facts       curve, labels, segments, bins, differences: lists of plain values, with intervals
    """

    record_ids: Ids
    label_ids: tuple[int, ...]
    targets: NDArray[np.bool_]
    values: dict[str, Floats]
    suggested: dict[str, Ids]
    neighbours: dict[str, Ids]
    ks: tuple[int, ...]
    at: Ids
    purity: dict[str, Floats]
    chance: Floats
    best: Floats
    facts: dict[str, list[dict[str, Any]]]
    is_multi_label: bool

    @property
    def n(self) -> int:
        """The number of queries."""
        return len(self.record_ids)


def save_query_results(
    queries: QueryResults,
    record_ids: Ids,
    examples: Examples,
    more: Mapping[str, list[dict[str, Any]]],
    path: Path,
) -> None:
    """Write the file. record_ids (m,): those of the examples; more: segments and differences."""
    measured = np.flatnonzero(_mark_measured(queries, len(examples)))
    place = np.full(len(examples), -1, np.int64)
    place[measured] = np.arange(len(measured))
    values = np.stack([queries.values[name][measured] for name in queries.values])
    arrays: dict[str, NDArray[Any]] = {
        "record_ids": record_ids[measured],
        "targets": examples.label_matrix()[measured].astype(np.uint8),
        "values": values.astype(np.float32),
    }
    for role in ROLES:
        pairs, near = queries.suggested[role], queries.neighbours[role][measured]
        arrays[f"suggested_{role}"] = np.stack([place[pairs[:, 0]], pairs[:, 1]], axis=1)
        arrays[f"neighbours_{role}"] = np.where(near < 0, -1, record_ids[near])
    arrays |= _build_depth_arrays(queries.depths, place)
    facts = {**_build_facts(queries, examples), **more}
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    path.write_bytes(save(whole, metadata={"facts": json.dumps(facts)}))


def _build_facts(queries: QueryResults, examples: Examples) -> dict[str, Any]:
    """Return everything but the arrays as JSON."""
    return {
        "label_ids": list(examples.label_ids),
        "values": list(queries.values),
        "ks": [] if queries.depths is None else list(queries.depths.ks),
        "curve": _build_curve(queries.depths, examples),
        "labels": [asdict(gain) for gain in queries.by_label],
        "bins": [asdict(each) for each in queries.bins],
        "is_multi_label": examples.is_multi_label,
    }


def find_query_results(db: Session, run: TrainingRun) -> StoredResults | None:
    """Load the results of the run; None without an evaluation or with a damaged file."""
    if run.version_id is None:
        return None
    wanted = select(Artifact).where(Artifact.version_id == run.version_id, Artifact.kind == KIND)
    file = db.scalar(wanted)
    if file is None:
        return None
    try:
        return _read_results(file.file, file.sha256)
    except CorruptFile:
        return None  # `likewise verify` reports it; the metrics in the database remain valid.


@lru_cache(maxsize=8)
def _read_results(file: str, sha256: str) -> StoredResults:
    """Check and read the file once: it never changes."""
    path = verified_path(file, sha256)
    try:
        with safe_open(path, framework="numpy") as opened:
            facts = json.loads((opened.metadata() or {})["facts"])
            # `slices`: the key in files of release 0.1.
            facts.setdefault("segments", facts.get("slices", []))
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise CorruptFile(file) from error
    return StoredResults(
        record_ids=arrays["record_ids"],
        label_ids=tuple(facts["label_ids"]),
        targets=arrays["targets"].astype(bool),
        values=dict(zip(facts["values"], arrays["values"], strict=True)),
        suggested={role: arrays[f"suggested_{role}"] for role in ROLES},
        neighbours={role: arrays[f"neighbours_{role}"] for role in ROLES},
        ks=tuple(facts["ks"]),
        at=arrays["depths_at"],
        purity={role: arrays[f"depths_{role}"] for role in ROLES},
        chance=arrays["depths_chance"],
        best=arrays["depths_best"],
        facts={name: facts[name] for name in FACTS},
        is_multi_label=facts["is_multi_label"],
    )


def _mark_measured(queries: QueryResults, m: int) -> NDArray[np.bool_]:
    measured = ~np.isnan(queries.values["tuned/accuracy"])
    if queries.depths is not None:
        measured[queries.depths.at] = True
    near = np.concatenate([queries.neighbours[role].ravel() for role in ROLES])
    measured[near[near >= 0]] = True
    return np.asarray(measured[:m])


def _build_depth_arrays(depths: PurityByDepth | None, place: Ids) -> dict[str, NDArray[Any]]:
    if depths is None:
        none = np.empty((0, 0), np.float32)
        names = ("depths_raw", "depths_tuned", "depths_best")
        shared: dict[str, NDArray[Any]] = {"depths_at": np.empty(0, np.int64)}
        return shared | {"depths_chance": np.empty(0, np.float32)} | dict.fromkeys(names, none)
    return {
        "depths_at": place[depths.at],
        "depths_raw": depths.raw.astype(np.float32),
        "depths_tuned": depths.tuned.astype(np.float32),
        "depths_chance": depths.chance.astype(np.float32),
        "depths_best": depths.best.astype(np.float32),
    }


def _build_curve(depths: PurityByDepth | None, examples: Examples) -> list[dict[str, Any]]:
    """Compute top_k at each depth for raw and tuned on the same queries, with 95 % intervals."""
    if depths is None:
        return []
    bootstrap = BootstrapSamples(examples.groups[depths.at])
    points: list[dict[str, Any]] = [
        {
            "k": k,
            "n": len(depths.at),
            "chance": float(depths.chance.mean()),
            "best": float(depths.best[:, i].mean()),
        }
        for i, k in enumerate(depths.ks)
    ]
    for role in ROLES:
        samples = bootstrap.means(getattr(depths, role))
        low, high = percentile_interval(samples)
        for i, point in enumerate(points):
            ends = (float(low[i]), float(high[i]))
            point[role] = {"value": float(samples[0, i]), "low": ends[0], "high": ends[1]}
    return points
