"""Files that are there whole or not at all; imports no learning library."""
from __future__ import annotations

import json
import os
from typing import Any, Optional


def write_text(path: str, text: str) -> None:
    """Writes `path`; whoever reads it meanwhile sees what was there before."""
    part = path + ".part"
    with open(part, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(part, path)


def write_json(path: str, value: Any, indent: Optional[int] = None) -> None:
    """Writes `value` as JSON to `path`, in the same way."""
    write_text(path, json.dumps(value, indent=indent))
