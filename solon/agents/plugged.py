"""Functions in the place of models: asked through the same journal, kept to the same contracts as the agents.

A function that raises, takes too long or answers outside its contract has that as its outcome: an abstention by name
for judges and critics, an unusable draft for generators, never a score.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solon.plugins import (
    BadAnswer,
    Opinion,
    Plugin,
    read_draft,
    read_findings,
    read_opinion,
    read_rule,
    to_json,
)
from solon.store.database.storable import storable
from solon.store.runs.journal import CallKey, Outcome

if TYPE_CHECKING:
    from solon.agents.case import Case

ABSTAINED = "abstained"


@dataclass(frozen=True, slots=True)
class _Place:
    seat: str
    sample: int
    round: int


async def _consult(
    case: Case,
    plugin: Plugin,
    place: _Place,
    values: Mapping[str, Any],
    read: Callable[[Any], Any],
) -> tuple[Outcome, Any]:
    """The outcome, from the journal where there is one, and what `read` makes of its answer (None if not ok)."""
    caller = case.caller
    asked = {name: values[name] for name in plugin.wanted if name in values}
    key = CallKey(
        role=plugin.role,
        seat=place.seat,
        sample=place.sample,
        round=place.round,
        model=plugin.identity,
        parameters={},
        template="python",
        prompt=json.dumps(asked, ensure_ascii=False, sort_keys=True),
        schema="",
    )
    outcome = caller.journal.find(key)
    if outcome is not None:
        caller.meter.count_reused(outcome)
    else:
        await caller.admit()
        try:
            outcome = await _call(plugin, caller.journal.call_id(key), values, read)
            caller.meter.count(outcome)
            caller.journal.write(key, outcome)
        finally:
            caller.release()
    return outcome, read(json.loads(outcome.text)) if outcome.ok else None


async def _call(
    plugin: Plugin, call_id: str, values: Mapping[str, Any], read: Callable[[Any], Any]
) -> Outcome:
    begun, text, kind, problem = time.monotonic(), "", "ok", ""
    try:
        text = storable(to_json(await plugin.answer(values)))
        read(json.loads(text))
    except BadAnswer as error:
        kind, problem = "bad_output", str(error)
    except TimeoutError:
        kind, problem = "timeout", f"no answer within {plugin.timeout:g} seconds"
    except Exception as error:  # foreign code may raise anything, and must not take the item with it
        kind, problem = "raised", f"{type(error).__name__}: {error}"
    # No model was called: `attempts` 0 keeps it out of the numbers of calls.
    return Outcome(
        call_id,
        text if kind == "ok" else "",
        outcome=kind,
        error=problem[:500],
        input_tokens=0,
        output_tokens=0,
        attempts=0,
        seconds=time.monotonic() - begun,
        cost=0.0,
    )


def _common(case: Case) -> dict[str, Any]:
    return {
        "prompt": case.prompt,
        "input": case.input,
        "reference": case.reference,
        "principles": case.constitution.ids(),
        "criteria": case.criteria.ids(),
        "rubric": case.criteria.as_prompt(),
    }


async def judge_pair(
    case: Case, reference: str, first: str, second: str, *, seat: str, sample: int, round: int
) -> tuple[Outcome, Opinion | None, Plugin]:
    """The opinion of a function that judges, on a pair as it was shown to it: A is `first`. None where it gave
    no usable answer."""
    plugin = case.caller.pool.plugin(reference)
    values = {**_common(case), "a": first, "b": second}
    outcome, opinion = await _consult(
        case, plugin, _Place(seat, sample, round), values, lambda value: read_opinion(value, ("A", "B"))
    )
    return outcome, opinion, plugin


async def judge_single(
    case: Case, reference: str, answer: str, *, seat: str, sample: int, round: int
) -> tuple[Outcome, Opinion | None, Plugin]:
    """The opinion of a function that judges, on one candidate. None where it gave no usable answer."""
    plugin = case.caller.pool.plugin(reference)
    values = {**_common(case), "answer": answer}
    criteria = tuple(case.criteria.ids())
    outcome, opinion = await _consult(
        case,
        plugin,
        _Place(seat, sample, round),
        values,
        lambda value: read_opinion(value, ("accept", "reject"), criteria),
    )
    return outcome, opinion, plugin


async def judge_label(
    case: Case, reference: str, text: str, labels: Sequence[str], *, seat: str, sample: int, round: int
) -> tuple[Outcome, Opinion | None, Plugin]:
    """The label that a function gives a text. None where it gave no usable answer."""
    plugin = case.caller.pool.plugin(reference)
    values = {**_common(case), "answer": text, "labels": list(labels)}
    outcome, opinion = await _consult(
        case, plugin, _Place(seat, sample, round), values, lambda value: read_opinion(value, labels)
    )
    return outcome, opinion, plugin


async def apply_rule(
    case: Case,
    reference: str,
    text: str,
    outcomes: Sequence[str],
    label: str,
    *,
    seat: str,
    round: int,
    ordinal: int,
) -> tuple[Outcome, Opinion | None, Plugin]:
    """The opinion of a function that is a rule. None where it does not match, or gave no usable answer.

    Args:
        label: what `True` stands for; empty where the function names an outcome itself.
    """
    plugin = case.caller.pool.plugin(reference)
    values = {**_common(case), "answer": text, "labels": list(outcomes)}
    place = _Place(f"{seat}/{ordinal}", 0, round)
    outcome, opinion = await _consult(
        case, plugin, place, values, lambda value: read_rule(value, label, outcomes)
    )
    return outcome, opinion, plugin


async def criticise(
    case: Case, reference: str, answer: str, *, ordinal: int, round: int
) -> tuple[Outcome, list[dict[str, str]] | None]:
    """The findings of a function that criticises, on one answer. None where it gave no usable answer."""
    plugin = case.caller.pool.plugin(reference)
    values = {**_common(case), "answer": answer}
    return await _consult(case, plugin, _Place("critic", ordinal, round), values, read_findings)


async def write(
    case: Case,
    reference: str,
    *,
    what: str,
    index: int,
    round: int,
    guidance: str,
    findings: str,
) -> tuple[Outcome, dict[str, str] | None, Plugin]:
    """The draft of a function that generates.

    Args:
        what: `draft`, or `instruction` where it writes the request too.
        index: which draft of the round this is, from 0.

    Returns:
        The outcome; the draft's `response` (with `instruction` and `input`), None where there is none; the function.
    """
    plugin = case.caller.pool.plugin(reference)
    values = {
        **_common(case),
        "guidance": guidance,
        "findings": findings,
        "seed": case.draw("generator", what, round, index),
        "index": index,
    }
    outcome, fields = await _consult(
        case,
        plugin,
        _Place(what, index, round),
        values,
        lambda value: read_draft(value, with_instruction=what == "instruction"),
    )
    return outcome, fields, plugin
