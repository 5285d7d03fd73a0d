"""Build the wheel, install it into an environment of its own, and use it in an empty folder.

Needs Python and pip alone. Prints each command, and ends with status 1 at the first failure.
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# They would lead back to this checkout.
DROPPED_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--constraints",
        action="store_true",
        help="install the versions of constraints.txt, not the newest that are allowed",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="use the dependencies of this environment, and leave the sample to the worker",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="likewise-smoke-") as name:
        folder = Path(name)
        wheel = build_wheel(folder / "dist")
        environment = folder / "environment"
        if options.quick:
            install_alone(wheel, environment)
        else:
            install_wheel(wheel, environment, is_constrained=options.constraints)
        empty = folder / "empty"
        empty.mkdir()
        use_command(environment / "bin" / "likewise", empty, wheel, is_quick=options.quick)


def build_wheel(folder: Path) -> Path:
    """The built wheel."""
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT))
    [wheel] = folder.glob("likewise-*.whl")
    return wheel


def install_wheel(wheel: Path, environment: Path, *, is_constrained: bool) -> None:
    """Install the wheel and its dependencies into a new environment."""
    versions = ["-c", str(ROOT / "constraints.txt")] if is_constrained else []
    run(sys.executable, "-m", "venv", str(environment))
    run(str(environment / "bin" / "pip"), "install", "-q", *versions, str(wheel))


def install_alone(wheel: Path, environment: Path) -> None:
    """Install the wheel into a new environment that finds its dependencies in this one."""
    run(sys.executable, "-m", "venv", str(environment))
    run(str(environment / "bin" / "pip"), "install", "-q", "--no-deps", str(wheel))
    # Searched last. What a .pth file there names, such as an editable install, is not searched.
    borrowed = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    [packages] = environment.glob("lib/python3*/site-packages")
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n")


def use_command(likewise: Path, folder: Path, wheel: Path, *, is_quick: bool) -> None:
    """Check the version and the installation, load the sample, and serve."""
    command, version = str(likewise), wheel.name.split("-")[1]
    printed = run(command, "--version", folder=folder).strip()
    expect(printed == f"likewise {version}", f"`likewise --version` printed {printed!r}.")
    run(command, "doctor", folder=folder)
    waiting = ["--no-wait"] if is_quick else []
    sample = json.loads(run(command, "demo", *waiting, "--json", folder=folder))
    n_expected = 0 if is_quick else sample["n_records"]
    is_loaded = sample["n_records"] > 0 and sample["n_embedded"] == n_expected
    expect(is_loaded, f"`likewise demo` loaded {sample}.")
    check_pages(command, folder)
    run(command, "doctor", folder=folder)
    print("The wheel works.")


def check_pages(command: str, folder: Path) -> None:
    """Serve, and load the login page and the style sheet."""
    words = [command, "serve", "--port", "0", "--json"]
    print("+", *words, flush=True)
    with subprocess.Popen(
        words, cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            expect(bool(line), "`likewise serve` ended before it was ready.")
            for path, content in (("/login", "<form"), ("/static/app.css", "{")):
                with urllib.request.urlopen(json.loads(line)["url"] + path) as answer:
                    expect(content in answer.read().decode(), f"GET {path} is not as expected.")
                print("GET", path, flush=True)
        finally:
            server.terminate()


def run(*words: str, folder: Path = ROOT) -> str:
    """Run the command and return its output. Raises SystemExit where it fails."""
    print("+", *words, flush=True)
    done = subprocess.run(
        words, cwd=folder, env=clean_environment(), check=False, stdout=subprocess.PIPE, text=True
    )
    expect(done.returncode == 0, f"{done.stdout}Status {done.returncode}: {' '.join(words)}")
    return done.stdout


def clean_environment() -> dict[str, str]:
    """This process's variables without those that name the checkout or other data."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in DROPPED_VARIABLES and not name.startswith("LIKEWISE_")
    }
    return kept | {"LIKEWISE_LOG_LEVEL": "WARNING"}


def expect(is_true: bool, message: str) -> None:
    """Raises SystemExit with the message where it is not true."""
    if not is_true:
        raise SystemExit(message)


if __name__ == "__main__":
    main()
