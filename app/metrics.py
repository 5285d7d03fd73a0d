"""What this process counts for Prometheus while it works."""

import platform
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector

REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "likewise_http_requests",
    "HTTP requests, by route template.",
    ("method", "route", "status"),
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "likewise_http_request_duration_seconds",
    "Request duration, by route template.",
    ("method", "route"),
    registry=REGISTRY,
)
SEARCHES = Counter(
    "likewise_searches",
    "Similarity searches, by query type.",
    ("seed",),
    registry=REGISTRY,
)
BUILD = Info("likewise_build", "Running version.", registry=REGISTRY)
# Memory, processor time, open files and start of this process.
ProcessCollector(registry=REGISTRY)


def _find_version() -> str:
    try:
        return version("likewise")
    except PackageNotFoundError:
        return "unknown"  # Run from a folder where nothing was installed.


BUILD.info({"version": _find_version(), "python": platform.python_version()})
