"""The page's modules as one script: written as modules, delivered as one file that is named after its content."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
ENTRY = "review.js"
_IMPORT = re.compile(r'^import \{ ([^}]+) \} from "\./([\w.]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) ([\w$]+))", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|(?<=[;{}])) *// .*$", re.MULTILINE)
_INDENT = re.compile(r"^\s+", re.MULTILINE)


@lru_cache(maxsize=1)
def script() -> tuple[str, str]:
    """Return the path of the review page's script, which names its content, and the script."""
    body = bundle(ENTRY)
    return f"/static/script-{hashlib.sha256(body.encode()).hexdigest()[:12]}.js", body


def bundle(entry: str) -> str:
    """Return a module of our own with all that it imports, as one script without imports or comments.

    Imports are lines `import { a, b } from "./c.js";`, exports are functions, classes and constants.
    """
    made: dict[str, str] = {}
    _add(entry, made)
    return '"use strict";(() => {\nconst modules = {};\n' + "\n".join(made.values()) + "\n})();\n"


def _add(name: str, made: dict[str, str]) -> None:
    source = (STATIC / name).read_text(encoding="utf-8")
    for _, other in _IMPORT.findall(source):
        if other not in made:
            _add(other, made)
    exported = ", ".join(_EXPORT.findall(source))
    body = _IMPORT.sub(r'const { \1 } = modules["\2"];', source)
    body = _INDENT.sub("", _COMMENT.sub("", _EXPORT.sub("", body)))
    made[name] = f'modules["{name}"] = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();'
