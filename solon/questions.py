"""What a review asks, as the store knows it: which outcomes its answers have, and what each means for what is shown.

A question is known by the response schema of its review (see `solon.responses`), so that a stored answer can be read
wherever it is met. How judges are asked it stands in `solon.recipes.questions`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from solon.errors import ConfigError
from solon.responses import CURATED, DIALOGUE, choices_of, is_label, kinds_of, ranked_by

LABELLED = "label"
"""The kind of records that carry a label."""
MARKED = "spans"
"""The kind of records that carry spans of a text."""
CONVERSED = "dialogue"
"""The kind of records whose text is a dialogue."""
STANDS, CHANGED = "stands", "changed"
TIE = "tie"
NEITHER = "neither"
"""What an answer says that names no outcome: both are bad, the text is edited, or a new draft is wanted."""


@dataclass(frozen=True, slots=True)
class Question(ABC):
    """A question about the candidates shown.

    Attributes:
        outcomes: the closed set of what panel and people may say, at least two.
        shown: how many candidates it is about.
        kind: what a record is called that an outcome of it led to.
        soft: records carry the panel's probability of what they say, beside the confidence.
        detailed: an answer says more than its outcome, so that none can be made of an outcome alone.
        compares: the candidates are set against each other, so that an outcome is for one of them.
        proposes: whoever answers sees what critics found in the candidate, and a revision that may take its place.
            Their answer is no blind evidence.
    """

    outcomes: tuple[str, ...]
    shown: int
    kind: str
    soft: bool
    detailed: bool = field(default=False, kw_only=True)
    compares: bool = field(default=False, kw_only=True)
    proposes: bool = field(default=False, kw_only=True)

    @abstractmethod
    def outcome_of(self, choice: str, candidate_id: str | None, shown: Sequence[str]) -> str | None:
        """An answer as one of the outcomes, `tie` or `neither`; None where it cannot be read, which says nothing.

        Args:
            choice: what was chosen.
            candidate_id: the candidate that the choice is about; None where it names none.
            shown: ids of the candidates, in the order shown.
        """

    @abstractmethod
    def answer(self, outcome: str, shown: Sequence[str]) -> dict[str, Any]:
        """The answer of a person who holds this outcome: `choice`, and `candidate` where it names one."""

    @abstractmethod
    def chosen(self, outcome: str, shown: Sequence[str]) -> tuple[str | None, str | None]:
        """The candidate that an outcome chooses and the one that it rejects; None where there is none."""

    @abstractmethod
    def said_by(self, chosen_id: str | None, label: str | None, shown: Sequence[str]) -> str | None:
        """The outcome that a record stands for, by its chosen candidate or its label; None where it stands for none."""

    def held_against(self, shown: Sequence[str], severity: Mapping[str, float]) -> dict[str, float]:
        """What critics hold against each outcome, from 0 to 1; empty where nobody criticised all that is shown.

        Args:
            severity: candidate -> its worst finding.
        """
        return {}

    def gives_record(self, outcome: str) -> bool:
        """Whether an item with this outcome is accepted, so that a promise about records speaks of it."""
        return True

    def may_end(self, outcome: str) -> bool:
        """Whether a panel that is sure of this outcome ends the item; where not, a person is asked."""
        return True

    def rewrites(self, choice: str) -> bool:
        """Whether an answer with this choice brings a text that takes the place of the candidate it is about."""
        return choice == "edit"

    def rewritten(self, candidate_id: str) -> tuple[str | None, str]:
        """What a record with such a text rejects, and what it is called.

        Args:
            candidate_id: the candidate that the answer was about.
        """
        return candidate_id, "edit"

    def favours(self, outcome: str | None) -> float | None:
        """How far an answer is for the first outcome, from 0 to 1; None where there are more than two, or it says
        nothing of them."""
        if len(self.outcomes) != 2:
            return None
        return {self.outcomes[0]: 1.0, self.outcomes[1]: 0.0, TIE: 0.5}.get(outcome or "")

    def fits(self, shown: Sequence[object]) -> bool:
        """Whether it can be asked about so many candidates."""
        return len(shown) == self.shown

    def is_outcome(self, outcome: str | None) -> bool:
        """Whether an answer chose an outcome, so that it can agree with another."""
        return outcome in self.outcomes


@dataclass(frozen=True, slots=True)
class PairQuestion(Question):
    """Which of two candidates is better: each outcome stands for the candidate in its place."""

    outcomes: tuple[str, ...] = ("A", "B")
    shown: int = 2
    kind: str = "prefer"
    soft: bool = True
    compares: bool = field(default=True, kw_only=True)

    def outcome_of(self, choice: str, candidate_id: str | None, shown: Sequence[str]) -> str | None:
        """The side preferred, `tie`, or `neither`."""
        if choice == "prefer":
            return self.side(candidate_id, shown)
        return {TIE: TIE, "edit": NEITHER, "redraft": NEITHER, "both_bad": NEITHER}.get(choice)

    def side(self, candidate_id: str | None, shown: Sequence[str]) -> str | None:
        """The outcome that stands for a candidate; None where it is not among those shown."""
        return dict(zip(shown, self.outcomes, strict=False)).get(candidate_id or "")

    def place(self, outcome: str | None) -> int | None:
        """The place of the candidate that an outcome stands for, from 0; None where it stands for none."""
        return self.outcomes.index(outcome) if outcome in self.outcomes else None

    def other(self, outcome: str) -> str:
        """The outcome as it is called where the two are shown the other way round."""
        place = self.place(outcome)
        return outcome if place is None else self.outcomes[1 - place]

    def answer(self, outcome: str, shown: Sequence[str]) -> dict[str, Any]:
        """The preference for the candidate that the outcome stands for."""
        place = self.place(outcome)
        return {"choice": outcome} if place is None else {"choice": "prefer", "candidate": shown[place]}

    def chosen(self, outcome: str, shown: Sequence[str]) -> tuple[str | None, str | None]:
        """The preferred candidate and the other one; of a tie none."""
        place = self.place(outcome)
        return (None, None) if place is None else (shown[place], shown[1 - place])

    def said_by(self, chosen_id: str | None, label: str | None, shown: Sequence[str]) -> str | None:
        """The side that the record chose."""
        return self.side(chosen_id, shown)

    def held_against(self, shown: Sequence[str], severity: Mapping[str, float]) -> dict[str, float]:
        """The worst finding on each side; empty where one of the two met no critic."""
        if not shown or any(candidate not in severity for candidate in shown):
            return {}
        return {side: severity[name] for side, name in zip(self.outcomes, shown, strict=True)}


@dataclass(frozen=True, slots=True)
class RankingQuestion(PairQuestion):
    """In which order several candidates are to be put. An outcome stands for the one that is best by the first question
    asked; the order itself stands in the answer, see `solon.store.reviewing.rankings`.

    Attributes:
        by: the names of the questions by each of which they are ranked; an empty one where there is one without a name.
    """

    soft: bool = False
    by: tuple[str, ...] = ("",)
    detailed: bool = field(default=True, kw_only=True)

    def outcome_of(self, choice: str, candidate_id: str | None, shown: Sequence[str]) -> str | None:
        """The place of the best one, `tie` where several are, or `neither`."""
        if choice == "rank":
            return self.side(candidate_id, shown) if candidate_id else TIE
        return NEITHER if choice in ("write", "all_bad") else None

    def answer(self, outcome: str, shown: Sequence[str]) -> dict[str, Any]:
        """The choice `rank`, and the best candidate; the rest of the ranking is whoever's answer it is taken from."""
        place = self.place(outcome)
        return {"choice": "rank", "candidate": None if place is None else shown[place]}

    def chosen(self, outcome: str, shown: Sequence[str]) -> tuple[str | None, str | None]:
        """The best one; what it is better than stands in the ranking."""
        place = self.place(outcome)
        return (None if place is None else shown[place]), None

    def rewrites(self, choice: str) -> bool:
        """Where the answer was written by the person."""
        return choice == "write"


@dataclass(frozen=True, slots=True)
class AcceptQuestion(Question):
    """Whether one candidate will do."""

    outcomes: tuple[str, ...] = ("accept", "reject")
    shown: int = 1
    kind: str = "accept"
    soft: bool = False

    def outcome_of(self, choice: str, candidate_id: str | None, shown: Sequence[str]) -> str | None:
        """`accept`, `reject`, or `neither` of an edit or a redraft."""
        if choice in ("edit", "redraft"):
            return NEITHER
        return choice if choice in self.outcomes else None

    def answer(self, outcome: str, shown: Sequence[str]) -> dict[str, Any]:
        """The outcome itself, about the candidate."""
        return {"choice": outcome, "candidate": shown[0]}

    def chosen(self, outcome: str, shown: Sequence[str]) -> tuple[str | None, str | None]:
        """The candidate as the one chosen, or as the one rejected."""
        return (shown[0], None) if self.gives_record(outcome) else (None, shown[0])

    def said_by(self, chosen_id: str | None, label: str | None, shown: Sequence[str]) -> str | None:
        """`accept`, since of what was rejected there is no record."""
        return None if chosen_id is None else self.outcomes[0]

    def held_against(self, shown: Sequence[str], severity: Mapping[str, float]) -> dict[str, float]:
        """The worst finding on the candidate, against accepting it; empty where it met no critic."""
        if not shown or shown[0] not in severity:
            return {}
        return {self.outcomes[0]: severity[shown[0]], self.outcomes[1]: 0.0}

    def gives_record(self, outcome: str) -> bool:
        """Not where it is rejected."""
        return outcome == self.outcomes[0]


@dataclass(frozen=True, slots=True)
class DialogueQuestion(AcceptQuestion):
    """Whether a dialogue will do."""

    kind: str = CONVERSED

    def rewritten(self, candidate_id: str) -> tuple[str | None, str]:
        """Nothing: what was changed in a dialogue may stand in any of its turns, which is no pair of answers."""
        return None, self.kind


@dataclass(frozen=True, slots=True)
class LabelQuestion(Question):
    """Which label of a closed set the text shown gets: each label is an outcome."""

    outcomes: tuple[str, ...]
    shown: int = 1
    kind: str = LABELLED
    soft: bool = True

    def outcome_of(self, choice: str, candidate_id: str | None, shown: Sequence[str]) -> str | None:
        """The label itself."""
        return choice if choice in self.outcomes else None

    def answer(self, outcome: str, shown: Sequence[str]) -> dict[str, Any]:
        """The label, about the text."""
        return {"choice": outcome, "candidate": shown[0]}

    def chosen(self, outcome: str, shown: Sequence[str]) -> tuple[str | None, str | None]:
        """The text, whatever its label."""
        return shown[0], None

    def said_by(self, chosen_id: str | None, label: str | None, shown: Sequence[str]) -> str | None:
        """The label of the record."""
        return label


@dataclass(frozen=True, slots=True)
class SpansQuestion(Question):
    """Whether the spans proposed of a text stand as they are; where not, the answer brings those that should."""

    outcomes: tuple[str, ...] = (STANDS, CHANGED)
    shown: int = 1
    kind: str = MARKED
    soft: bool = False
    detailed: bool = field(default=True, kw_only=True)

    def outcome_of(self, choice: str, candidate_id: str | None, shown: Sequence[str]) -> str | None:
        """`stands` or `changed`."""
        return choice if choice in self.outcomes else None

    def answer(self, outcome: str, shown: Sequence[str]) -> dict[str, Any]:
        """The outcome, about the spans proposed."""
        return {"choice": outcome, "candidate": shown[0]}

    def chosen(self, outcome: str, shown: Sequence[str]) -> tuple[str | None, str | None]:
        """The spans proposed, where they stand."""
        return (shown[0], None) if outcome == STANDS else (None, shown[0])

    def said_by(self, chosen_id: str | None, label: str | None, shown: Sequence[str]) -> str | None:
        """`stands` where the record has the spans proposed, `changed` where it has others."""
        return None if chosen_id is None else STANDS if chosen_id in shown else CHANGED

    def gives_record(self, outcome: str) -> bool:
        """Only where they stand: of those that do not, a panel says not what they should be."""
        return outcome == STANDS

    def may_end(self, outcome: str) -> bool:
        """Only where they stand."""
        return outcome == STANDS

    def rewrites(self, choice: str) -> bool:
        """Where they are changed."""
        return choice == CHANGED

    def rewritten(self, candidate_id: str) -> tuple[str | None, str]:
        """Nothing: the record has other spans, which is no preference between two texts."""
        return None, self.kind


PLACES = tuple("ABCDEFGHI")
"""The outcomes of a ranking, as many as are ranked."""
PAIR, ACCEPT, SPANNED = PairQuestion(), AcceptQuestion(), SpansQuestion()
DIALOGUES = DialogueQuestion()
CURATES = AcceptQuestion(proposes=True)
UNKNOWN = LabelQuestion(())
"""Has no outcomes: nothing can be said of its answers."""
KNOWN: Mapping[str, Question] = {
    "pair@1": PAIR,
    "pair@1:given": PAIR,
    "single@1": ACCEPT,
    "single@1:given": ACCEPT,
    DIALOGUE: DIALOGUES,
    f"{DIALOGUE}:given": DIALOGUES,
    CURATED: CURATES,
    f"{CURATED}:given": CURATES,
}


def nearest(said: str, outcomes: Sequence[str]) -> str:
    """What to do about an outcome that is none, in words: the one that is meant, also where only case or blanks differ,
    or what there is."""
    alike = " ".join(said.split()).casefold()
    same = (one for one in outcomes if " ".join(one.split()).casefold() == alike)
    near = next(same, None) or next(iter(get_close_matches(said, outcomes, n=1)), None)
    return f"did you mean {near!r}?" if near else f"it must be one of {', '.join(outcomes[:20])}"


def check_told_apart(outcomes: Sequence[str]) -> None:
    """Check that no two outcomes look the same to whoever chooses.

    Raises:
        ConfigError: two of them differ only in case or blanks (`_` is shown as one).
    """
    seen: dict[str, str] = {}
    for outcome in outcomes:
        first = seen.setdefault(" ".join(outcome.replace("_", " ").split()).casefold(), outcome)
        if first != outcome:
            raise ConfigError(
                f"the labels {first!r} and {outcome!r} differ only in case or blanks",
                next_step="leave one of them out, or give it another name",
            )


def leaning(outcome: str | None) -> float | None:
    """How far a verdict on a pair or a single candidate is for the first outcome; None of a label."""
    return next((found for one in (PAIR, ACCEPT) if (found := one.favours(outcome)) is not None), None)


def question_of(schema: str) -> Question:
    """The question that reviews of a response schema ask; `UNKNOWN` where this process does not know the schema."""
    if kinds_of(schema):
        return SPANNED
    if ranked := ranked_by(schema):
        return RankingQuestion(outcomes=PLACES[: ranked[0]], shown=ranked[0], by=ranked[1])
    return KNOWN.get(schema) or (LabelQuestion(choices_of(schema)) if is_label(schema) else UNKNOWN)
