"""Traces of applications as seeds: what was asked of a model, what it answered, and people's thumbs as votes.

Spans, and what is said of them, may stand on any lines of a file; they are put together first. A call of a model is a
seed. A thumb on a step around it, or on a whole trace, belongs to the call whose answer that step gives, or else to
that step's own request and answer. Touches no file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from solon.formats.imported import Imported, ImportFormat, Lines, Pieces, Row, Skipped
from solon.formats.outcomes import yes_or_no
from solon.formats.paths import is_absent
from solon.formats.seed_files import BadRow, excerpt_of
from solon.formats.seed_rows import RowProblem
from solon.formats.trace_layouts import (
    SCHEMA,
    Found,
    Score,
    Span,
    is_langfuse,
    is_langsmith,
    is_otel,
    read_langfuse,
    read_langsmith,
    read_otel,
)
from solon.formats.trace_turns import read_call, words_of

UNNAMED = "unnamed"
"""The voter of all thumbs of which the file does not say who gave them: together they weigh as one."""
THUMBS = (
    "thumb", "thumbs", "thumbs_up", "like", "feedback", "user_feedback", "user_score", "user_thumb", "user_thumbs",
    "verdict", "decision",
)  # fmt: skip
"""Names of scores that are thumbs, where `[import] thumbs` names none."""
NOTES = re.compile(r"\w+_left_out|no_model_call|further_choice|newer_schema_.*|without_.+")
"""What is told of spans and of rows, and is no answer of anybody that was not taken."""
Layout = Callable[[int, Row], Found]


def trace_formats(thumbs: Sequence[str] = ()) -> dict[str, ImportFormat]:
    """Return the formats of traces by name; scores with these names are thumbs."""
    names = frozenset(map(_fold, thumbs or THUMBS))
    return {
        name: ImportFormat(name, about, partial(read_span, names), fits, gather=partial(gather_spans, layout))
        for name, about, fits, layout in (
            ("otel", "traces of OpenTelemetry (OTLP JSON; GenAI or OpenInference)", is_otel, read_otel),
            ("langfuse", "observations, traces and scores of Langfuse", is_langfuse, read_langfuse),
            ("langsmith", "runs and feedback of LangSmith", is_langsmith, read_langsmith),
        )
    }


def read_span(thumbs: frozenset[str], row: Row) -> Pieces:
    """Yield the seed of a span that `gather_spans` put together, and what of it was left out.

    Raises:
        RowProblem: it has no request, no answer in words, or a turn that cannot be read.
    """
    span = row.get("span")
    if not isinstance(span, Span):
        raise RowProblem("it is no span of a trace")
    if span.passed_over:
        yield Skipped("no_model_call")
        return
    if span.call is None:
        raise RowProblem(span.problem)
    call = span.call
    if span.newer:
        yield Skipped(f"newer_schema_{span.newer}")
    yield from (Skipped(f"{medium}_left_out") for medium in call.left_out.elements())
    yield from (Skipped("further_choice") for _ in call.further)
    votes, passed_over = _votes(span.scores, thumbs)
    yield from passed_over
    answer = {"text": call.answer, **({"model": span.model} if span.model else {})}
    metadata = {
        "span": {"trace": span.trace, "parent": span.parent, "begun": span.begun, **span.facts},
        "trace": span.root.facts if span.root else {},
        "scores": [dict(score.facts) for score in span.scores if score.facts],
        "left_out": dict(call.left_out),
        "further_choices": call.further,
        "aside": call.aside,
    }
    seed = {"id": span.key, "messages": call.messages, "responses": [answer], "verdicts": votes}
    yield Imported(
        "single", seed, {name: _plain(part) for name, part in metadata.items() if not is_absent(part)}
    )


def _plain(value: Any) -> Any:
    """A value of metadata without what says nothing."""
    return {k: v for k, v in value.items() if not is_absent(v)} if isinstance(value, dict) else value


def _votes(scores: Sequence[Score], thumbs: frozenset[str]) -> tuple[list[dict[str, Any]], list[Skipped]]:
    """The thumbs as verdicts of their raters, and what is none. Of a rater's thumbs of one name the last counts."""
    named: dict[tuple[str, str], dict[str, Any]] = {}
    unnamed: list[dict[str, Any]] = []
    passed_over = []
    for score in scores:
        try:
            if _fold(score.name) not in thumbs:
                raise RowProblem("another score")
            said = "accept" if yes_or_no(score.value, score.name) else "reject"
        except RowProblem:
            passed_over.append(Skipped("score_that_is_no_thumb"))
            continue
        vote = {"judge": score.by or UNNAMED, "seat": score.name, "verdict": said}
        if not score.by:
            unnamed.append({**vote, "sample": sum(one["seat"] == score.name for one in unnamed)})
        elif named.pop((score.by, score.name), None):
            passed_over.append(Skipped("thumb_given_again"))
        if score.by:
            named[score.by, score.name] = vote
    return [*named.values(), *unnamed], passed_over


def _fold(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def gather_spans(layout: Layout, lines: Lines) -> Lines:
    """Yield a row `{"span": Span}` for each span of a file with its scores, and a `BadRow` for each line that cannot
    be read, each span that stands there twice, and each score of something that does not stand there.
    """
    spans: dict[str, Span] = {}
    told: dict[str, Span | Score] = {}
    for raw in lines:
        if isinstance(raw, BadRow):
            yield raw
            continue
        line, row = raw
        again: set[str] = set()  # what a span says that stands twice is not said twice
        try:
            for one in list(layout(line, row)):
                whole = isinstance(one, Span) and not one.partial
                known = _keep(one, spans) if whole else None if one.key in again else _keep(one, told)
                if known is not None:
                    again.add(one.key)
                    what = "span" if whole else "score" if isinstance(one, Score) else "event"
                    yield BadRow(line, f"the {what} stands in the file already (line {known.line})", str(one))
        except RowProblem as problem:
            yield BadRow(line, str(problem), excerpt_of(str(row)[:400]))
    scores = [one for one in told.values() if isinstance(one, Score)]
    parts = [one for one in told.values() if isinstance(one, Span)]
    for part in parts:
        _join(spans, part)
    for span in spans.values():
        _read(span)
    yield from _attach(spans, scores)
    yield from ((span.line, {"span": span}) for span in spans.values())


def _keep(one: Span | Score, kept: dict[str, Any]) -> Any:
    """Keep what a file says under its identity; what stands there already is returned."""
    first = kept.setdefault(one.identity, one)
    return None if first is one else first


def _join(spans: dict[str, Span], part: Span) -> None:
    """Add what an event says to its span; an event whose span is missing stands for it."""
    span = spans.setdefault(part.key, part)
    if span is part:
        return
    for name, said in part.said.items():
        span.said.setdefault(name, []).extend(said)
    span.called, span.model, span.response = True, span.model or part.model, span.response or part.response
    if span.partial:
        span.facts = {**part.facts, **span.facts}


def _read(span: Span) -> None:
    """Read the turns of a span, or note why they cannot be read."""
    parts = {name: getattr(span, name) for name in ("asked", "answered", "system")}
    parts = {name: span.said.get(name) if is_absent(value) else value for name, value in parts.items()}
    try:
        span.call = read_call(**parts)
    except RowProblem as problem:
        known = ".".join(map(str, SCHEMA))
        newer = (
            f"; it states schema {span.newer}, and this Solon knows those up to {known}" if span.newer else ""
        )
        span.problem = f"{problem}{newer}"
    except RecursionError:
        span.problem = "its messages are nested too deep"
    span.asked = span.answered = span.system = None
    span.said = {}


def _attach(spans: dict[str, Span], scores: Sequence[Score]) -> Iterator[BadRow]:
    """Give each score to the answer that it is about, and tell which spans are no seeds."""
    traces: dict[str, list[Span]] = defaultdict(list)
    for span in sorted(spans.values(), key=lambda span: span.begun):
        traces[span.trace].append(span)
    answered = {span.response: span for span in spans.values() if span.response}
    single = {(score.key, score.name) for score in scores if not score.place}
    rated = set()
    for score in scores:
        if score.place and (score.key, score.name) in single:
            continue  # each stands by itself, and the number of them stays with the span
        target = answered.get(score.response) or spans.get(score.key)
        named = "response" if score.response else "span" if score.key not in ("", score.trace) else "trace"
        if target is None and named == "trace":
            target = spans.get(score.trace)
        trace = target.trace if target else score.trace
        known = [one for one in traces.get(trace, ()) if trace and one.called and one.call]
        found = _rated(target, known, spans) if target or named == "trace" else None
        if found and score.response and found.response not in ("", score.response):
            found = None  # the span names another answer
        if found is None:
            yield BadRow(score.line, f"the {named} that a score names has no answer in the file", str(score))
        else:
            found.scores.append(score)
            rated.add(found.key)
    for steps in traces.values():
        roots = [span for span in steps if span.parent not in spans]
        root = roots[0] if len(roots) == 1 else None
        calls = any(span.called for span in steps)
        for span in steps:
            span.root = root if root is not span else None
            span.passed_over = not (span.called or span.key in rated or (span is root and not calls))


def _rated(target: Span | None, calls: Sequence[Span], spans: dict[str, Span]) -> Span | None:
    """The span whose answer a score is about: the target, or the last call within it that gives the same answer; of a
    target without an answer the last call within it.
    """
    if target is not None and target.called:
        return target
    within = [span for span in calls if target is None or _is_within(span, target, spans)]
    if target is not None and target.call is not None:
        answer = words_of(target.call.answer)
        return next(
            (span for span in reversed(within) if span.call and words_of(span.call.answer) == answer), target
        )
    return within[-1] if within else None


def _is_within(span: Span, outer: Span, spans: dict[str, Span]) -> bool:
    if outer.parent not in spans:
        return True
    seen = set()
    while span.key not in seen:
        seen.add(span.key)
        if span.parent == outer.key:
            return True
        span = spans.get(span.parent, span)
    return False
