"""Check the installation: one result per line, with advice for problems."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.db import schema
from app.db.session import engine, is_wal_safe, read_session, sqlite_module
from app.errors import AppError, Unreachable
from app.installation import confirm_folder
from app.jobs.workers import find_workers
from app.ml.encoding.encoder import DEFAULT_MODEL, pick_device
from app.ml.encoding.model_folder import check_folder, find_default_model_folder
from app.ml.encoding.runtime import TORCH, RuntimeName, describe_openvino, list_missing_packages
from app.models import Installation, Version
from app.monitoring.readiness import MIN_FREE_GB, free_gigabytes, probe_data_folder
from app.settings import settings
from app.web.templating import format_age


@dataclass(frozen=True)
class Check:
    """The result of one check, with a sentence."""

    name: str
    is_ok: bool
    sentence: str


def run_checks() -> list[Check]:
    """Run every check, even after failures."""
    checks: dict[str, Callable[[], tuple[bool, str]]] = {
        "python": _check_python,
        "data folder": _check_data_folder,
        "disk": _check_disk,
        "sqlite": _check_sqlite,
        "database": _check_database,
        "installation": _installation,
        "base model": _check_base_model,
        "device": _check_device,
        "runtime": _check_runtime,
        "worker": _check_worker,
    }
    return [Check(name, *_run_safely(check)) for name, check in checks.items()]


def _run_safely(check: Callable[[], tuple[bool, str]]) -> tuple[bool, str]:
    try:
        return check()
    except Unreachable as error:
        return False, error.reason
    except AppError as error:
        return False, error.sentence
    except (OSError, SQLAlchemyError, ValueError) as error:
        return False, (str(error).strip().splitlines() or [type(error).__name__])[0]


def _check_python() -> tuple[bool, str]:
    return True, f"{platform.python_version()}, {os.cpu_count()} cores"


def _check_data_folder() -> tuple[bool, str]:
    folder = settings().data_dir
    folder.mkdir(parents=True, exist_ok=True)
    probe_data_folder()
    return True, f"{folder} is writable"


def _check_disk() -> tuple[bool, str]:
    free = free_gigabytes()
    return free >= MIN_FREE_GB, f"{free:.1f} GB free; at least {MIN_FREE_GB:.0f} GB needed"


def _check_sqlite() -> tuple[bool, str]:
    version = sqlite_module().sqlite_version
    is_safe = is_wal_safe(sqlite_module().sqlite_version_info)
    return True, f"{version}, journal {'WAL' if is_safe else 'DELETE (safe but slower)'}"


def _check_database() -> tuple[bool, str]:
    with read_session() as db:
        name = db.get_bind().dialect.name
    url = engine().url.render_as_string(hide_password=True)
    if schema.is_new():
        return True, f"{name} at {url}, empty; the first start creates the tables"
    if not schema.is_current():
        return False, f"{name} at {url} is not up to date; start `likewise serve` once"
    return True, f"{name} at {url}, up to date"


def _installation() -> tuple[bool, str]:
    if not schema.is_current():
        return True, "no id yet; the first start creates it"
    confirm_folder()
    with read_session() as db:
        identifier = db.scalar(select(Installation.identifier))
    if identifier is None:
        return True, "no id yet; the first start creates it"
    return True, f"{identifier}, same in database and data folder"


def _check_base_model() -> tuple[bool, str]:
    name = settings().base_model
    if name == DEFAULT_MODEL:
        return True, f"{name}, complete, in {find_default_model_folder()}"
    if Path(name).is_dir():
        check_folder(Path(name))
        return True, f"{name} is a usable folder"
    return settings().allow_model_downloads, f"{name} must be downloaded from the Hugging Face hub"


def _check_device() -> tuple[bool, str]:
    configured = settings().device
    fastest = pick_device()
    is_there = configured in {"auto", "cpu", fastest}
    return (
        is_there,
        f"{fastest if configured == 'auto' else configured}; fastest available: {fastest}",
    )


def _check_runtime() -> tuple[bool, str]:
    """Check the runtime that is set, whether it can be used here, and what versions are embedded
    with."""
    configured = settings().runtime
    if missing := list_missing_packages(configured):
        needs = f"{configured} needs {' and '.join(missing)}: pip install 'likewise[accel]'"
        return False, f"{needs}; until then new versions use torch"
    return (
        True,
        f"{configured} for new versions{_describe_precision(configured)}; "
        f"{_describe_runtimes_in_use()}",
    )


def _describe_precision(runtime: RuntimeName) -> str:
    return "" if runtime == TORCH else f" ({describe_openvino()})"


def _describe_runtimes_in_use() -> str:
    if not schema.is_current():
        return "versions: none yet"
    with read_session() as db:
        counted = db.execute(
            select(Version.runtime, func.count())
            .where(Version.runtime.is_not(None))
            .group_by(Version.runtime)
            .order_by(Version.runtime)
        ).all()
        of_another = select(Version.runtime_reason).where(Version.runtime != settings().runtime)
        reason = db.scalar(of_another.order_by(Version.id.desc()).limit(1))
    sentence = ", ".join(f"{n} on {runtime}" for runtime, n in counted) or "none yet"
    return f"versions: {sentence}" + (f"; latest exception: {reason}" if reason else "")


def _check_worker() -> tuple[bool, str]:
    workers = find_workers()
    if workers.is_ready:
        return True, f"{len(workers.ready)} running: {', '.join(workers.ready)}"
    last = format_age(workers.last_seen_at) if workers.last_seen_at else "never"
    return True, f"offline, last seen {last}; start one with `likewise worker`"
