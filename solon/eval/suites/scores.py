"""Rubric scores of accepted answers as a suite: the model `default` of the newest run's configuration scores.

`solon eval scores` has the options; this is the same with its defaults, in the form of every suite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solon.config import parse_config
from solon.eval.scoring import Scores, score_records
from solon.store.runs import runs
from solon.sync import run_sync

if TYPE_CHECKING:
    from solon.eval.material import Material

JUDGE = "default"


def evaluate(material: Material) -> Scores:
    """Let a model score a sample of the records, and return the scores. Of all suites this one asks a model.

    Raises:
        UsageError: the model would score what its own family wrote.
    """
    with material.store.connect() as connection:
        payload = runs.config_payload(connection, material.runs[-1].config_id)
    config = parse_config({name: value for name, value in payload.items() if name != "fingerprint"})
    return run_sync(score_records(material, config, JUDGE))
