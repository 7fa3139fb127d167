"""`solon init`: a folder to begin with: configuration, seeds, constitution and rubric of a field, and what to do."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from solon.cli.options import JsonOption
from solon.cli.terminal import print_json
from solon.display.text import clean
from solon.errors import UsageError
from solon.presets import PRESETS, Preset

DEFAULT_MODEL = "openai:gpt-5-mini"
PRIVACY = {
    "synthetic": "made up, or about nobody",
    "deidentified": "of people, names and numbers taken out; scanned before the first call",
    "personal": "of people as they are; scanned, and sent to this machine and hosts that you allow only",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A subject that a project is about.

    Attributes:
        law: name of the starter of its constitution and rubric.
        judges: personas of the two judges.
        labels: labels of texts, for the recipe `label`.
        privacy: what its seeds mostly are: synthetic, deidentified or personal.
    """

    law: str
    judges: tuple[str, str]
    labels: tuple[str, ...]
    privacy: str = "synthetic"


FIELDS = {
    "general": Field(
        "general",
        (
            "a careful expert in the subject who checks every claim",
            "the person who asked, who wants a direct and usable answer",
        ),
        ("can be answered", "needs a question back", "should be declined"),
    ),
    "medical": Field(
        "medical",
        (
            "a physician of the field who checks every claim, dose and warning sign",
            "the patient, who has to know what to do now",
        ),
        ("emergency", "today", "this week", "self-care"),
        "deidentified",
    ),
    "law": Field(
        "legal",
        (
            "a lawyer of the field who checks place, date, deadlines and sources",
            "the person seeking help, who must not lose a right",
        ),
        ("a deadline runs", "needs a lawyer", "information will do"),
        "deidentified",
    ),
    "education": Field(
        "education",
        (
            "an experienced teacher of the subject who looks for what the learner gets wrong, and why",
            "the learner, who wants to understand it and go on alone",
        ),
        ("explain", "check my work", "practise", "not schoolwork"),
        "deidentified",
    ),
    "code": Field(
        "code",
        (
            "a senior engineer who would run the code and checks edge cases and safety",
            "the person who has to use and maintain it",
        ),
        ("write", "debug", "explain", "review"),
    ),
}

_CONFIG = """\
# {title}. What is not here keeps its default; `solon config schema --format toml` shows every key.
{paper}store = "sqlite:///solon.db"                # or postgresql://USER@HOST/DATABASE

{part}

[law]                                       # yours to edit; later changes go by `solon constitution propose`
constitution = "constitution.yaml"
rubric = "rubric.yaml"
{review}
[privacy]
class = {privacy}{padding}# synthetic, deidentified or personal
# allowed_hosts = ["models.example.org"]    # with personal: where calls may go, besides this machine

[limits]                                    # a run stops cleanly here; `solon resume` goes on
# calls = 2000
# cost = 5.0                                # needs the price of every model
"""
_REVIEW = """
[review]
guidelines = "guidelines.md"                # what experts read first
"""
_README = """\
# {title}

{makes}. Three commands:

```sh
{run}
{serve}
{export}
```

| file | what it is |
|---|---|
| `solon.toml` | the configuration: model, judges, when people are asked, privacy |
| `seeds.jsonl` | ten texts to begin with; put yours in their place |
| `constitution.yaml` | the principles that agents follow and cite, the most important first |
| `rubric.yaml` | the criteria that answers are scored on, with what each score means |
{guidelines}
{before}Constitution and rubric are a starter: let those who answer for the data read them before the first real run.
`solon doctor` says what is missing, `solon preview` shows a few items before anything is paid for.
"""


def register(app: typer.Typer) -> None:
    """Add `solon init` to the command line."""
    app.command("init")(init)


def init(
    preset: Annotated[
        str | None, typer.Argument(help=f"What to make: {', '.join(PRESETS)}. [preference]")
    ] = None,
    field: Annotated[
        str | None, typer.Option(metavar="FIELD", help=f"{', '.join(FIELDS)}. [general]")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where to; default: FIELD-PRESET, or PRESET where it has seeds of its own."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="PROVIDER:MODEL", help=f"Who drafts and judges. [{DEFAULT_MODEL}]")
    ] = None,
    key_env_given: Annotated[
        str | None,
        typer.Option(
            "--key-env", metavar="NAME", help="Environment variable with the key; never the key itself."
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Of an OpenAI-compatible server of your own.")
    ] = None,
    privacy: Annotated[
        str | None, typer.Option(metavar="CLASS", help=f"What your seeds are: {', '.join(PRIVACY)}.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a project folder: solon.toml, ten seeds, constitution and rubric of your field, and a README.

    `solon recipes` says what each preset makes, who decides, and what a row costs.

    Example: solon init preference --field medical --model ollama:llama3.2 --privacy synthetic
    """
    from solon.cli.seeds import starters_path
    from solon.law.documents import dump_yaml, load_constitution, load_rubric

    asks = not yes and not json and sys.stdin.isatty()
    kind = PRESETS[_choose("preset", preset, PRESETS, "preference", asks)]
    about = FIELDS[field := _choose("field", field, FIELDS, "general", asks and kind.seeds is None)]
    if not (asks or yes):
        _check_given({"--model": model if kind.models else "none", "--privacy": privacy})
    values: dict[str, str | list[str]] = {"@labels": list(about.labels)}
    values |= zip(("@first", "@second"), about.judges, strict=True)
    key_env = ""
    if kind.models:
        model, key_env = _ask_model(model, key_env_given, base_url, asks)
        values |= {"@model": model, "@key": key_env, "@url": base_url or ""}
    if privacy is None and asks:
        typer.echo(
            "your seeds are\n" + "\n".join(f"  {name}: {what}" for name, what in PRIVACY.items()), err=True
        )
    privacy = _choose("privacy", privacy, PRIVACY, "synthetic" if kind.seeds else about.privacy, asks)
    title = kind.name if kind.seeds else f"{field.capitalize()}: {kind.name}"
    folder = folder or Path(kind.name if kind.seeds else f"{field}-{kind.name}")
    files = {
        "solon.toml": _write_config(title, kind, values, privacy),
        "seeds.jsonl": (kind.seeds or starters_path() / f"{field}.jsonl").read_text(encoding="utf-8"),
        "constitution.yaml": dump_yaml(load_constitution(about.law)),
        "rubric.yaml": dump_yaml(load_rubric(kind.rubric or about.law)),
        "README.md": _write_readme(title, kind, key_env),
    }
    if kind.guidelines:
        files["guidelines.md"] = kind.guidelines.read_text(encoding="utf-8")
    _write_folder(folder, files)
    _tell(folder, kind, key_env, list(files), json)


def _ask_model(model: str | None, key_env: str | None, base_url: str | None, asks: bool) -> tuple[str, str]:
    """The model that is asked where no other is named, and the variable with its key."""
    model = model or _ask("model, as provider:model", DEFAULT_MODEL, asks)
    usual = _usual_key(model, base_url)
    key_env = key_env or (_ask("environment variable that holds its key", usual, asks) if usual else "")
    return model, key_env


def _check_given(needed: Mapping[str, str | None]) -> None:
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise UsageError(
            f"nobody can be asked here, and not given: {', '.join(missing)}",
            next_step="give it, or add --yes for the defaults",
        )


def _choose(name: str, given: str | None, known: Mapping[str, object], default: str, asks: bool) -> str:
    """One of a closed set."""
    chosen = given or _ask(f"{name} ({', '.join(known)})", default, asks)
    if chosen not in known:
        raise UsageError(f"there is no {name} {chosen!r}", next_step=f"take one of {', '.join(known)}")
    return chosen


def _ask(question: str, default: str, asks: bool) -> str:
    return str(typer.prompt(question, default=default, err=True)).strip() if asks else default


def _usual_key(model: str, base_url: str | None) -> str:
    """Where the key of such a model is by custom; empty where it needs none.

    Raises:
        ConfigError: there is no such model.
    """
    from solon.agents.models.factory import check_name, key_variable
    from solon.config import parse_config

    read = parse_config({"models": {"default": {"model": model, "base_url": base_url}}}, source="--model")
    check_name(read.models["default"])
    return key_variable(read.models["default"])


def _write_config(title: str, kind: Preset, values: Mapping[str, str | list[str]], privacy: str) -> str:
    """The text of solon.toml, checked as every configuration is."""
    import tomllib

    from solon.config import parse_config

    text = _CONFIG.format(
        title=title,
        paper=f"# After {kind.paper}.\n" if kind.paper else "",
        part=kind.write(values),
        review=_REVIEW if kind.guidelines else "",
        privacy=dumps(privacy),
        padding=" " * (34 - len(privacy)),
    )
    parse_config(tomllib.loads(text), source="the options")
    return text


def _commands(kind: Preset) -> dict[str, str]:
    return {
        "run": f"solon run {kind.recipe} --seeds seeds.jsonl",
        "serve": "solon review serve",
        "export": f"solon export --format {kind.format} --output {kind.name}.jsonl",
    }


def _write_readme(title: str, kind: Preset, key_env: str | None) -> str:
    meant = {
        "run": "seeds into records; the same command goes on where it stopped",
        "serve": "the page where people answer what waits; `solon expert add` lets them in",
        "export": "what was accepted, for a trainer",
    }
    commands = _commands(kind)
    width = max(map(len, commands.values()))
    lines = {name: f"{command:<{width}}   # {meant[name]}" for name, command in commands.items()}
    before = f"The model's key is read from the variable `{key_env}`. " if key_env else ""
    guidelines = "| `guidelines.md` | what experts read before they answer |\n" if kind.guidelines else ""
    makes = kind.makes[0].upper() + kind.makes[1:]
    return _README.format(title=title, makes=makes, before=before, guidelines=guidelines, **lines)


def _write_folder(folder: Path, files: dict[str, str]) -> None:
    """Write nothing at all where any of them is there already."""
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise UsageError(
            f"{folder} holds {', '.join(there)} already; nothing was written",
            next_step="name another folder with --folder",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}", next_step="name another folder with --folder"
        ) from None


def _tell(folder: Path, kind: Preset, key_env: str | None, files: list[str], json: bool) -> None:
    steps = [f"cd {shlex.quote(str(folder))}"] if folder != Path(".") else []
    if key_env and not os.environ.get(key_env):
        steps.append(f"export {key_env}=...")
    steps += ["solon doctor", f"solon run {kind.recipe} --seeds seeds.jsonl"]
    if json:
        print_json({"folder": str(folder), "recipe": kind.recipe, "files": files, "next": steps})
        return
    typer.echo(clean(f"made {folder}: {', '.join(files)}"))
    typer.echo("next:")
    for step in steps:
        typer.echo(clean(f"  {step}"))
