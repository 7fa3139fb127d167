"""A part of one's own that raises, or gives what it may not, is told by the name of its method, and costs its own item
only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.agents.judge import Verdict
from solon.errors import ConfigError, PartFailed
from solon.recipes import Accept, Answer, Choice, Pair, Recipe
from solon.recipes.label import LABEL

GIVEN = {"prompt": "Explain one thing.", "responses": [{"text": "One."}, {"text": "Two."}]}
STEPS = ("draft", "critique", "judge", "review")


def raising(*_: Any, **__: Any) -> Any:
    raise ValueError("no luck today")


@dataclass(frozen=True)
class Raises(Answer):
    """One method of it is replaced by one that raises, or gives what it may not."""

    def given(self, case: Any, responses: Any) -> Any:
        return raising()


@dataclass(frozen=True)
class NoResponses(Answer):
    def given(self, case: Any, responses: Any) -> Any:
        return ["one", "two"]


@dataclass(frozen=True)
class Refuses(Answer):
    def refuse(self, case: Any, draft: Any) -> Any:
        return raising()


@dataclass(frozen=True)
class RefusesByNumber(Answer):
    def refuse(self, case: Any, draft: Any) -> Any:
        return 7


@dataclass(frozen=True)
class Notices(Answer):
    def notice(self, case: Any, answer: str, *, own_task: bool) -> Any:
        return raising()


@dataclass(frozen=True)
class NoticesWords(Answer):
    def notice(self, case: Any, answer: str, *, own_task: bool) -> Any:
        return ["bad"]


@dataclass(frozen=True)
class Asks(Pair):
    async def ask(self, case: Any, answers: Any, **about: Any) -> Any:
        return raising()


@dataclass(frozen=True)
class AsksForWords(Pair):
    async def ask(self, case: Any, answers: Any, **about: Any) -> Any:
        return ["A"]


@dataclass(frozen=True)
class AsksForOther(Pair):
    async def ask(self, case: Any, answers: Any, **about: Any) -> Any:
        return [Verdict(judge="me", seat="1", outcome="C")]


def made(*, maker: Any = None, question: Any = None) -> Recipe:
    return Recipe(
        "mine", record="preference", maker=maker or Answer(), question=question or Pair(), steps=STEPS
    )


PARKED: list[tuple[Recipe, Any, str]] = [
    (made(maker=Raises()), GIVEN, "Raises.given raised ValueError: no luck today"),
    (made(maker=NoResponses()), GIVEN, "NoResponses.given gave what is no response"),
    (made(maker=Refuses()), "Explain.", "Refuses.refuse raised ValueError"),
    (made(maker=RefusesByNumber()), "Explain.", "RefusesByNumber.refuse gave int, no text"),
    (made(maker=Notices()), GIVEN, "Notices.notice raised ValueError"),
    (made(maker=NoticesWords()), GIVEN, "NoticesWords.notice gave what is no Finding"),
    (made(question=Asks()), GIVEN, "Asks.ask raised ValueError"),
    (made(question=AsksForWords()), GIVEN, "AsksForWords.ask gave str, no Verdict"),
    (made(question=AsksForOther()), GIVEN, "AsksForOther.ask gave the outcome 'C'"),
]


def project_of(folder: Path, recipe: Recipe, **sections: Any) -> Project:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "always"},
        **sections,
    }
    return Project(f"sqlite:///{folder}/own.db", config=config, recipes=[recipe])


@pytest.mark.parametrize(("recipe", "seed", "told"), PARKED, ids=[told.split()[0] for _, _, told in PARKED])
def test_a_method_that_fails_is_named_and_its_item_kept(
    folder: Path, recipe: Recipe, seed: Any, told: str
) -> None:
    with project_of(folder, recipe) as project:
        run_id = project.run("mine", [seed]).run_id
        (item,) = project.items(run_id=run_id)
        assert item.state == "parked"
        assert f"part: {__name__}:{told}" in str(item.reason)
        assert f"solon resume {run_id} --adopt-recipe" in str(item.reason)


def test_words_that_may_be_a_seeds_are_left_out(folder: Path) -> None:
    guarded = {"privacy": {"class": "deidentified"}}
    with project_of(folder, made(maker=Raises()), **guarded) as project:
        (item,) = project.items(run_id=project.run("mine", [GIVEN]).run_id)
        assert "Raises.given raised ValueError;" in str(item.reason)


@dataclass(frozen=True)
class NoSchema(Accept):
    def schema(self, config: Any) -> Any:
        return None


@dataclass(frozen=True)
class BrokenSchema(Accept):
    def schema(self, config: Any) -> Any:
        return raising()


class _Odd(Choice):
    """Labels that only its schema knows."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        object.__setattr__(self, "names", names)

    def schema(self, config: Any) -> str:
        return "label@1:" + "|".join(self.names)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["only"], "two different outcomes"),
        (["same", "same"], "two different outcomes"),
        (["late", "Late"], "'late' and 'Late' differ only in case or blanks"),
        (["too late", "too_late"], "'too late' and 'too_late' differ only in case or blanks"),
    ],
)
def test_configured_labels_that_leave_no_choice_are_refused(
    folder: Path, labels: list[str], told: str
) -> None:
    with project_of(folder, made(), label={"labels": labels}) as project:
        with pytest.raises(ConfigError, match=told):
            project.run("label", ["A text."])
        assert not project.runs()


def test_more_labels_than_anybody_can_choose_from_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there are 10000 labels"):
        project_of(folder, made(), label={"labels": [f"l{n}" for n in range(10_000)]})


@pytest.mark.parametrize(
    ("recipe", "kind", "told"),
    [
        (
            replace(made(), record="instruction", question=NoSchema()),
            PartFailed,
            "NoSchema.schema gave NoneType",
        ),
        (
            replace(made(), record="instruction", question=BrokenSchema()),
            PartFailed,
            "BrokenSchema.schema raised",
        ),
        (replace(LABEL, name="mine", question=_Odd("only")), ConfigError, "two different outcomes"),
        (replace(LABEL, name="mine", question=_Odd("same", "same")), ConfigError, "two different outcomes"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_before_anything_is_stored(
    folder: Path, recipe: Recipe, kind: type[Exception], told: str
) -> None:
    with project_of(folder, recipe) as project:
        with pytest.raises(kind, match=told):
            project.run("mine", ["A text."])
        assert not project.runs()
