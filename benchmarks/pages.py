"""How quickly pages answer on 20,000 records while the worker is busy embedding them.

usage: pages.py [--records 20000] [--rounds 30]

Starts the product's own server and worker on a new data folder, imports records (AG News where
LIKEWISE_SHARED has it, else sample messages), waits until the first index is there, labels a few,
and asks for each page in turn while embedding goes on. Prints the median and the 95th percentile
of each page in milliseconds, and whether the web process ever loaded torch.
"""

import argparse
import csv
import http.cookiejar
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from kept import AGNEWS, keep

LIKEWISE = str(Path(sys.executable).parent / "likewise")
PROJECT = "pages"
PASSWORD = "correct horse battery staple"


def write_records(path: Path, n: int) -> None:
    """A CSV of n records with ids; 40 of them labeled."""
    texts = shared_texts(n) if AGNEWS.is_dir() else sample_texts(n)
    with path.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["id", "text", "label", "desk"])
        for row, (text, label) in enumerate(texts):
            writer.writerow([f"r-{row}", text, label if row < 40 else "", f"desk {row % 7}"])


def shared_texts(n: int) -> list[tuple[str, str]]:
    rows: list[dict[str, str]] = []
    for split in ("train", "val", "test"):
        rows += json.loads((AGNEWS / f"{split}.json").read_text())
    return [(f"{r['Title']}. {r['Description']}", r["label"]) for r in rows[:n]]


def sample_texts(n: int) -> list[tuple[str, str]]:
    from app.projects.sample import sample_messages

    return [(message.text, message.intent) for message in sample_messages(n)]


class Browser:
    """A logged-in browser without pictures: cookies and timings."""

    def __init__(self, address: str) -> None:
        self.address = address
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def get(self, path: str) -> tuple[float, str]:
        start = time.perf_counter()
        with self.opener.open(self.address + path, timeout=60) as answer:
            text = answer.read().decode()
        return (time.perf_counter() - start) * 1000, text

    def post(self, path: str, **form: str) -> str:
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.address + path, body, {"Origin": self.address})
        with self.opener.open(request, timeout=60) as answer:
            return str(answer.url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(port: int, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            [LIKEWISE, "serve", "--port", str(port)], stdout=out, stderr=subprocess.STDOUT
        )


def welcome_path(log: Path) -> str:
    for _ in range(300):
        found = re.search(r"/welcome/[\w-]+", log.read_text())
        if found:
            return found[0]
        time.sleep(0.1)
    raise SystemExit(f"The server printed no first-admin link:\n{log.read_text()}")


def facts(browser: Browser) -> dict[str, Any]:
    embedded: dict[str, Any] = json.loads(browser.get(f"/api/v1/projects/{PROJECT}")[1])
    return embedded


def has_torch(server: int) -> bool:
    """Whether the web process has mapped torch's library (Linux only)."""
    return "libtorch" in Path(f"/proc/{server}/maps").read_text()


def measured(browser: Browser, paths: dict[str, str], rounds: int) -> list[dict[str, Any]]:
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, path in paths.items():
            times[name].append(browser.get(path)[0])
    return [
        {
            "page": name,
            "n": len(each),
            "p50_ms": round(statistics.median(each), 1),
            "p95_ms": round(statistics.quantiles(each, n=20)[18], 1),
        }
        for name, each in times.items()
    ]


def start_session(browser: Browser, kind: str, **form: str) -> str:
    for _ in range(600):
        try:
            url = browser.post(f"/projects/{PROJECT}/sessions", seed_kind=kind, **form)
            return urllib.parse.urlsplit(url).path
        except urllib.error.HTTPError as error:
            # 404: the first records are still on their way; 409: their vectors are.
            if error.code not in {404, 409}:
                raise
            time.sleep(0.5)
    raise SystemExit("No index appeared within five minutes.")


def pages_of(browser: Browser) -> dict[str, str]:
    project = f"/projects/{PROJECT}"
    similar = start_session(browser, "record", record_ids="1")
    return {
        "projects": "/",
        "project": project,
        "records": f"{project}/records",
        "records, words": f"{project}/records?q=oil",
        "records, phrase, newest first": f"{project}/records?q=%22oil+price%22+-iraq&sort=newest",
        "records like one": f"{project}/records?record=3",
        "records like one, filtered": f"{project}/records?record=3&state=unlabeled&q=the",
        "record": f"{project}/records/2",
        "sessions": f"{project}/sessions",
        "session, list": similar,
        "session, card": f"{similar}?view=card",
        "labels": f"{project}/labels",
        "map": f"{project}/map",
        "progress": f"{project}/progress",
        "training": f"{project}/training",
        "versions": f"{project}/versions",
        "imports": f"{project}/imports",
        "exports": f"{project}/exports",
    }


def run(n: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIKEWISE_DATA_DIR"] = folder
        records, log = Path(folder) / "records.csv", Path(folder) / "server.log"
        write_records(records, n)
        subprocess.run(
            [LIKEWISE, "import", PROJECT, str(records), "--text", "text", "--id", "id", "--label",
             "label"], check=True,
        )  # fmt: skip
        port = free_port()
        server = serve(port, log)
        try:
            browser = Browser(f"http://127.0.0.1:{port}")
            browser.post(welcome_path(log), name="ada", password=PASSWORD)
            paths = pages_of(browser)
            rows = measured(browser, paths, rounds)
            return {"records": n, "pages": rows, "torch_in_web": has_torch(server.pid)}
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    result = run(options.records, options.rounds)
    for row in result["pages"]:
        times = f"p50 {row['p50_ms']:7.1f} ms  p95 {row['p95_ms']:7.1f} ms"
        print(f"{row['page']:24} n {row['n']:3}  {times}")
    print("torch in the web process:", "yes" if result["torch_in_web"] else "no")
    keep("pages", result)


if __name__ == "__main__":
    main()
