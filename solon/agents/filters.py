"""Filters: which texts are dropped before anything is judged, as `[filters.request]` and `[filters.answer]` say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from solon.errors import ConfigError, EngineError, UsageError
from solon.formats.benchmarks import Benchmark
from solon.languages import KNOWN, find_language, primary
from solon.words import MATCH_SECONDS, find_words, has_keyword, has_pattern

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.config import Config
    from solon.config.sections import TextFilters

Side = Literal["request", "answer"]
SIDES: tuple[Side, ...] = ("request", "answer")
READ_TOKENS = 128
"""Tokens at the beginning of a text whose perplexity is measured: each takes a call of the built-in model."""


async def find_filter(case: Case, side: Side, text: str) -> str:
    """Return the name of the first filter that drops a text, such as `answer_length`; empty where it passes.

    Duplicates are not looked for: that takes the other texts of the run.

    Raises:
        ConfigError: the regular expression runs away on the text.
        EngineError: the built-in model, which measures perplexity, is not installed.
    """
    limits: TextFilters | None = getattr(case.config.filters, side)
    if limits is None:
        return ""
    try:
        dropped = next((name for name, drops in _CHECKS.items() if drops(limits, text)), "")
    except TimeoutError:
        raise ConfigError(
            f"the regex of [filters.{side}] runs away: it took longer than {MATCH_SECONDS} s on a text of "
            f"{len(text)} characters",
            next_step="write it without a repetition inside a repetition, such as (a+)+, and start a new run",
        ) from None
    if not dropped and limits.benchmarks and await _holds_benchmark(case, text, limits.benchmarks):
        dropped = "benchmarks"
    if not dropped and limits.perplexity is not None and await _is_surprising(case, text, limits.perplexity):
        dropped = "perplexity"
    return f"{side}_{dropped}" if dropped else ""


def check_filters(config: Config, recipe: str, *, marks_spans: bool) -> None:
    """Check that the filters of a configuration can be applied to what a recipe makes.

    Args:
        marks_spans: its candidates are spans of a text, and no texts themselves.

    Raises:
        ConfigError: a language is none that can be told, a benchmark cannot be read, or answers are filtered where
            there are none.
        EngineError: perplexity is limited, and the built-in model is not installed.
    """
    if marks_spans and config.filters.answer is not None:
        raise ConfigError(
            f"{config.place_of('filters', 'answer')}: recipe {recipe!r} marks spans, and has no answers to filter",
            next_step="filter its texts by [filters.request]",
        )
    for side in SIDES:
        limits: TextFilters | None = getattr(config.filters, side)
        if limits is None:
            continue
        unknown = next((code for code in limits.languages if primary(code) is None), None)
        if unknown is not None:
            raise ConfigError(
                f"{config.place_of('filters', side, 'languages')}: no text can be told to be in {unknown!r}",
                next_step=f"name some of {', '.join(sorted(KNOWN))}",
            )
        for file in limits.benchmarks:
            try:
                _read_benchmark(file)
            except (OSError, UsageError) as error:
                raise ConfigError(
                    f"{config.place_of('filters', side, 'benchmarks')}: {file}: {_plainly(error)}",
                    next_step="name text files, JSON lines or CSV",
                ) from None
        if limits.perplexity is not None:
            _check_model()


def _plainly(error: OSError | UsageError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else error.cause


def _check_model() -> None:
    from importlib.util import find_spec

    from solon.agents.models.local import INSTALL
    from solon.agents.models.weights import builtin_model

    builtin_model()
    if find_spec("xllamacpp") is None:
        raise EngineError("perplexity is measured by the built-in model", next_step=f"run `{INSTALL}`")


def _length(limits: TextFilters, text: str) -> bool:
    words, chars = len(find_words(text)), len(text)
    too_short = words < limits.min_words or chars < limits.min_chars
    too_long = any(
        most is not None and n > most for n, most in ((words, limits.max_words), (chars, limits.max_chars))
    )
    return too_short or too_long


def _language(limits: TextFilters, text: str) -> bool:
    read = find_language(text) if limits.languages else frozenset()
    return bool(read) and read.isdisjoint(filter(None, map(primary, limits.languages)))


_CHECKS: dict[str, Callable[[TextFilters, str], bool]] = {
    "length": _length,
    "language": _language,
    "keywords": lambda limits, text: bool(limits.keywords) and has_keyword(limits.keywords, text),
    "regex": lambda limits, text: bool(limits.regex) and has_pattern(limits.regex or "", text, any_case=True),
}


def _read_benchmark(name: str) -> Benchmark:
    """A benchmark, read once in a process as long as its file stays as it is. Errors are those of `Benchmark`."""
    file = Path(name).resolve()
    return _read_version(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read_version(file: Path, changed: int) -> Benchmark:
    return Benchmark(file)


async def _holds_benchmark(case: Case, text: str, files: tuple[str, ...]) -> bool:
    """Whether a text holds one of these benchmarks' texts. It is looked up once: an item that is made again gets the
    same."""

    def look() -> bool:
        return any(_read_benchmark(file).line_in(text) is not None for file in files)

    return bool(await case.keep_measured(f"benchmarks {_digest(text)}", look, given="|".join(files)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


async def _is_surprising(case: Case, text: str, most: float) -> bool:
    """Whether the perplexity of a text is above a limit. It is measured once: an item that is made again gets the
    same."""
    from solon.agents.models.local import LocalParams, local_server
    from solon.agents.models.weights import SHA256, builtin_model

    def measure() -> float | None:
        server = local_server(builtin_model(), LocalParams(context=2 * READ_TOKENS, slots=1))
        found = server.perplexity(text, READ_TOKENS)
        return None if found is None else round(found, 3)

    found = await case.keep_measured(f"perplexity {_digest(text)}", measure, given=SHA256)
    return found is not None and found > most
