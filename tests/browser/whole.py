"""The whole product as one command: web and worker, on a free port of this machine."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import PATIENCE_SECONDS

LIKEWISE = str(Path(sys.executable).parent / "likewise")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """`likewise serve`, its log in this folder: the first admin's one-time link."""
    log = folder / "server.log"
    with log.open("w") as out:
        command = [LIKEWISE, "serve", "--port", "0"]
        server = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        while "Likewise is ready" not in log.read_text():
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        found = re.search(r"http://\S+/welcome/\S+", log.read_text())
        assert found
        yield found[0]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE_SECONDS)
