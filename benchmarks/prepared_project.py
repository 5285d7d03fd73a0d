"""A project that is ready to be labeled, made straight in the tables, and the product serving it.

Real news records where LIKEWISE_SHARED has them, grown to any number as benchmarks/scale.py does
it; else invented ones. Raw vectors, an index and 200 labels are there; annotators have tokens.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
from corpora import CACHE, Corpus, agnews
from results_store import AGNEWS, ROOT
from scale import grown
from sqlalchemy import insert, select

from app.accounts.access import hash_token
from app.accounts.tokens import create_token
from app.db import schema
from app.db.session import engine, read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.ml.vectors import unit_rows
from app.models import Label, Login, Project, Record, User
from app.search.index_revisions import write_index
from app.search.vectors import as_bytes, store_vectors
from app.search.versions import get_or_create_raw_version
from app.settings import DEFAULT_MODEL, settings

SLUG = "desk"
N_ANNOTATORS = 50
N_LABELED = 200
COOKIE = "a-cookie-of-the-benchmark"
AT_ONCE = 1_000
INVENTED = 4


@dataclass(frozen=True)
class PreparedProject:
    """Where a project lies, and who may label it. The first token and the cookie are an admin's."""

    folder: Path
    n: int
    database_url: str = ""
    tokens: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that works on it."""
        ours = {"LIKEWISE_DATA_DIR": str(self.folder), "LIKEWISE_DATABASE_URL": self.database_url}
        return {**os.environ, **ours}


def corpus(n: int, cache: Path = CACHE) -> tuple[Corpus, list[str]]:
    """n records with their vectors and classes, and a text for each."""
    if not AGNEWS.is_dir():
        return _invented(n), [f"invented message number {i}" for i in range(n)]
    rows: list[dict[str, str]] = []
    for split in ("test", "train", "val"):
        rows += json.loads((AGNEWS / f"{split}.json").read_text())
    texts = [f"{row['Title']}. {row['Description']}" for row in rows]
    data = grown(agnews(cache), max(n, len(texts)))
    texts += [f"{texts[i % len(texts)]} ({i})" for i in range(len(texts), n)]
    # In the files, records of one class lie together.
    order = np.random.default_rng(0).permutation(len(texts))[:n]
    mixed = replace(data, vectors=data.vectors[order], classes=data.classes[order])
    return mixed, [texts[row] for row in order.tolist()]


def _invented(n: int) -> Corpus:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, INVENTED, n)
    centres = rng.standard_normal((INVENTED, 384)).astype(np.float32)
    vectors = unit_rows(centres[classes] + 2 * rng.standard_normal((n, 384)).astype(np.float32))
    names = tuple(f"class {i}" for i in range(INVENTED))
    return Corpus("invented", vectors, classes, names, n, 0)


def prepare_project(
    folder: Path,
    n: int,
    *,
    n_labeled: int = N_LABELED,
    database_url: str = "",
    cache: Path = CACHE,
) -> PreparedProject:
    """Return the project in a new data folder; this process' settings name it from now on."""
    desk = PreparedProject(folder, n, database_url)
    os.environ |= desk.environment
    settings.cache_clear()
    schema.upgrade()
    data, texts = corpus(n, cache)
    with write_session() as db:
        project = Project(
            slug=SLUG,
            name="Benchmark",
            base_model=DEFAULT_MODEL,
            min_labels=25,
            has_auto_training=False,
        )
        users = [
            User(name=f"annotator {i}", name_key=f"annotator {i}", role="annotator")
            for i in range(N_ANNOTATORS)
        ]
        users[0].role = "admin"
        db.add_all([project, *users])
        db.flush()
        desk.tokens.extend(create_token(db, user, "benchmark") for user in users)
        db.add(Login(token_hash=hash_token(COOKIE), user_id=users[0].id))
    ids = _records(project, texts)
    _vectors(project, ids, data)
    _labels(project, users[0], ids, data, n_labeled)
    engine().dispose()
    return desk


def _records(project: Project, texts: list[str]) -> list[int]:
    for start in range(0, len(texts), AT_ONCE):
        with write_session() as db:
            db.execute(
                insert(Record),
                [
                    {
                        "project_id": project.id,
                        "external_id": f"r-{start + i}",
                        "text": text,
                        "content_hash": sha256(text.encode()).hexdigest(),
                    }
                    for i, text in enumerate(texts[start : start + AT_ONCE])
                ],
            )
    with read_session() as db:
        ours = select(Record.id).where(Record.project_id == project.id).order_by(Record.id)
        return list(db.scalars(ours))


def _vectors(project: Project, ids: list[int], data: Corpus) -> None:
    with write_session() as db:
        encoder = get_or_create_raw_version(db, project)
    with read_session() as db:
        ours = select(Record.content_hash).where(Record.project_id == project.id)
        hashes = list(db.scalars(ours.order_by(Record.id)))
    for start in range(0, len(ids), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        vectors = dict(zip(hashes[rows], as_bytes(data.vectors[rows]), strict=True))
        store_vectors(encoder.id, list(zip(ids[rows], hashes[rows], strict=True)), vectors)
    write_index(encoder.id)


def _labels(project: Project, user: User, ids: list[int], data: Corpus, n_labeled: int) -> None:
    labels = [
        Label(project_id=project.id, name=name, name_key=name.casefold(), colour=i, position=i)
        for i, name in enumerate(data.names)
    ]
    with write_session() as db:
        db.add_all(labels)
    rows = np.random.default_rng(0).permutation(len(ids))[:n_labeled].tolist()
    says = [AnnotationInput(ids[row], "label", (labels[data.classes[row]].id,)) for row in rows]
    with write_session() as db:
        # One by one: what was accepted as one page is not taken apart by an evaluation.
        annotate(db, project, user.id, says, key="before", source="single")


class ServedProject:
    """The product's own server and worker beside it, as `likewise serve` starts them."""

    def __init__(self, desk: PreparedProject, *options: str) -> None:
        self.desk, self._options, self._is_over = desk, options, threading.Event()
        self.n_runs, self.refusal = 0, ""

    @contextmanager
    def running(self, *, is_busy: bool = True) -> Iterator["ServedProject"]:
        """While it serves; busy: the worker has one head run after the other to carry out."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(self.port)]
        with (self.desk.folder / "server.log").open("wb") as log:
            process = self._process = subprocess.Popen(
                [*command, *self._options],
                cwd=ROOT,
                env=self.desk.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        asking = threading.Thread(target=self._keep_busy, daemon=True)
        try:
            self._wait(process)
            if is_busy:
                asking.start()
            yield self
        finally:
            self._is_over.set()
            if asking.is_alive():
                asking.join()
            process.send_signal(signal.SIGTERM)
            process.wait()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return what the API answers the admin. Raises urllib's HTTPError."""
        request = urllib.request.Request(
            f"{self.address}/api/v1/projects/{SLUG}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.desk.tokens[0]}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def cpu_seconds(self) -> float:
        """Return what the web process has spent until now, on all processors (the worker is
        another)."""
        spent = psutil.Process(self._process.pid).cpu_times()
        return float(spent.user + spent.system)

    def has_torch(self) -> bool:
        """Whether the web process has mapped torch's library (Linux only)."""
        return "libtorch" in Path(f"/proc/{self._process.pid}/maps").read_text()

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        while True:
            if process.poll() is not None:
                raise SystemExit((self.desk.folder / "server.log").read_text()[-2000:])
            try:
                self.ask("GET", "/labels")
                return
            except urllib.error.URLError:
                time.sleep(0.2)

    def _keep_busy(self) -> None:
        while not self._is_over.wait(0.5):
            if self.ask("GET", "/readiness")["moving"] is not None:
                continue
            try:
                self.ask("POST", "/runs", {"method": "head"})
                self.n_runs += 1
            except urllib.error.HTTPError as refusal:
                self.refusal = json.load(refusal)["title"]
