"""Simulated annotators for Locust: each starts sessions and labels their rows, one after another.

Run by benchmarks/labeling.py, which says by LABELING_ASKED (a JSON file) whose tokens there are,
how many labels a second each annotator gives (null: without pause), what share of the annotators
searches for similar records instead, and where the times are written.
"""

import itertools
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from gevent.lock import Semaphore
from locust import FastHttpUser, between, events, task
from locust.env import Environment

ASKED = json.loads(Path(os.environ["LABELING_ASKED"]).read_text())
API = f"/api/v1/projects/{ASKED['slug']}"
SESSION = {"seed_kind": "random", "k": 100}
PACE: float | None = ASKED["per_second"]
_numbers = itertools.count()
_one = Semaphore()
_times: dict[str, list[tuple[float, float]]] = {}
_failures: list[str] = []


class Annotator(FastHttpUser):
    """Labels, or (the last ones, where some are asked for) searches for similar records."""

    # People do not press in step: an even pace would bring all of them at the same moment.
    wait_time = between(0.5 / PACE, 1.5 / PACE) if PACE else lambda _: 0

    def on_start(self) -> None:
        """Who this is; the first session is opened before anything is timed."""
        with _one:
            self.number = next(_numbers)
        self.headers = {"Authorization": f"Bearer {ASKED['tokens'][self.number]}"}
        self.labels = [each["id"] for each in self._json("GET", "/labels", "labels")]
        self.searches = self.number >= ASKED["annotators"] - ASKED["searching"]
        self.rows: list[dict[str, Any]] = []
        self._open_session()

    @task
    def work(self) -> None:
        """One label, or one search."""
        if self.searches:
            record = self.rows[self.number % len(self.rows)]["record_id"]
            self._json("GET", f"/records/{record}/similar?k=50", "similar")
            self.rows.append(self.rows.pop(0))
            return
        if not self.rows:
            self._open_session()
        self._label(self.rows.pop(0))

    def _open_session(self) -> None:
        session = self._json("POST", "/sessions", "start", json=SESSION)
        self.session_id = session["id"]
        self.rows = self._json("GET", f"/sessions/{self.session_id}/items", "items")

    def _label(self, row: dict[str, Any]) -> None:
        label = self.labels[row["record_id"] % len(self.labels)]
        say = {
            "record_id": row["record_id"],
            "verdict": "label",
            "label_ids": [label],
            "rank": row["rank"],
            "similarity": row["similarity"],
            "milliseconds": 900,
        }
        body = {"key": uuid.uuid4().hex, "session_id": self.session_id, "votes": [say]}
        self._json("POST", "/annotations", "save", json=body)

    def _json(self, method: str, path: str, name: str, **more: Any) -> Any:
        with self.client.request(
            method, API + path, name=name, headers=self.headers, catch_response=True, **more
        ) as answer:
            if not answer.ok:
                _failures.append(f"{name}: {answer.status_code} {answer.text[:200]}")
                answer.failure(str(answer.status_code))
            return answer.json()


@events.request.add_listener  # type: ignore[untyped-decorator]
def _note(name: str, response_time: float, start_time: float, **_more: Any) -> None:
    _times.setdefault(name, []).append((start_time, response_time))


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _write(environment: Environment, **_more: Any) -> None:
    """Write times in milliseconds after the warm-up, by kind of request; and what Locust itself
    cost."""
    began = min(start for each in _times.values() for start, _ in each) + ASKED["warm_up_seconds"]
    kept = {name: [ms for start, ms in each if start >= began] for name, each in _times.items()}
    last = max(start for each in _times.values() for start, _ in each)
    found = {
        "times": kept,
        "seconds": last - began,
        "failures": _failures,
        "n_warm_up": sum(start < began for each in _times.values() for start, _ in each),
        "generator_cpu_seconds": time.process_time(),
    }
    Path(ASKED["out"]).write_text(json.dumps(found))
