"""Load, check and render the templates of the agents.

A template is a Markdown file: front matter in YAML (`name`, `version`, `variables`, `output`), then the parts
`# system` and `# user`, in jinja2. Templates are trusted, their variables are not: values are never compiled as
templates, and texts of seeds, models and people stand between markers that carry a mark unknown to their authors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from solon.errors import ConfigError

_PARTS = re.compile(r"^# (system|user)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt ready to send. `template` is name@version."""

    system: str
    user: str
    template: str

    @property
    def text(self) -> str:
        """Both parts as one text, as it is journalled."""
        return f"[system]\n{self.system}\n[user]\n{self.user}"


@dataclass(frozen=True)
class Prompt:
    """One template with its declared variables."""

    name: str
    version: str
    variables: tuple[str, ...]
    output: str
    source: str
    system: Any
    user: Any

    @property
    def sha(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]

    def render(self, mark: str, **values: Any) -> Rendered:
        """Fill the template in. `mark` is put into the markers around every foreign text.

        Raises:
            ConfigError: values and declared variables differ, or the template fails.
        """
        if set(values) != set(self.variables):
            wrong = sorted(set(values) ^ set(self.variables))
            raise ConfigError(
                f"prompt {self.name}: declared and given variables differ in {', '.join(wrong)}"
            )
        try:
            system = self.system.render(mark=mark, **values).strip()
            user = self.user.render(mark=mark, **values).strip()
        except TemplateError as error:
            raise ConfigError(f"prompt {self.name}: {error}", next_step="see `solon prompts check`") from None
        return Rendered(system, user, f"{self.name}@{self.version}")


def fence(value: str, label: str, mark: str) -> str:
    """Foreign text between markers that its author cannot have known.

    A model that has seen the mark may be talked into repeating it, so a text loses the mark before it is put in.
    """
    inside = re.sub(re.escape(mark), "", value, flags=re.IGNORECASE) if mark else value
    return f"[{label} {mark}]\n{inside}\n[end of {label} {mark}]"


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["fence"] = fence
    return environment


class PromptLibrary:
    """The built-in templates, overlaid by those of the same name in a folder of the user's."""

    def __init__(self, overlay: Path | None = None) -> None:
        self._prompts: dict[str, Prompt] = {}
        environment = _environment()
        for entry in sorted(
            resources.files("solon.prompts").joinpath("templates").iterdir(), key=lambda e: e.name
        ):
            if entry.name.endswith(".md"):
                self._add(environment, entry.name, entry.read_text(encoding="utf-8"))
        if overlay is not None:
            if not overlay.is_dir():
                raise ConfigError(
                    f"prompts_dir: there is no folder {overlay}",
                    next_step="`solon prompts copy NAME --folder FOLDER` begins one",
                )
            for path in sorted(overlay.glob("*.md")):
                self._add(environment, str(path), path.read_text(encoding="utf-8"))

    @classmethod
    def of(cls, folder: str | Path | None) -> PromptLibrary:
        """The library under the key `prompts_dir` of a configuration."""
        return cls(Path(folder) if folder is not None else None)

    def __getitem__(self, name: str) -> Prompt:
        return self._prompts[name]

    def __iter__(self) -> Any:
        return iter(self._prompts.values())

    def manifest(self) -> dict[str, Any]:
        """name -> version, sha and source of every template: what a run pins."""
        return {p.name: {"version": p.version, "sha": p.sha, "source": p.source} for p in self}

    @cached_property
    def version(self) -> str:
        """Hash of all templates together."""
        parts = [f"{p.name}:{p.sha}" for p in sorted(self, key=lambda p: p.name)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> PromptLibrary:
        """The library as it was pinned, whatever the files say today."""
        library = cls.__new__(cls)
        library._prompts = {}
        environment = _environment()
        for name, entry in manifest.items():
            library._add(environment, name, entry["source"])
        return library

    def _add(self, environment: ImmutableSandboxedEnvironment, place: str, source: str) -> None:
        try:
            prompt = _parse(environment, source)
        except (ValueError, KeyError, TypeError, yaml.YAMLError, TemplateError) as error:
            raise ConfigError(
                f"prompt {place}: {error}", next_step="compare it with `solon prompts show`"
            ) from None
        self._prompts[prompt.name] = prompt


def _parse(environment: ImmutableSandboxedEnvironment, source: str) -> Prompt:
    if not source.startswith("---\n"):
        raise ValueError("it does not begin with front matter (---)")
    front, body = source[4:].split("\n---\n", 1)
    head = yaml.safe_load(front)
    pieces = _PARTS.split(body)
    parts = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    if set(parts) != {"system", "user"}:
        raise ValueError("it needs the parts '# system' and '# user'")
    return Prompt(
        name=str(head["name"]),
        version=str(head["version"]),
        variables=tuple(head["variables"]),
        output=str(head["output"]),
        source=source,
        system=environment.from_string(parts["system"].strip()),
        user=environment.from_string(parts["user"].strip()),
    )
