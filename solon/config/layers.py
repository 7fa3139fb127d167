"""The plain values of a configuration, layer by layer, before they are checked. Imports nothing but `errors`."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from solon.errors import ConfigError
from solon.reading import read_toml


def read_layers(
    file: Path, profile: str | None, *, roots: Collection[str], overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Return plain values: the file's (none where it is missing), over them a profile, the environment, `overrides`.

    Args:
        profile: name of a table in [profiles]; default: SOLON_PROFILE.
        roots: first parts of keys that the environment may set.
        overrides: dotted key -> value.

    Raises:
        ConfigError: the file is no TOML, or has no such profile, or a variable names no table.
    """
    data = read_toml(file, raises=ConfigError) if file.is_file() else {}
    profiles = data.pop("profiles", {})
    name = profile or os.environ.get("SOLON_PROFILE")
    if name:
        if not isinstance(profiles, dict) or not isinstance(profiles.get(name), dict):
            known = ", ".join(sorted(profiles)) if isinstance(profiles, dict) else ""
            raise ConfigError(
                f"{file}: there is no profile {name!r}", next_step=f"[profiles] has: {known or 'none'}"
            )
        data = _overlay(data, profiles[name])
    for key, value in {**_environment(roots), **overrides}.items():
        _set_dotted(data, key, value)
    return data


def line_of_key(source: str, place: Sequence[int | str]) -> str:
    """Return `, line N`, the line of a key in a file, or else of the table that should have it.

    Empty where the file has neither, or where `source` is no file that can be read so.

    Read by the line: a key within an inline table is looked for as that table. What a profile sets counts as well.
    """
    file = Path(source)
    lines = file.read_text(encoding="utf-8").splitlines() if file.suffix == ".toml" and file.is_file() else []
    seen: dict[tuple[int | str, ...], list[str]] = {}
    repeated: Counter[tuple[str, ...]] = Counter()
    table: tuple[int | str, ...] = ()
    for number, line in enumerate(lines, start=1):
        header = re.match(r"\s*(\[\[?)([^\[\]]+)\]", line)
        key = re.match(r"\s*([\w.\"'-]+)\s*=", line)
        if header is not None:
            name = _parts(header.group(2))
            table = name if header.group(1) == "[" else (*name, repeated[name])
            repeated[name] += header.group(1) == "[["
        elif key is None:
            continue
        found = table if key is None else (*table, *_parts(key.group(1)))
        seen.setdefault(found[2:] if found[0] == "profiles" else found, []).append(str(number))
    known = [seen[tuple(place[:end])] for end in range(len(place), 0, -1) if tuple(place[:end]) in seen]
    return f", line {' or '.join(known[0])}" if known else ""


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


SECRET = "(secret)"


def without_secrets(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a whole configuration without its secrets: headers of models, the store's password."""
    store = re.sub(r"(?<=://)([^:@/]*):[^@/]*@", r"\1@", str(values["store"]))
    models = {}
    for name, model in values["models"].items():
        options = dict(model["options"])
        if options.get("headers"):
            options["headers"] = dict.fromkeys(options["headers"], SECRET)
        models[name] = {**model, "options": options}
    return {**values, "store": store, "models": models}


def _environment(roots: Collection[str]) -> dict[str, Any]:
    """SOLON_STORE=..., SOLON_MODELS__DEFAULT__MODEL=...: two underscores go one table down."""
    found: dict[str, Any] = {}
    for name, value in os.environ.items():
        if not name.startswith("SOLON_"):
            continue
        key = name.removeprefix("SOLON_").lower().replace("__", ".")
        table = key.split(".", 1)[0]
        if table in roots:
            found[key] = _plain(value)
        elif "." in key:  # with single underscores it is no key of the configuration: SOLON_DEBUG
            near = difflib.get_close_matches(table, roots, n=1)
            hint = f"did you mean SOLON_{near[0].upper()}__...?" if near else "unset it, or mend its name"
            raise ConfigError(f"{name} in the environment: there is no table {table!r}", next_step=hint)
    return found


def _plain(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _overlay(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; anything else, lists too, is replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _set_dotted(data: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    for table in tables:
        data = data.setdefault(table, {})
        if not isinstance(data, dict):
            raise ConfigError(f"{key}: {table} is a value, not a table")
    data[last] = value
