"""Is this installation sound? One check a line, each with what to do about it."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app import schema
from app.database import engine, is_wal_safe, reading, sqlite_module
from app.errors import AppError, Unreachable
from app.html import ago
from app.installation import confirm_folder
from app.jobs import workers
from app.models import Encoder, Installation
from app.settings import settings
from app.similarity.encoding.encoder import DEFAULT_MODEL, pick_device
from app.similarity.encoding.model_folder import check_folder, default_model_folder
from app.similarity.encoding.runtime import TORCH, RuntimeName, missing_packages, openvino_version

LEAST_FREE_GB = 1.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: is it sound, and in a sentence, how it is."""

    name: str
    is_ok: bool
    sentence: str


def examine() -> list[Check]:
    """Every check, whatever the ones before it found."""
    checks: dict[str, Callable[[], tuple[bool, str]]] = {
        "python": _python,
        "data folder": _data_folder,
        "disk": _disk,
        "sqlite": _sqlite,
        "database": _database,
        "installation": _installation,
        "base model": _base_model,
        "device": _device,
        "runtime": _runtime,
        "worker": _worker,
    }
    return [Check(name, *_safely(check)) for name, check in checks.items()]


def _safely(check: Callable[[], tuple[bool, str]]) -> tuple[bool, str]:
    try:
        return check()
    except Unreachable as error:
        return False, error.reason
    except AppError as error:
        return False, error.sentence
    except (OSError, SQLAlchemyError, ValueError) as error:
        return False, (str(error).strip().splitlines() or [type(error).__name__])[0]


def _python() -> tuple[bool, str]:
    return True, f"{platform.python_version()}, {os.cpu_count()} cores"


def _data_folder() -> tuple[bool, str]:
    folder = settings().data_dir
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"likewise")
    return True, f"{folder} is writable"


def _disk() -> tuple[bool, str]:
    free = shutil.disk_usage(settings().data_dir).free / 1e9
    return free >= LEAST_FREE_GB, f"{free:.1f} GB free; {LEAST_FREE_GB:.0f} GB is the least"


def _sqlite() -> tuple[bool, str]:
    version = sqlite_module().sqlite_version
    is_safe = is_wal_safe(sqlite_module().sqlite_version_info)
    return True, f"{version}, journal {'WAL' if is_safe else 'DELETE, which is safe and slower'}"


def _database() -> tuple[bool, str]:
    with reading() as db:
        name = db.get_bind().dialect.name
    shown = engine().url.render_as_string(hide_password=True)
    if not schema.is_current():
        return False, f"{name} at {shown} is not up to date: start `likewise serve` once"
    return True, f"{name} at {shown}, up to date"


def _installation() -> tuple[bool, str]:
    if not schema.is_current():
        return True, "no id yet: the first start writes it"
    confirm_folder()
    with reading() as db:
        identifier = db.scalar(select(Installation.identifier))
    if identifier is None:
        return True, "no id yet: the first start writes it"
    return True, f"{identifier}, in the database and in the data folder"


def _base_model() -> tuple[bool, str]:
    name = settings().base_model
    if name == DEFAULT_MODEL:
        return True, f"{name}, whole, in {default_model_folder()}"
    if Path(name).is_dir():
        check_folder(Path(name))
        return True, f"{name} is a folder that can be used"
    return settings().allow_model_downloads, f"{name} has to be downloaded from the hub"


def _device() -> tuple[bool, str]:
    wanted = settings().device
    found = pick_device()
    is_there = wanted in {"auto", "cpu", found}
    return is_there, f"{found if wanted == 'auto' else wanted}; the fastest here is {found}"


def _runtime() -> tuple[bool, str]:
    """What is set, whether it can be used here, and what the versions in the database are on."""
    wanted = settings().runtime
    if missing := missing_packages(wanted):
        needs = f"{wanted} needs {' and '.join(missing)}: pip install 'likewise[accel]'"
        return False, f"{needs}; until then new versions are on torch"
    return True, f"{wanted} for new versions{_precision(wanted)}; {_settled_runtimes()}"


def _precision(runtime: RuntimeName) -> str:
    return "" if runtime == TORCH else f" ({openvino_version()})"


def _settled_runtimes() -> str:
    if not schema.is_current():
        return "versions: none yet"
    with reading() as db:
        counted = db.execute(
            select(Encoder.runtime, func.count())
            .where(Encoder.runtime.is_not(None))
            .group_by(Encoder.runtime)
            .order_by(Encoder.runtime)
        ).all()
        of_another = select(Encoder.runtime_reason).where(Encoder.runtime != settings().runtime)
        reason = db.scalar(of_another.order_by(Encoder.id.desc()).limit(1))
    sentence = ", ".join(f"{n} on {runtime}" for runtime, n in counted) or "none yet"
    return f"versions: {sentence}" + (f"; the last on another: {reason}" if reason else "")


def _worker() -> tuple[bool, str]:
    seen = workers(settings().database_url, settings().data_dir)
    serving = [worker for worker in seen if worker.is_serving]
    if serving:
        return True, f"{len(serving)} at work: {', '.join(worker.name for worker in serving)}"
    last = ago(seen[0].last_seen_at) if seen else "never"
    return True, f"none at work, last seen {last}; start one with `likewise worker`"
