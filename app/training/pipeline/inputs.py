"""The inputs of tune and evaluate: vectors, examples, the neighbour graph and the words of the
records.

The graph is dear to build and the same for all labels. It is an artifact of the base version, kept
under the fingerprint of the vectors that it was built from, so that a run uses it exactly when it
would have built the same one.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from safetensors import safe_open
from safetensors.numpy import save
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.ml.deep.recipe import head_recipe_from_json
from app.ml.examples import Examples
from app.ml.graph import build_neighbour_graph
from app.ml.label_inference.naive_bayes import MOST_CHARACTERS, WordFeatures, build_word_features
from app.ml.recipe import Recipe
from app.ml.vectors import Ids, Vectors
from app.models import Artifact, Project, TrainingRun, Version, utc_now
from app.search.embedding import load_all_vectors
from app.settings import settings
from app.storage import CorruptFile, store_file, verified_path
from app.training.pipeline import workspace
from app.training.pipeline.snapshot import iterate_texts, load_snapshot
from app.training.runs.progress import RunReport

GRAPH_KIND = "graph"
GRAPH_ARRAYS = ("data", "indices", "indptr")


@dataclass(frozen=True)
class TrainingInputs:
    """What tune and evaluate work on: the frozen pool's vectors, the examples in it, the graph,
    and the words, where the recipe hears them.

    raw_id  the version whose vectors they are; ids (n,) int64, ascending, the records that have one
    """

    raw_id: int
    ids: Ids
    vectors: Vectors
    examples: Examples
    recipe: Recipe
    graph: sp.csr_matrix | None
    words: WordFeatures | None


class VectorSource(Protocol):
    """Knows which version's embeddings the head of a run reads."""

    def find_vector_source(self, db: Session, run_id: int) -> Version:
        """Find the version that the run's vectors are of."""


def load_inputs(
    run: TrainingRun, strategy: VectorSource, report: RunReport, *, of_raw: bool = False
) -> TrainingInputs:
    """Load the same inputs for every try: what has arrived since collect stays out.

    of_raw  the vectors that the model below the head learns from, not those that it makes
    """
    report(0.0, "Reading vectors")
    snapshot = load_snapshot(workspace.file_path(run.id, workspace.SNAPSHOT))
    recipe = head_recipe_from_json(run.recipe)
    with read_session() as db:
        project = db.get_one(Project, run.project_id)
        source_id = workspace.read_source_id(run.id)
        raw_id = source_id if of_raw else strategy.find_vector_source(db, run.id).id
        ids, vectors = load_all_vectors(db, raw_id, among=snapshot.pool)
    graph = words = None
    if recipe.method == "head":
        report(0.0, "Finding each record's neighbours")
        graph = load_or_build_graph(raw_id, ids, vectors, recipe.neighbours)
    if uses_words(recipe, project) and not of_raw:
        report(0.0, "Reading the words of the records")
        with read_session() as db:
            words = load_word_features(db, ids)
    examples = snapshot.examples(ids, is_multi_label=project.is_multi_label)
    return TrainingInputs(raw_id, ids, vectors, examples, recipe, graph, words)


def uses_words(recipe: Recipe, project: Project) -> bool:
    """Whether the words of the records teach as well: not where one may carry several labels."""
    return recipe.method == "head" and recipe.words > 0 and not project.is_multi_label


def load_word_features(db: Session, ids: Ids) -> WordFeatures | None:
    """Load the words of these records, row by row; None where none tells anything apart."""
    return build_word_features(iterate_texts(db, ids, MOST_CHARACTERS))


def load_or_build_graph(base_version_id: int, ids: Ids, vectors: Vectors, k: int) -> sp.csr_matrix:
    """`neighbour_graph(vectors, k)`, from the kept file if it is of these vectors, else built.

    ids (n,) int64 and vectors (n, d) are those of the raw encoder's embeddings.
    """
    fingerprint = _compute_fingerprint(ids, vectors, k)
    kept = _load_cached(base_version_id, fingerprint)
    if kept is not None:
        return kept
    graph = build_neighbour_graph(vectors, k)
    _store_graph(base_version_id, graph, fingerprint)
    return graph


def _compute_fingerprint(ids: Ids, vectors: Vectors, k: int) -> str:
    content = hashlib.sha256(str(k).encode())
    content.update(np.ascontiguousarray(ids).data)
    content.update(np.ascontiguousarray(vectors).data)
    return content.hexdigest()


def _load_cached(base_version_id: int, fingerprint: str) -> sp.csr_matrix | None:
    with read_session() as db:
        row = db.scalar(
            select(Artifact)
            .where(Artifact.version_id == base_version_id, Artifact.kind == GRAPH_KIND)
            .order_by(Artifact.revision.desc())
            .limit(1)
        )
    if row is None:
        return None
    try:
        return _read_graph(verified_path(row.file, row.sha256), fingerprint)
    except CorruptFile:
        # Nothing is lost: it is built again, and the new file takes the damaged one's place.
        return None


def _read_graph(path: Path, fingerprint: str) -> sp.csr_matrix | None:
    with safe_open(path, framework="numpy") as opened:
        facts = opened.metadata()
        if facts["fingerprint"] != fingerprint:
            return None
        arrays = tuple(opened.get_tensor(name) for name in GRAPH_ARRAYS)
    return sp.csr_matrix(arrays, shape=(int(facts["n"]), int(facts["n"])))


def _store_graph(base_version_id: int, graph: sp.csr_matrix, fingerprint: str) -> None:
    facts = {"fingerprint": fingerprint, "n": str(graph.shape[0])}
    arrays = {name: np.ascontiguousarray(getattr(graph, name)) for name in GRAPH_ARRAYS}

    def write(part: Path) -> None:
        part.write_bytes(save(arrays, metadata=facts))

    stored = store_file(GRAPH_KIND, write)
    of_version = (Artifact.version_id == base_version_id, Artifact.kind == GRAPH_KIND)
    with write_session() as db:
        older = db.scalars(select(Artifact.file).where(*of_version)).all()
        newest = db.scalar(select(func.max(Artifact.revision)).where(*of_version)) or 0
        db.execute(delete(Artifact).where(*of_version))
        db.add(
            Artifact(
                version_id=base_version_id,
                kind=GRAPH_KIND,
                revision=newest + 1,
                file=stored.file,
                sha256=stored.sha256,
                n_bytes=stored.n_bytes,
                n_records=graph.shape[0],
                created_at=utc_now(),
            )
        )
    for file in older:
        (settings().data_dir / file).unlink(missing_ok=True)
