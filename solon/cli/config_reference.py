"""The reference of all configuration keys, made from their declarations: as Markdown and as a commented TOML file."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from solon.config import Config
from solon.config.sections import JudgeConfig, ModelConfig, RuleConfig

_HEAD = """\
# Configuration

Every key of `solon.toml`, with its default. The file is read from the working folder, or from `--config FILE`; \
without one the defaults apply. Relative paths in it (the store, a constitution, prompts) are taken from the \
working folder, wherever the file lies. Unknown keys are refused. A variable `SOLON_<TABLE>__<KEY>` in the environment \
overrides a key (two underscores go one table down: `SOLON_MODELS__DEFAULT__MODEL=ollama:llama3.2`), and an option \
of the command line overrides both. Secrets never stand in the file: a model names the environment variable that \
holds its key.

This page is made from the declarations in `solon/config/__init__.py`: `make docs`.
"""
_TOML_HEAD = """\
# Every key of Solon's configuration. Keys that are commented out have no default: they are unset.
# Copy what you change; what is not in your file keeps its default.
"""
_OF_TABLES: dict[str, tuple[str, type[BaseModel]]] = {
    "models": ("models.default", ModelConfig),
    "judges": ("judges", JudgeConfig),
    "rules": ("rules", RuleConfig),
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the configuration.

    Attributes:
        name: the key within its table.
        default: as TOML; None where the key is unset.
        type: its type and bounds, in words.
        about: what it means.
    """

    name: str
    default: str | None
    type: str
    about: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the configuration file.

    Attributes:
        name: with its dots; empty for the keys at the top.
        about: what the table is for.
        keys: its keys, in the order of their declaration.
        repeated: whether it is an array of tables.
        optional: whether it may be missing as a whole, as it is by default.
    """

    name: str
    about: str
    keys: tuple[Key, ...]
    repeated: bool = False
    optional: bool = False


def tables() -> Iterator[Table]:
    """Every table of the configuration in the order of the file; the first has no name and holds the keys at
    the top."""
    defaults = Config()
    top = [
        (name, field)
        for name, field in Config.model_fields.items()
        if _section(field) is None and name not in _OF_TABLES
    ]
    yield Table("", "", tuple(_key(name, field, getattr(defaults, name)) for name, field in top))
    for name, field in Config.model_fields.items():
        if name in _OF_TABLES:
            yield from _repeated(name, defaults)
        elif (section := _section(field)) is not None:
            yield from _table(field.alias or name, section, getattr(defaults, name))


def _repeated(name: str, defaults: Config) -> Iterator[Table]:
    shown, section = _OF_TABLES[name]
    if name == "rules":  # there are none by default
        yield Table(shown, _about(section), _unset_keys(section), repeated=True, optional=True)
        return
    for values in [defaults.models["default"]] if name == "models" else defaults.judges:
        yield from _table(shown, section, values, repeated=name != "models")


def _table(
    name: str, section: type[BaseModel], values: BaseModel, *, repeated: bool = False
) -> Iterator[Table]:
    """The table of a section, and those within it that may be missing."""
    inner = {key: _optional_section(field) for key, field in section.model_fields.items()}
    keys = tuple(
        _key(field.alias or key, field, getattr(values, key))
        for key, field in section.model_fields.items()
        if inner[key] is None
    )
    yield Table(name, _about(section), keys, repeated)
    for key, kind in inner.items():
        if kind is not None:
            yield Table(f"{name}.{key}", _about(kind), _unset_keys(kind), optional=True)


def _unset_keys(section: type[BaseModel]) -> tuple[Key, ...]:
    """The keys of a section that may be missing as a whole."""
    return tuple(
        _key(name, field, None if field.is_required() else field.get_default(call_default_factory=True))
        for name, field in section.model_fields.items()
    )


def _optional_section(field: FieldInfo) -> type[BaseModel] | None:
    kinds = (kind for kind in get_args(field.annotation) if isinstance(kind, type))
    return next((kind for kind in kinds if issubclass(kind, BaseModel)), None)


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _about(section: type[BaseModel]) -> str:
    return " ".join((section.__doc__ or "").split())


def _key(name: str, field: FieldInfo, value: Any) -> Key:
    return Key(name, _toml(value), _type(field), field.description or "")


def _toml(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + " }"
            if value
            else "{}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(str(_toml(entry)) for entry in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _type(field: FieldInfo) -> str:
    """The type and its bounds in words, read from the JSON schema of the field."""
    from pydantic import TypeAdapter

    described = TypeAdapter(field.rebuild_annotation()).json_schema()
    kinds = [_words(part) for part in described.get("anyOf", [described])]
    return " or ".join(kind for kind in kinds if kind != "null") or "value"


def _words(part: dict[str, Any]) -> str:
    if "enum" in part:
        return " | ".join(str(entry) for entry in part["enum"])
    kind = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "table"}.get(
        str(part.get("type")), str(part.get("type", "table"))
    )
    if kind == "array":
        kind = f"list of {_words(part['items'])}" if "items" in part else "list"
    signs = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
    bounds = [f"{sign} {part[name]:g}" for name, sign in signs if name in part]
    return f"{kind} {' and '.join(bounds)}".strip()


def as_markdown() -> str:
    """The reference of all keys as a Markdown page."""
    seen: set[str] = set()
    parts = [_HEAD]
    for table in tables():
        if table.name in seen:
            continue
        seen.add(table.name)
        title = f"[[{table.name}]]" if table.repeated else f"[{table.name}]"
        if table.name:
            more = " Further models: `[models.NAME]`." if table.name == "models.default" else ""
            parts.append(f"## `{title}`\n\n{table.about}{more}\n")
        if not table.keys:
            continue
        rows = ["| key | default | type | meaning |", "|---|---|---|---|"]
        rows += [
            f"| `{k.name}` | {_cell(k.default)} | {_escape(k.type)} | {_escape(k.about)} |"
            for k in table.keys
        ]
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def _cell(value: str | None) -> str:
    return "unset" if value is None else f"`{value}`"


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def as_toml() -> str:
    """A TOML file with every key at its default, which reads back to the defaults."""
    parts = [_TOML_HEAD]
    for table in tables():
        lines = [f"# {line}" for line in textwrap.wrap(table.about, 100)]
        if table.name:
            title = f"[[{table.name}]]" if table.repeated else f"[{table.name}]"
            lines.append(f"# {title}" if table.optional else title)
        for key in table.keys:
            lines += [
                f"# {line}"
                for line in textwrap.wrap(f"{key.about} ({key.type})" if key.about else f"({key.type})", 100)
            ]
            off = "# " if key.default is None or table.optional else ""
            lines.append(f"{off}{key.name} = {'...' if key.default is None else key.default}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
