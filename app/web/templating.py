"""Render pages and fragments from templates/: the only module that knows Jinja2 and htmx."""

from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import RedirectResponse, Response

from app.resources import resource_folder
from app.web.static_files import module_url, static_url
from app.web.wording import format_count


def format_share(value: float | None) -> str:
    """Format a share in [0, 1]: .658 → 65.8 %."""
    return "–" if value is None else f"{100 * value:.1f} %"


def format_age(moment: datetime | None) -> str:
    """Format how long ago, in one unit."""
    if moment is None:
        return "never"
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            n = seconds // size
            return f"{n} {unit}{'s' if n > 1 else ''} ago"
    return "just now"


def format_duration(seconds: float | None) -> str:
    """Format a duration in seconds: 95 → 1 min 35 s."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_thousands(n: int) -> str:
    """Format with thousands separators: 20000 → 20,000."""
    return f"{n:,}"


def _build_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(resource_folder("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "share": format_share,
        "ago": format_age,
        "duration": format_duration,
        "thousands": format_thousands,
        "format_count": format_count,
    }
    environment.globals |= {"static_url": static_url, "module_url": module_url}
    return environment


def _user_context(request: Request) -> dict[str, Any]:
    return {"user": getattr(request.state, "user", None)}


templates = Jinja2Templates(env=_build_environment(), context_processors=[_user_context])


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Render `templates/{template}`; every template gets `user`."""
    return templates.TemplateResponse(request, template, context, status_code=status)


def wants_fragment(request: Request) -> bool:
    """Check whether htmx requests a fragment rather than the whole page."""
    return request.headers.get("HX-Request") == "true" and "HX-Boosted" not in request.headers


def redirect_to(request: Request, name: str, /, **path: Any) -> Response:
    """Redirect to the named route after a write (303, or an htmx redirect)."""
    url = request.url_for(name, **path).path
    if wants_fragment(request):
        return Response(status_code=204, headers={"HX-Redirect": url})
    return RedirectResponse(url, 303)
