"""What a store knows of the texts of a labelled file: what panels said of them, what people decided, what waits; and
reviews of some of them, in which their labels are hidden."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solon.consensus.ballots import Floats
from solon.consensus.panel import judge_item
from solon.errors import ConfigError
from solon.formats.labelled import Labelled
from solon.store.records import evaluation
from solon.store.runs.certificates import newest_model

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.workspace.views import RunSummary
    from solon.workspace.workspace import Workspace


def key_of(text: str) -> str:
    """The name of a text, by which it is known again in a store: a hash of it, whatever blanks stand between words."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "replace")).hexdigest()[:16]


def hear_panels(
    material: Material, rows: Sequence[Labelled], labels: Sequence[str]
) -> tuple[Floats, set[int]]:
    """Return what panels say of the rows, (n, K), as evidence for `add_evidence`, and the places of those that one
    spoke of.

    Each votes with the weights that its scope learned last; of several runs over a text the newest counts, since their
    voters may be the same. Panels that do not choose from these labels are passed over.
    """
    evidence, spoken = np.ones((len(rows), len(labels))), set[int]()
    for run in material.runs:
        with material.store.connect() as connection:
            model = newest_model(connection, run.scope)
            if model is None or not set(labels) <= set(model.outcomes):
                continue
            places = _places_shown(connection, run.id, rows)
            asked = {paid.what for paid in evaluation.paid_votes(connection, [run.id])}
            votes = evaluation.votes_for(connection, [what for what in asked if what[2][0] in places])
        prior = judge_item(model, ()).posterior
        for what, cast in votes.items():
            posterior = judge_item(model, cast).posterior
            for place in places[what[2][0]]:
                evidence[place] = [posterior[label] / max(prior[label], 1e-12) for label in labels]
                spoken.add(place)
    return evidence, spoken


def _places_shown(connection: Any, run_id: str, rows: Sequence[Labelled]) -> dict[str, list[int]]:
    """Candidate -> places of the rows that have its text."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(key_of(row.text), []).append(place)
    found = ((one.id, key_of(one.body)) for one in evaluation.candidate_texts(connection, [run_id]))
    return {name: places[key] for name, key in found if key in places}


def find_decided(material: Material, rows: Sequence[Labelled], labels: Sequence[str]) -> dict[int, str]:
    """Place of a row -> the label that a person gave its text: by the first answer with an expert's token, else by the
    first."""
    known: dict[int, str] = {}
    for run in material.runs:
        with material.store.connect() as connection:
            places = _places_shown(connection, run.id, rows)
            answers = evaluation.answers(connection, [run.id]) if places else []
        for answer in sorted(answers, key=lambda one: not one.counts):
            if len(answer.shown) == 1 and answer.outcome is not None and answer.outcome in labels:
                for place in places.get(answer.shown[0], ()):
                    known.setdefault(place, answer.outcome)
    return known


def find_waiting(material: Material, rows: Sequence[Labelled]) -> set[int]:
    """Places of rows whose text waits for an answer."""
    from solon.store.reviewing.review_rows import each_review

    found: set[int] = set()
    for run in material.runs:
        with material.store.connect() as connection:
            places = _places_shown(connection, run.id, rows)
            for review in each_review(connection, run_id=run.id) if places else ():
                if len(review.candidates) == 1:
                    found.update(places.get(review.candidates[0], ()))
    return found


def open_reviews(
    project: Workspace, wanted: Sequence[Labelled], labels: Sequence[str], recipe: str
) -> RunSummary:
    """Ask people about these texts, each once, in an ordinary run: what label they had is not part of it."""
    _check_labels_askable(labels)
    config = project.config
    changed = {
        "label": config.label.model_copy(update={"labels": config.label.labels or tuple(labels)}),
        "routing": config.routing.model_copy(update={"policy": "always"}),
        "seeds": config.seeds.model_copy(update={"map": {}}),
    }
    project.config = config.model_copy(update=changed)
    seeds = {key_of(row.text): row for row in wanted}
    try:
        return project.run(
            recipe,
            [
                {"id": key, "prompt": row.text, **({"group": row.group} if row.group else {})}
                for key, row in seeds.items()
            ],
        )
    finally:
        project.config = config


def _check_labels_askable(labels: Sequence[str]) -> None:
    from pydantic import ValidationError

    from solon.config.sections import LabelConfig

    try:
        LabelConfig.model_validate({"labels": list(labels)})
    except ValidationError as error:
        problem = error.errors()[0]
        at = problem["loc"][-1]
        named = f"the label {labels[at]!r:.60}" if isinstance(at, int) else f"{len(labels)} labels"
        raise ConfigError(
            f"{named} cannot be asked for on the review page: {problem['msg']}",
            next_step="a label has letters, digits, blanks and .+- and at most 60 characters, and there are at most 60 "
            "of them; rename them in the file, or answer the listed suspects yourself",
        ) from None
