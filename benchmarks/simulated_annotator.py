"""Somebody who knows every true label and labels through the product's own HTTP API."""

import csv
import json
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from labeled_data import LIKEWISE, PROJECT, environment
from results_store import ROOT

Json = dict[str, Any]
NAME = "ann"


class Refused(Exception):
    """The product said no: carries its status and sentence."""


class Served:
    """The product's server, with its worker, on a data folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.log, self._options = folder, folder / "server.log", options
        self._environment = environment(folder)

    def __enter__(self) -> Self:
        self.cli("user", "add", NAME, "--role", "admin")
        self._token = self.cli("token", "create", NAME)["token"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}/api/v1/projects/{PROJECT}"
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [*LIKEWISE, "serve", "--port", str(port), *self._options],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=self._environment,
            )
        while not self._answers():
            time.sleep(0.2)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise SystemExit(f"The server ended:\n{self.log.read_text()[-2000:]}")
        try:
            self.ask("GET", "/labels")
        except urllib.error.URLError:
            return False
        return True

    def cli(self, *words: str) -> Any:
        """Return what a command answers, as JSON."""
        done = subprocess.run(
            [*LIKEWISE, *words, "--json"],
            env=self._environment,
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return json.loads(done.stdout)

    def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        """Return what the API answers. Raises Refused for its own errors."""
        request = urllib.request.Request(
            self._address + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            raise Refused(f"{error.code}: {said}") from error

    def renewal_seconds(self) -> float | None:
        """Return the median time from the newest label to suggestions that know it; None: never."""
        lines = [x for x in self.log.read_text().splitlines() if "suggestions.renewed" in x]
        logged = [found for line in lines if (found := re.search(r'seconds"?[=:] ?([\d.]+)', line))]
        seconds = sorted(float(found[1]) for found in logged)
        return seconds[len(seconds) // 2] if seconds else None


@dataclass(frozen=True)
class Row:
    """A record as the page shows it."""

    rank: int
    record_id: int
    external_id: str
    suggested: str | None
    suggestion: tuple[int, float] | None


class Annotator:
    """Counts what is done: actions by kind, moves, sessions."""

    def __init__(self, server: Served, truth: dict[str, str]) -> None:
        self.server, self.truth = server, truth
        self.actions: Counter[str] = Counter()
        self.moves = self.n_sessions = self.n_labeled = 0
        self._forecasts: list[bool] = []
        for name in sorted(set(truth.values())):
            server.ask("POST", "/labels", {"name": name})
        self._ids = {each["name"]: each["id"] for each in server.ask("GET", "/labels")}
        self._names = {label_id: name for name, label_id in self._ids.items()}

    def next_session(self) -> Json | None:
        """Return the session that the product chooses, or None when nothing is left."""
        return self._opened("/sessions/next", {})

    def session(self, **start: Any) -> Json | None:
        """Return a session of the annotator's own choice, or None when nothing is left for it."""
        return self._opened("/sessions", start)

    def _opened(self, path: str, body: Json) -> Json | None:
        try:
            session: Json = self.server.ask("POST", path, body)
        except Refused as refusal:
            if str(refusal).startswith("409") and "nothing left" in str(refusal).lower():
                return None
            raise
        self.n_sessions += 1
        return session

    def rows(self, session: Json) -> list[Row]:
        """Return the session's rows, and how far its forecast agrees with the truth."""
        path = f"/sessions/{session['id']}"
        rows = [self._row(item) for item in self.server.ask("GET", f"{path}/items?limit=500")]
        if session["seed_kind"] == "suggested":
            told = self.server.ask("GET", f"{path}/forecast")
            share = sum(self.truth[row.external_id] == told["label"] for row in rows) / len(rows)
            self._forecasts.append(told["low"] <= share <= told["high"])
        return rows

    def _row(self, item: Json) -> Row:
        best = next(iter(item["suggestions"]), None)
        suggested = self._names[best[0]] if best else None
        suggestion = (best[0], best[1]) if best else None
        return Row(item["rank"], item["record_id"], item["external_id"], suggested, suggestion)

    def label(self, rows: list[Row], session: Json, source: str) -> None:
        """One action: the true label of these rows, which is the same for all that are selected,
        or what each of them is suggested."""
        says = [
            {
                "record_id": row.record_id,
                "verdict": "label",
                "rank": row.rank,
                "label_ids": [self._ids[self.truth[row.external_id]]],
                "suggestion_id": row.suggestion[0] if row.suggestion else None,
                "suggestion_score": row.suggestion[1] if row.suggestion else None,
            }
            for row in rows
        ]
        body = {"key": uuid.uuid4().hex, "session_id": session["id"], "source": source}
        done = self.server.ask("POST", "/annotations", body | {"votes": says})
        self.actions[source] += 1
        self.n_labeled += len(done["records"])

    def longer(self, session: Json, k: int) -> Json | None:
        """Return the same label's session again, this long."""
        row = self.rows(session)[0]
        label_id = row.suggestion[0] if row.suggestion else None
        return self.session(seed_kind="suggested", label_id=label_id, k=k)

    def accept_audited(self, session: Json) -> bool:
        """Label what the product samples of a session; True if it then accepts the rest unseen."""
        path = f"/sessions/{session['id']}"
        sampled = set(self.server.ask("POST", f"{path}/sample", {})["ranks"])
        for row in self.rows(session):
            if row.rank in sampled:
                self.label([row], session, "single")
        try:
            done = self.server.ask("POST", f"{path}/accept", {"key": uuid.uuid4().hex})
        except Refused:
            return False
        self.actions["audited"] += 1
        self.n_labeled += len(done["records"])
        return True

    def forecasts_kept(self) -> float | None:
        """Return the share of forecasts whose interval held the true share; None without any."""
        kept = self._forecasts
        return round(sum(kept) / len(kept), 3) if kept else None

    def state(self) -> Json:
        """How much is labeled, how much of it rightly, and how it would be with the rest as
        suggested: read off an export."""
        out = self.server.folder / "standing.csv"
        self.server.cli("export", PROJECT, str(out))
        with out.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened))
        labeled = [row for row in rows if row["label"]]
        right = sum(row["label"] == self.truth[row["id"]] for row in labeled)
        guessed = sum(
            row["suggestion"] == self.truth[row["id"]] for row in rows if not row["label"]
        )
        return {
            "labeled": len(labeled),
            "actions": sum(self.actions.values()),
            "labeled_accuracy": right / max(1, len(labeled)),
            "accuracy": round((right + guessed) / len(rows), 4),
        }
