"""A log of every call to a cloud, one line of JSON each, with secrets redacted."""

import json
import threading
import time
from pathlib import Path
from typing import Any, cast


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, provider: str, method: str, **entry: Any) -> None:
        line = json.dumps({"time": time.time(), "provider": provider, "method": method, **entry})
        with self._lock, self.path.open("a") as file:
            file.write(line + "\n")

    def entries(self, method: str = "", *, preview: bool = False) -> list[dict[str, Any]]:
        """The calls so far, oldest first; those of previews only if asked for."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().splitlines()
        entries = [cast("dict[str, Any]", json.loads(line)) for line in lines]
        return [
            entry
            for entry in entries
            if entry["method"] == (method or entry["method"])
            and bool(entry.get("preview")) <= preview
        ]
