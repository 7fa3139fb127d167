"""How `--help` shows the commands: in groups, nothing cut off, each with the next step. Imports nothing heavy."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer.models import CommandInfo

PANELS: dict[str, dict[str, str]] = {
    "Start": {
        "demo": "`solon init`, for a project of your own",
        "init": "`solon doctor`, then `solon run`",
        "doctor": "mend what it names, then `solon run`",
        "config show": "`solon config check`",
        "config check": "`solon run`",
        "config schema": "copy what you change into solon.toml, then `solon config check`",
        "model fetch": "`solon demo --real`",
        "agent-context": "`solon doctor`, then `solon preview`",
        "mcp": "name it in the settings of your agent's program, see docs/coding-agents.md",
        "import": "`solon learn`, or `solon review list`",
    },
    "Run": {
        "preview": "`solon plan`, then `solon run`",
        "plan": "`solon run`",
        "run": "`solon review list`, or `solon export`",
        "resume": "`solon review list`, or `solon export`",
        "status": "`solon resume`, or `solon review list`",
        "worker": "`solon status`, from another terminal",
        "show": "`solon review show`, for what waits",
        "diff": "`solon show`, for one of the items",
        "recipes": "`solon plan RECIPE`, then `solon run RECIPE`",
        "graph": "`solon run`",
        "prompts list": "`solon prompts show NAME`",
        "prompts show": "`solon prompts copy NAME`, to change it",
        "prompts check": "`solon preview`, to see what the change does",
        "prompts copy": "change them, then `solon prompts check`",
    },
    "Review": {
        "review list": "`solon review show REVIEW`",
        "review show": "`solon review decide REVIEW`",
        "review decide": "`solon resume`",
        "review serve": "open the link that it prints; `solon expert add` lets others in",
        "review export": "`solon import`, when the answers are there",
        "review notify": "`solon status`",
        "expert add": "`solon expert link NAME`, and `solon review serve`",
        "expert list": "`solon expert add NAME`",
        "expert trust": "`solon learn`",
        "expert revoke": "`solon expert list`",
        "expert rotate": "hand the token to its owner",
        "expert link": "send the link to its owner, while `solon review serve` runs",
        "expert test": "`solon golden pick`, where too few are answered",
        "golden import": "`solon golden count`",
        "golden pick": "`solon review serve`, then `solon expert test`",
        "golden retire": "`solon golden count`",
        "golden count": "`solon review serve`",
        "audit verify": "note the head that it prints, for --head next time",
    },
    "Law": {
        "constitution show": "save it as a file, change it, and name it in [law]",
        "constitution list": "`solon constitution show NAME`",
        "constitution diff": "`solon constitution propose`",
        "constitution history": "`solon constitution impact AMENDMENT`",
        "constitution propose": "`solon constitution impact AMENDMENT`",
        "constitution impact": "`solon constitution ratify AMENDMENT`",
        "constitution ratify": "`solon rejudge`",
        "constitution import": "`solon run`",
        "constitution stats": "`solon constitution propose`",
        "rubric show": "save it as a file, change it, and name it in [law]",
        "rubric list": "`solon rubric show NAME`",
        "rubric diff": "`solon rubric propose`",
        "rubric history": "`solon rubric impact AMENDMENT`",
        "rubric propose": "`solon rubric impact AMENDMENT`",
        "rubric impact": "`solon rubric ratify AMENDMENT`",
        "rubric ratify": "`solon rejudge`",
        "rubric import": "`solon run`",
        "rubric weights": "`solon rubric impact AMENDMENT`",
        "rules show": "change it, then `solon rules propose FILE`",
        "rules diff": "`solon rules propose`",
        "rules history": "`solon rules impact AMENDMENT`",
        "rules propose": "`solon rules impact AMENDMENT`, which asks no model",
        "rules impact": "`solon rules ratify AMENDMENT`, or `leave-out`",
        "rules leave-out": "`solon rules impact AMENDMENT`",
        "rules ratify": "`solon run`, under the new rules",
        "rules import": "`solon run`",
        "rejudge": "`solon review list`, for what it could not settle",
    },
    "Measure": {
        "learn": "`solon resume`, which moves the items that it concerns",
        "judges": "change what is refused in [[judges]], then `solon preview`",
        "eval suite": "`solon report`",
        "eval scores": "`solon report`",
        "eval injection": "do what the line `next` says, which goes by the figures",
        "eval labels": "the same with `--review`, then `solon review serve`",
        "eval replay": "`solon plan`",
        "eval power": "set `routing.alpha` and `routing.pilot`, then `solon plan`",
        "gate": "`solon report`, which shows what is behind a bound that fails",
        "report": "open the page, then `solon release create`",
    },
    "Ship": {
        "export": "`solon release create`, for one that can be rebuilt",
        "release create": "`solon release verify NAME`",
        "release verify": "`solon release sign`, or `solon release diff` with an earlier one",
        "release sign": "hand over the folder; `solon release verify` shows the signature",
        "release push": "look at the repository; `solon forget` does not reach it",
        "release withdraw": "`solon release create` under another name",
        "release diff": "`solon show RECORD`",
    },
    "Operate": {
        "privacy list": "`solon privacy release ITEM`, or `reject`",
        "privacy release": "`solon resume`",
        "privacy reject": "`solon forget SEED`",
        "forget": "withdraw the exports that it names",
        "backup": "`solon restore FOLDER`, into another place: a backup is one once it was put back",
        "restore": "`solon resume`",
        "migrate": "`solon doctor`, on the new store",
        "migrate-threads": "`solon resume`",
        "prune": "`solon status`",
    },
}
"""Command -> the next step, in the groups of `solon --help`. A command of a group of commands is named with it."""

_FORMATS = """\
Formats, by what they are for (docs/formats.md):

\b
- all there is: jsonl, parquet
- spreadsheets: csv, csv-spreadsheet (which runs no formula)
- preferences (DPO, reward models): trl-preference, trl-preference-standard,
  llama-factory, axolotl, openrlhf, openai-preference
- single judgements (KTO): trl-unpaired-preference,
  trl-unpaired-preference-standard
- all candidates with their scores: ultrafeedback, reward-model
- reinforcement learning by rubrics, and tasks: rubric-reward, verifiers
- a task for the lm-evaluation-harness: lm-eval (with --folder)
- steps (process reward models): trl-stepwise
- a few demonstrations for a prompt: icl (with --k N)
- critics and those who revise: critique-sft, revision-sft
- fine-tuning: trl-sft, trl-sft-standard, sharegpt, alpaca,
  llama-factory-sft, axolotl-sft, openrlhf-sft
- prompts alone (GRPO): trl-prompt-only, trl-prompt-only-standard
- marked texts: spans, conll, spacy, label-studio-spans
"""
_MORE = {"export": _FORMATS}


class Panels(TyperGroup):
    """A group that lists its commands under headings, each with its whole short help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each group of commands under its heading, every command with its whole short help."""
        panels: dict[str, list[tuple[str, str]]] = {name: [] for name in PANELS}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                panel = getattr(command, "rich_help_panel", None) or "Commands"
                panels.setdefault(panel, []).append((name, command.short_help or command.help or ""))
        for panel, rows in panels.items():
            if rows:
                with formatter.section(panel):
                    formatter.write_dl(rows)


def arrange(app: typer.Typer) -> None:
    """Give every command its panel, its short help and its next step, in the order of `PANELS`."""
    steps = {name: step for commands in PANELS.values() for name, step in commands.items()}
    panels = {name.split(" ")[0]: panel for panel, commands in PANELS.items() for name in commands}
    order = list(panels)
    app.info.cls = Panels
    for command in app.registered_commands:
        command.rich_help_panel = panels.get(command.name or "")
        _describe(command, command.name or "", steps)
    for group in app.registered_groups:
        within, name = group.typer_instance, group.name or ""
        group.rich_help_panel = panels.get(name)
        if within is None:
            continue
        group.short_help = _first_part(str(within.info.help))
        if not isinstance(within.info.cls, type):
            within.info.cls = Panels
        for command in within.registered_commands:
            _describe(command, f"{name} {command.name}", steps)
    for registered in (app.registered_commands, app.registered_groups):
        registered.sort(key=lambda one: order.index(one.name) if one.name in order else len(order))


def _describe(command: CommandInfo, name: str, steps: dict[str, str]) -> None:
    command.short_help = _first_part(inspect.getdoc(command.callback) or "")
    told = [_MORE.get(name, ""), f"Next: {steps[name]}" if name in steps else ""]
    command.epilog = "\n\n".join(part.strip("\n") for part in told if part) or None


def _first_part(text: str) -> str:
    """Up to the first full stop, colon or semicolon."""
    return re.split(r"[.:;](?:\s|$)", " ".join(text.split("\n\n")[0].split()), maxsplit=1)[0]
