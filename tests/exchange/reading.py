"""What an import finds in a file, all of it in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from solon.config import Config
from solon.eval import importing
from solon.formats.imported import Imported
from solon.formats.seed_files import BadRow


@dataclass
class Found:
    """Seeds and answers to reviews in their order, and the rows that were refused."""

    format: str
    bad: list[BadRow]
    seeds: list[Imported] = field(default_factory=list)
    answers: list[Imported] = field(default_factory=list)


def read_import(name: str, file: Path, config: Config | None = None) -> Found:
    content = importing._Read(name)
    pieces = [one for one, _ in importing._read(content, file, None, config or Config())]
    found = Found(content.format, content.bad)
    for one in pieces:
        (found.answers if one.review else found.seeds).append(one)
    return found
