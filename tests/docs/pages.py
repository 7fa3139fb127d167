"""Pages as a test reads them: fenced blocks with the remarks above them, run in a scratch folder.

A block runs if it is `python`, or `sh` and begins with `solon ` or `export `. `export NAME="$(solon ...)"` keeps what
the command prints for the rest of the page. Remarks stand above it in an HTML comment:

    not run: REASON       it cannot run here
    file: NAME            not run: its text is written to this file
    exit: CODE            the exit code that its last command has to end with (else 0, or 3)

A `text` block right below a block that ran is its output, and has to be what came out, but for ids, times and hashes;
a line `...` in it stands for any lines, and `...` in a line for any text. SOLON_WRITE_DOCS=1 writes these blocks anew
instead, also where only an id differs, so that it is the same all through a page.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solon.cli import main
from solon.project import Project

_FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```[ \t]*$", re.MULTILINE | re.DOTALL)
_REMARK = re.compile(r"<!--\s*(.*?)\s*-->\s*\Z", re.DOTALL)
REMARKS = ("not run", "file", "exit")
_PLACEHOLDER = re.compile(r"\b(RUN_A|RUN_B|RUN|REVIEW|RECORD)\b")
_BAR = re.compile(r"^\d+/\d+ items, .*\n", re.MULTILINE)
_EXPORT = re.compile(r'export ([A-Z_]+)="\$\((.*)\)"\s*$')
EXPORTED = ("SOLON_TOKEN",)
_TOKEN = re.compile(r"solon_[\w-]{20,}")
_ID = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,64}\b")
_CHANGING = (
    (re.compile(r"\b\d+:\d\d of work"), "TIME of work"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?\S*"), "DATE"),
    (re.compile(r"\b\d+ bytes\b"), "N bytes"),
    (re.compile(r"\bhours [\d./ ]+"), "hours H"),
    (re.compile(r"\b\d+\.\d s\b"), "S s"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `line` is that of its fence; `span` holds its text's place in the page."""

    page: Path
    line: int
    language: str
    text: str
    remark: str
    value: str
    span: tuple[int, int]
    after: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def runs(self) -> bool:
        if self.remark in ("not run", "file"):
            return False
        return self.language == "python" or (
            self.language == "sh" and self.text.startswith(("solon ", "export "))
        )


def read_blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    found, end = [], 0
    for fence in _FENCE.finditer(source):
        between = source[end : fence.start()]
        remark, value = _read_remark(between)
        line = source.count("\n", 0, fence.start()) + 1
        text = inspect.cleandoc("\n" + fence.group(3)) + "\n"
        block = Block(page, line, fence.group(2), text, remark, value, fence.span(3), between.strip())
        found.append(block)
        end = fence.end()
    return found


def _read_remark(between: str) -> tuple[str, str]:
    found = _REMARK.search(between)
    name, colon, value = found.group(1).partition(":") if found else ("", "", "")
    return (name.strip(), " ".join(value.split())) if colon and name.strip() in REMARKS else ("", "")


def spell_output(text: str, *, ids: bool = False) -> str:
    """An output without what differs from one time to the next; with `ids` these are kept."""
    text = text if ids else _ID.sub("ID", text)
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return "".join(f"{line.strip()}\n" for line in text.strip().splitlines())


def fits(wanted: str, found: str, *, ids: bool = False) -> bool:
    """Is this the output that the page shows? With `ids`, down to the ids and hashes in it."""
    shown = re.split(r"^\.\.\.\n", spell_output(wanted, ids=ids), flags=re.MULTILINE)
    parts = [re.escape(part).replace(r"\.\.\.", "[^\n]*") for part in shown]
    return re.fullmatch(r"(?:.*\n)*?".join(parts), spell_output(found, ids=ids)) is not None


@dataclass
class Walk:
    """One page on its way through a scratch folder, which is the working folder."""

    page: Path
    names: dict[str, Any] = field(default_factory=dict)
    written: list[tuple[tuple[int, int], str]] = field(default_factory=list)

    def run(self) -> None:
        """Run every block that runs, in order; compare or rewrite outputs."""
        try:
            with _environment({name: os.environ.get(name) for name in EXPORTED}):
                self._run_blocks()
        finally:
            if self.written:
                self._rewrite()

    def _run_blocks(self) -> None:
        last = ""
        before: Block | None = None
        for block in read_blocks(self.page):
            if block.remark == "file":
                Path(block.value).parent.mkdir(parents=True, exist_ok=True)
                Path(block.value).write_text(block.text, encoding="utf-8")
            elif block.runs:
                last = self._run_python(block) if block.language == "python" else self._run_commands(block)
            elif block.language == "text" and not block.after and before is not None and before.runs:
                self._compare(block, last)
            before = block

    def _run_python(self, block: Block) -> str:
        tree = compile(
            "\n" * block.line + block.text, str(self.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        with _captured() as out:
            waiting = eval(tree, self.names)
            if inspect.iscoroutine(waiting):
                asyncio.run(waiting)
        return out.getvalue()

    def _run_commands(self, block: Block) -> str:
        code, told, lines = 0, "", list(_commands(block.text))
        for number, (environment, arguments, kept_as) in enumerate(lines, start=1):
            kept = io.StringIO()
            with _captured(kept if kept_as else None) as out, _environment(environment):
                code = main([self._fill(argument) for argument in arguments])
            told += out.getvalue()
            if kept_as:
                os.environ[kept_as] = kept.getvalue().strip()
            wanted = {int(block.value)} if block.remark == "exit" and number == len(lines) else {0, 3}
            assert code in wanted, f"{block}: solon {shlex.join(arguments)} ended with {code}\n{told}"
        return _BAR.sub("", told)

    def _fill(self, argument: str) -> str:
        if not _PLACEHOLDER.fullmatch(argument):
            return argument
        with Project(create=False) as project:
            find: Mapping[str, Callable[[], str]] = {
                "RUN": lambda: project.runs()[0].run_id,
                "RUN_A": lambda: project.runs()[1].run_id,
                "RUN_B": lambda: project.runs()[0].run_id,
                "REVIEW": lambda: project.reviews()[0].id,
                "RECORD": lambda: project.records()[0].id,
            }
            return find[argument]()

    def _compare(self, block: Block, found: str) -> None:
        writing = bool(os.environ.get("SOLON_WRITE_DOCS"))
        if fits(block.text, found, ids=writing):
            return
        if writing:
            self.written.append((block.span, _shorten(_TOKEN.sub("solon_...", found), block.text)))
            return
        raise AssertionError(f"{block} shows\n{block.text}\nbut this came out\n{found}")

    def _rewrite(self) -> None:
        source = self.page.read_text(encoding="utf-8")
        for (start, end), text in reversed(self.written):
            source = source[:start] + text + source[end:]
        self.page.write_text(source, encoding="utf-8")


def _shorten(found: str, shown: str) -> str:
    """The output as a page shows it: cut where the block that it replaces was cut with a last line `...`."""
    lines = [line.rstrip() for line in found.strip("\n").splitlines()]
    before = shown.rstrip().splitlines()
    if before[-2:][-1:] == ["..."] and len(before) > 1 and before[-2].rstrip() in lines:
        lines = [*lines[: lines.index(before[-2].rstrip()) + 1], "..."]
    return "".join(f"{line}\n" for line in lines)


def _commands(text: str) -> Iterator[tuple[dict[str, str], list[str], str]]:
    """(environment, arguments, variable that keeps the output) of each line; `\\` goes on in the next."""
    for line in text.replace("\\\n", " ").splitlines():
        exported = _EXPORT.match(line)
        kept_as, line = exported.groups() if exported else ("", line)
        assert kept_as in ("", *EXPORTED)
        words = shlex.split(line, comments=True)
        environment = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        if words:
            assert words[0] == "solon", f"a block of commands holds something else: {line}"
            yield environment, words[1:], kept_as


@contextmanager
def _captured(kept: io.StringIO | None = None) -> Iterator[io.StringIO]:
    """Both streams as a terminal shows them, in the order in which they are written; standard output may be `kept`."""
    out = io.StringIO()
    with redirect_stdout(kept or out), redirect_stderr(out):
        yield out


@contextmanager
def _environment(values: Mapping[str, str | None]) -> Iterator[None]:
    old = {name: os.environ.get(name) for name in values}
    os.environ.update({name: value for name, value in values.items() if value is not None})
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
