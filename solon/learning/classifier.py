"""The classifier of a consensus version: trained on the decisions that the version is fitted on, and heard as it would
have spoken of each item.

What it says of a text that it was trained on is what it says where the texts of that group were left out, so that
neither its weight nor its calibration is learned from what it knew already, and nothing is certified by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from solon.agents.voters import as_vectors, classifier_identity, classifier_seat, said_by_shares
from solon.consensus.panel import Vote
from solon.learning.evidence import Evidence
from solon.store.learning.evidence import DecidedItem, texts_shown

if TYPE_CHECKING:
    from solon.config import Config
    from solon.consensus.classifier import Classifier
    from solon.questions import Question
    from solon.store.database.engine import Connection


@dataclass(frozen=True, slots=True)
class Heard:
    """A trained classifier, and what it says of the decided items without having seen their groups.

    Attributes:
        config: of the run.
        trained: the classifier; None where too little was decided to train one.
        left_out: item -> its vote where its group was left out.
    """

    config: Config
    trained: Classifier | None
    left_out: Mapping[str, Vote]

    @property
    def payload(self) -> dict[str, Any] | None:
        """The plain values that go into the consensus version; None where nothing was trained."""
        return self.trained.to_json() if self.trained is not None else None

    def vote_in(
        self, connection: Connection, evidence: Evidence, sample: Sequence[DecidedItem] = ()
    ) -> Evidence:
        """The evidence with the classifier's votes in place of those of earlier versions' classifiers.

        Args:
            sample: decided items, beside the usable ones, whose votes are among the evidence.
        """
        decided = {d.item_id: d.shown for d in (*evidence.usable, *sample)}
        shown = decided | {j.item_id: j.shown for j in evidence.judged}
        name = classifier_identity(self.config.classifier)
        asked = {item for item, cast in evidence.votes.items() if any(vote.judge == name for vote in cast)}
        own = self._votes(connection, {i: ids for i, ids in shown.items() if i in asked - {*self.left_out}})
        own |= {item: vote for item, vote in self.left_out.items() if item in asked}
        votes = {
            item: tuple(own.get(item, vote) if vote.judge == name else vote for vote in cast)
            for item, cast in evidence.votes.items()
        }
        judged = [replace(j, votes=votes[j.item_id]) for j in evidence.judged]
        return replace(evidence, votes=votes, judged=judged)

    def _votes(self, connection: Connection, shown: Mapping[str, Sequence[str]]) -> dict[str, Vote]:
        if self.trained is None:
            return {}
        texts = texts_shown(connection, {item: ids[0] for item, ids in shown.items() if ids})
        items = list(texts)
        shares = self.trained.shares(as_vectors(self.config.classifier, [texts[item] for item in items]))
        return {
            item: _vote(self.config, self.trained.outcomes, row)
            for item, row in zip(items, shares, strict=True)
        }


def hear_classifier(connection: Connection, config: Config, question: Question, evidence: Evidence) -> Heard:
    """Train the classifier on the decisions that the version is fitted on: on those that chose an outcome, each as far
    as who made it is reliable."""
    from solon.consensus.classifier import train
    from solon.consensus.learn import targets

    chosen = [d for d in evidence.usable if question.is_outcome(d.outcome)]
    texts = texts_shown(connection, {d.item_id: d.shown[0] for d in chosen})
    chosen = [d for d in chosen if d.item_id in texts]
    found = train(
        as_vectors(config.classifier, [texts[d.item_id] for d in chosen]),
        targets(evidence.as_decisions(chosen), question.outcomes),
        [d.group for d in chosen],
        features=config.classifier.features,
        outcomes=question.outcomes,
    )
    if found is None:
        return Heard(config, None, {})
    trained, shares = found
    votes = (_vote(config, trained.outcomes, row) for row in shares)
    return Heard(config, trained, dict(zip((d.item_id for d in chosen), votes, strict=True)))


def _vote(config: Config, outcomes: Sequence[str], shares: Any) -> Vote:
    said = said_by_shares(outcomes, shares.tolist())
    return Vote(classifier_identity(config.classifier), seat=classifier_seat(config), **said)
