"""The generator: drafts candidates, revises them by a critique, writes new instructions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from solon.agents import plugged
from solon.agents.calls import Ask
from solon.agents.case import Case
from solon.agents.drafts import Draft, problem_of
from solon.agents.echoes import ECHO, cut
from solon.agents.outputs import Finding, InstructionDraft
from solon.agents.tasks import given_input
from solon.law.documents import Principle
from solon.prompts.library import Rendered
from solon.store.records.principles import contrast_seat
from solon.store.runs.journal import Outcome


async def draft(
    case: Case, index: int = 0, *, round: int = 0, guidance: str = "", findings: str = ""
) -> Draft:
    """Draft number `index` of a round: models and functions, temperatures and personas take turns by it.

    Args:
        round: how often the item was redrafted before.
        guidance: what an expert asked for in this redraft; empty without.
        findings: what critics found on the candidates of the round before; empty in the first.
    """
    config = case.config.generator
    function = _function(case, index)
    if function:
        return await _written(case, function, "draft", index, round, guidance, findings)
    parts = {
        "constitution": case.principles,
        "persona": config.personas[index % len(config.personas)],
        "guidance": guidance,
        "findings": findings,
    }
    return await _write(case, "draft", index, round, _model(case, index), "generator.draft", parts)


async def write_instruction(
    case: Case, index: int = 0, *, round: int = 0, guidance: str = "", findings: str = ""
) -> Draft:
    """A new instruction with its response, related to the seed and unlike the case's examples; the arguments are
    those of `draft`. Functions are not shown the examples."""
    config = case.config.generator
    function = _function(case, index)
    if function:
        return await _written(case, function, "instruction", index, round, guidance, findings)
    model = _model(case, index)
    examples = {"examples": _spell_examples(case)} if case.examples else {}
    rendered = case.prompts["generator.pool" if examples else "generator.instruction"].render(
        case.mark,
        constitution=case.principles,
        persona=config.personas[index % len(config.personas)],
        prompt=case.prompt,
        input=case.input,
        guidance=guidance,
        findings=findings,
        **examples,
    )
    return await _write_task(case, "instruction", index, round, model, rendered)


async def evolve(
    case: Case,
    index: int = 0,
    *,
    operation: str,
    person: str = "",
    attributes: Mapping[str, str] | None = None,
    round: int = 0,
    guidance: str = "",
    findings: str = "",
) -> Draft:
    """A new instruction made out of the case's origin, with its response; what is not named here is as of `draft`.
    Functions are never asked.

    Args:
        operation: what the new instruction does, in words of ours.
        person: who asks it; empty: nobody in particular.
        attributes: name -> value that it shall have.
    """
    model = _model(case, index)
    rendered = case.prompts["generator.evolve"].render(
        case.mark,
        constitution=case.principles,
        operation=operation,
        prompt=case.origin.prompt,
        input=case.origin.input,
        person=person,
        attributes="\n".join(f"{name}: {value}" for name, value in (attributes or {}).items()),
        examples=_spell_examples(case),
        guidance=guidance,
        findings=findings,
    )
    return await _write_task(case, "evolve", index, round, model, rendered)


async def elicit(
    case: Case,
    index: int,
    *,
    before: str,
    ends: tuple[str, ...],
    temperature: float,
    max_tokens: int,
    round: int = 0,
) -> Draft:
    """What a model writes where a user's words would begin. Functions are never asked.

    Args:
        before: what it sees before them, which goes to it as it stands.
        ends: the texts before which they end.
        temperature: of the sampling.
        max_tokens: bound on what is written, in tokens.
    """
    model = _model(case, index)
    ask = Ask(
        role="generator",
        seat="elicit",
        model=model,
        prompt=Rendered("", before, "pre-query"),
        max_tokens=max_tokens,
        temperature=temperature,
        seed=case.draw("generator", "elicit", round, index),
        sample=index,
        round=round,
        ends=ends,
    )
    outcome = await case.caller.call(ask)
    return _finish(case, model, outcome, outcome.text.strip())


async def _write_task(case: Case, what: str, index: int, round: int, model: str, rendered: Rendered) -> Draft:
    ask = _ask(case, what, index, round, model, rendered, schema=InstructionDraft)
    outcome, parsed = await case.caller.parsed(ask)
    if not isinstance(parsed, InstructionDraft):
        return Draft("", outcome, case.caller.voter(model, outcome), problem=outcome.outcome)
    response = _finish(case, model, outcome, parsed.response.strip())
    return Draft(
        response.text,
        outcome,
        response.author,
        prompt=parsed.instruction.strip(),
        input=given_input(parsed.instruction, parsed.input),
        problem=response.problem or ("" if parsed.instruction.strip() else ECHO),
    )


async def revise(case: Case, index: int, *, round: int, answer: str, findings: str) -> Draft:
    """A better version of an answer, by what the critic found on it. The models take turns; functions are never
    asked."""
    model, field = _model(case, index, functions=False), "answer|draft"
    parts = {"constitution": case.principles, "answer": answer, "findings": findings}
    return await _write(case, "revise", index, round, model, "generator.revise", parts, field)


async def contrast(
    case: Case, index: int, principle: Principle, *, breaks: bool, round: int, guidance: str
) -> Draft:
    """An answer that follows a principle, or one that breaks it. Models take turns, both answers have the first
    temperature.

    Args:
        index: the answer's place among those of the round.
        guidance: what an expert asked for in this redraft; empty without.
    """
    seat, side = contrast_seat(principle.id, breaks=breaks), "breaks" if breaks else "follows"
    parts = {"principle": f"[{principle.id}] {principle.text}", "side": side, "guidance": guidance}
    return await _write(case, seat, 0, round, _model(case, index), "generator.contrast", parts)


async def edit(case: Case, index: int, *, round: int, answer: str, findings: str) -> Draft:
    """An answer in which only the words that a critic quoted are others: each passage is written anew by a call of its
    own, and put in its place by code.

    Args:
        index: the answer's place among those of the round; the models take turns by it.
        findings: the critic's findings as JSON, see `Critique.as_json`. Those that quote nothing of the answer, or
            words that another one quoted before, change nothing.
    """
    model = _model(case, index, functions=False)
    places = _places(answer, [Finding.model_validate(one) for one in json.loads(findings)])
    passages = await asyncio.gather(*(_rewrite(case, index, round, answer, found) for _, found in places))
    text, problem = answer, "" if any(one.ok for one in passages) else "unquoted"
    for (start, found), written in reversed([*zip(places, passages, strict=True)]):
        if written.ok:
            text = text[:start] + written.text + text[start + len(found.quote) :]
        elif problem:
            problem = written.problem
    last = passages[-1].outcome if passages else None
    return Draft(text, last, case.caller.voter(model, last), problem=problem)


async def _rewrite(case: Case, index: int, round: int, answer: str, found: Finding) -> Draft:
    """The words that stand in place of those that a finding quotes."""
    parts = {
        "constitution": case.principles,
        "answer": answer,
        "passage": found.quote,
        "finding": f"({found.severity}) [{found.principle or 'general'}] {found.suggestion}",
    }
    model = _model(case, index, functions=False)
    return await _write(case, "edit", index, round, model, "generator.edit", parts, "passage")


def _places(answer: str, findings: list[Finding]) -> list[tuple[int, Finding]]:
    """Where each finding's words begin in an answer, in the order of the text; none twice. White space around them is
    no part of them."""
    quoted = [one.model_copy(update={"quote": one.quote.strip()}) for one in findings if one.quote.strip()]
    places = sorted(
        ((answer.find(one.quote), one) for one in quoted if one.quote in answer), key=lambda p: p[0]
    )
    found: list[tuple[int, Finding]] = []
    for start, one in places:
        if not found or start >= found[-1][0] + len(found[-1][1].quote):
            found.append((start, one))
    return found


def _spell_examples(case: Case) -> str:
    tasks = ("\n".join(filter(None, (example.prompt, example.input))) for example in case.examples)
    return "\n\n".join(f"{number}. {task}" for number, task in enumerate(tasks, start=1))


def _function(case: Case, index: int) -> str:
    """The function whose turn it is; empty where it is a model's."""
    config = case.config.generator
    turn = index % (len(config.models) + len(config.python)) - len(config.models)
    return config.python[turn] if turn >= 0 else ""


def _model(case: Case, index: int, *, functions: bool = True) -> str:
    """The model whose turn it is, where functions have turns, too, and where they have none."""
    config = case.config.generator
    return config.models[index % (len(config.models) + (len(config.python) if functions else 0))]


async def _write(
    case: Case,
    seat: str,
    index: int,
    round: int,
    model: str,
    template: str,
    parts: Mapping[str, str],
    field: str = "",
) -> Draft:
    """What a model writes about the case's request, by a template with these parts besides it."""
    rendered = case.prompts[template].render(case.mark, prompt=case.prompt, input=case.input, **parts)
    outcome = await case.caller.call(_ask(case, seat, index, round, model, rendered))
    return _finish(case, model, outcome, cut(outcome.text, rendered, field=field))


async def _written(
    case: Case, function: str, what: str, index: int, round: int, guidance: str, findings: str
) -> Draft:
    outcome, fields, plugin = await plugged.write(
        case, function, what=what, index=index, round=round, guidance=guidance, findings=findings
    )
    if fields is None:
        return Draft("", outcome, plugin.identity, problem=outcome.outcome)
    text, prompt = fields["response"].strip(), fields.get("instruction", "").strip()
    input = given_input(prompt, fields.get("input", ""))
    return Draft(text, outcome, plugin.identity, prompt, input, problem="" if text else "empty")


def _ask(
    case: Case,
    what: str,
    index: int,
    round: int,
    model: str,
    rendered: Rendered,
    schema: type[InstructionDraft] | None = None,
) -> Ask:
    config = case.config.generator
    return Ask(
        role="generator",
        seat=what,
        model=model,
        prompt=rendered,
        max_tokens=config.max_tokens or case.config.models[model].max_tokens,
        temperature=config.temperatures[index % len(config.temperatures)],
        seed=case.draw("generator", what, round, index),
        sample=index,
        round=round,
        schema=schema,
    )


def _finish(case: Case, model: str, outcome: Outcome, text: str) -> Draft:
    return Draft(text, outcome, case.caller.voter(model, outcome), problem=problem_of(outcome, text))
