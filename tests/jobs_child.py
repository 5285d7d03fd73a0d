"""A worker process that the tests of the job engine start, hold, kill and stop.

Arguments: database URL, data directory, then the jobs to start, each as KIND:ID. What its steps do
goes to journal.txt in that directory, one line a step, and what it prints to said.txt; "held" waits
while the file hold exists.
"""

import os
import signal
import threading
import time
from pathlib import Path

from app.jobs import engine as engines
from app.jobs import recovery
from app.jobs.steps import Step


def work_on(database_url: str, folder: str, *wanted: str) -> None:
    data_dir = Path(folder)
    with (data_dir / "said.txt").open("ab") as said:
        for told in (1, 2):
            os.dup2(said.fileno(), told)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    engines.POLL_SECONDS = 0.1
    recovery.MAX_RESTARTS = 2
    engine = engines.JobEngine(database_url, data_dir, listens_to=("light", "train"))

    def note(line: str) -> None:
        with (data_dir / "journal.txt").open("a") as journal:
            journal.write(f"{line} {os.getpid()}\n")

    def held(subject_id: int) -> None:
        note(f"held {subject_id}")
        while (data_dir / "hold").exists():
            time.sleep(0.05)

    def step(name: str) -> tuple[str, Step]:
        return name, lambda subject_id: note(f"{name} {subject_id}")

    def fail(subject_id: int, sentence: str) -> None:
        note(f"failed {subject_id} {sentence}")

    three = [step("first"), step("second"), step("third")]
    engine.register_job("three", three, queue="light", on_failure=fail)
    waiting = [step("first"), ("held", held), step("third")]
    engine.register_job("waiting", waiting, queue="train", on_failure=fail)
    engine.launch()
    for kind, subject_id in (job.split(":") for job in wanted):
        engine.start(kind, int(subject_id))
    note("ready 0")
    stopped.wait()
    # A step that is held never ends; whatever else runs is waited for.
    engines.DRAIN_SECONDS = 1 if (data_dir / "hold").exists() else 600
    if not engine.stop():
        os._exit(3)
