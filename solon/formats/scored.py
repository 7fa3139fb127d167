"""All candidates of a request with their scores on the rubric. Imports `contract` and `records` only.

The first is laid out after the data set openbmb/UltraFeedback: a list of completions, each with its model, a score as a
whole and one for each criterion. A reward model that learns from numbers has one answer with its score a row. Rubrics
as rewards: Gunjal et al. 2025.
"""

from __future__ import annotations

from collections.abc import Iterator

from solon.formats.contract import Format, LeftOut, Piece, assistant, conversation
from solon.formats.records import Completion, ExportRow, ScoredRow


def completions(row: ExportRow) -> Iterator[Piece]:
    """Yield the prompt with all its scored candidates, the score of each and the scores by criterion, or why there are
    none."""
    found = find_scored(row)
    if isinstance(found, LeftOut):
        yield found
        return
    yield {
        "prompt": conversation(row),
        "completions": [
            {"model": one.model, "text": one.text, "score": one.score, "scores": one.scores} for one in found
        ],
    }


def rewards(row: ExportRow) -> Iterator[Piece]:
    """Yield a row for each scored candidate, as messages with its score, or why there are none."""
    found = find_scored(row)
    if isinstance(found, LeftOut):
        yield found
        return
    for one in found:
        yield {"prompt": conversation(row), "completion": [assistant(one.text)], "score": one.score}


def rubric_rewards(row: ExportRow) -> Iterator[Piece]:
    """Yield the prompt with the weighted criteria of this request and what was scored by them (a list that may be
    empty), or why there is nothing."""
    rubric = row.lineage.get("criteria")
    found = find_scored(row)
    if isinstance(found, LeftOut) and found.reason != "not_scored":
        yield found
    elif not rubric:
        yield LeftOut("no_rubric")
    else:
        yield {
            "prompt": conversation(row),
            "rubric": rubric,
            "responses": [
                {
                    "text": one.text,
                    "model": one.model,
                    "score": one.score,
                    "scores": [{"id": name, "score": score} for name, score in one.scores.items()],
                }
                for one in (() if isinstance(found, LeftOut) else found)
            ],
        }


def find_scored(row: ExportRow) -> tuple[Completion, ...] | LeftOut:
    """Return the scored candidates that no expert flagged, or why there are none. Of a tie each has its score, too."""
    if row.outcome not in ("accepted", "tie"):
        return LeftOut(row.outcome)
    if row.flags:
        return LeftOut("flagged")
    scored = row.completions if isinstance(row, ScoredRow) else ()
    kept = tuple(one for one in scored if one.id not in row.flagged_candidates and one.text.strip())
    return kept or LeftOut("not_scored")


FORMATS = (
    Format(
        "ultrafeedback", "prompt and completions with model, text, score and scores", completions, scored=True
    ),
    Format(
        "reward-model",
        "prompt, completion as messages, score: a row for each candidate",
        rewards,
        scored=True,
    ),
    Format(
        "rubric-reward",
        "prompt, rubric (criteria with weights), responses scored by it: of requests with a rubric of their own",
        rubric_rewards,
        scored=True,
    ),
)
