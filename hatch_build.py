"""What a wheel holds beside the code: see app/resources.py, which finds it again."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("templates", "static", "migrations")


class ResourcesHook(BuildHookInterface):
    """Puts the folders beside the package into it; an editable install finds them by itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Collect the files; hatchling calls this before it builds."""
        if version == "editable":
            return
        for name in FOLDERS:
            source = Path(self.root) / name
            for path in sorted(source.rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    inside = f"app/_data/{name}/{path.relative_to(source).as_posix()}"
                    build_data["force_include"][str(path)] = inside
