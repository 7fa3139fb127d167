"""What changed from one release to another, or to the store as it is now: rows added, dropped, changed, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.eval.releases.releases import WHICH, freeze_row, read_manifest, read_rows
from solon.store.records import releasing
from solon.store.records.exporting import export_rows

if TYPE_CHECKING:
    from pathlib import Path

    from solon.store.database.engine import Connection
    from solon.store.database.store import Store

_STATES = {
    "waiting": "it waits for an expert now",
    "rejected": "it was rejected since",
    "queued": "it is judged again",
    "running": "it is judged again",
    "failed": "a model failed when it was made again",
    "parked": "a model failed when it was made again",
    "forgotten": "its seed was forgotten",
    "accepted": "it is outside what the other one covers",
}
_VERSIONS = ("constitution", "rubric", "prompts", "consensus")
_DOUBTS = {"stale": "its law was amended", "disputed": "people differ, and no lead has settled it"}
_FIGURES = ("margin", "confidence", "soft_label", "shares")


class Change(BaseModel):
    """One record that differs between two releases.

    Attributes:
        seed: id of its seed.
        before: id of the record in the first release; None where it was added.
        after: id of the record in the second; None where it was dropped.
        reasons: why, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: str
    before: str | None
    after: str | None
    reasons: tuple[str, ...]


class ReleaseDiff(BaseModel):
    """What changed from one release to another, or to the store as it is now.

    Attributes:
        a: name of the first release.
        b: name of the second, or `the store now`.
        same: records that are in both and did not change.
        added: records that only the second has.
        dropped: records that only the first has.
        changed: records that both have, and that differ.
        reasons: how often each reason was given, over all changes, the commonest first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    a: str
    b: str
    same: int
    added: tuple[Change, ...]
    dropped: tuple[Change, ...]
    changed: tuple[Change, ...]
    reasons: dict[str, int]


def diff_releases(store: Store, a: Path, b: Path | None = None) -> ReleaseDiff:
    """Return what changed from release `a` to release `b`, item by item.

    Without `b` it is compared with what the same options would release now.
    """
    manifest = read_manifest(a)
    before = {row["lineage"]["item"]: row for row in read_rows(a)}
    if b is not None:
        name, after = str(read_manifest(b)["name"]), {row["lineage"]["item"]: row for row in read_rows(b)}
    else:
        options = manifest["options"]
        for row in before.values():
            row.pop("refused", None)  # no benchmark is at hand to ask it of the store
        # Earlier releases do not say whether they are of all runs: without a run's name they were.
        asked = {"all_runs": options.get("run_id") is None, **options}
        which: dict[str, Any] = {name: asked.get(name) for name in WHICH}
        rows = export_rows(store, **which)[1]
        name, after = "the store now", {row.lineage["item"]: freeze_row(row) for row in rows}
    with store.connect() as connection:
        _match_runs(connection, before, after)
        gone = sorted(set(before) - set(after))
        states = releasing.item_states(connection, gone)
    dropped = tuple(_dropped(before[item], states.get(item)) for item in gone)
    added = tuple(_added(after[item]) for item in sorted(set(after) - set(before)))
    changed = tuple(
        change
        for item in sorted(set(before) & set(after))
        if (change := _changed(before[item], after[item])) is not None
    )
    every = Counter(reason for change in (*added, *dropped, *changed) for reason in change.reasons)
    return ReleaseDiff(
        a=str(manifest["name"]),
        b=name,
        same=len(set(before) & set(after)) - len(changed),
        added=added,
        dropped=dropped,
        changed=changed,
        reasons=dict(every.most_common()),
    )


def _match_runs(connection: Connection, before: dict[str, Any], after: Mapping[str, Any]) -> None:
    """Put an item under the id of another run's that stands in its place: the same row of seeds."""
    new = [item for item in after if item not in before]
    there = {key: item for item, key in releasing.row_keys(connection, new).items()}
    gone = [item for item in before if item not in after]
    for item, key in releasing.row_keys(connection, gone).items():
        if key in there:
            before[there.pop(key)] = before.pop(item)


def _added(row: Mapping[str, Any]) -> Change:
    why = "an expert decided it" if row["route"] == "decided" else "it was accepted since"
    return Change(seed=row["seed_id"], before=None, after=row["id"], reasons=(why,))


def _dropped(row: Mapping[str, Any], state: tuple[str, bool] | None) -> Change:
    if state is None:
        why = "its item is not in this store"
    elif state[1]:
        why = "its texts were erased"
    else:
        why = _STATES.get(state[0], f"its item is {state[0]} now")
    return Change(seed=row["seed_id"], before=row["id"], after=None, reasons=(why,))


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change | None:
    reasons = list(_find_reasons(before, after))
    if not reasons:
        return None
    return Change(seed=after["seed_id"], before=before["id"], after=after["id"], reasons=tuple(reasons))


def _hashes_less(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether one of two rows of a tie was released before the texts of ties were in the hash."""
    told = [sum("text" in facts for facts in row.get("given", {}).values()) for row in (before, after)]
    return before["id"] == after["id"] and told[0] != told[1]


def _find_reasons(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    if before["lineage"]["run"] != after["lineage"]["run"]:
        yield "another run's record stands in its place"
    same_texts = before["texts_sha256"] == after["texts_sha256"] or _hashes_less(before, after)
    if not same_texts or before["label"] != after["label"]:
        decided = (
            after["route"] == "decided" and before["lineage"]["decision"] != after["lineage"]["decision"]
        )
        yield "an expert decided otherwise" if decided else "another answer or label"
    elif before["route"] != after["route"]:
        yield f"the same answer by another route: {before['route']} to {after['route']}"
    if before["provisional"] and not after["provisional"]:
        yield "no longer provisional"
    if after["provisional"] and not before["provisional"]:
        yield "provisional again"
    for outcome, why in _DOUBTS.items():
        if before["outcome"] != after["outcome"] and outcome in (before["outcome"], after["outcome"]):
            yield f"{outcome}: {why}" if after["outcome"] == outcome else f"no longer {outcome}"
    if any(before.get(name) != after.get(name) for name in _FIGURES):
        yield "scored again"
    for name in _VERSIONS:
        if before["lineage"][name] != after["lineage"][name]:
            yield f"another {name} version"
    for flag in sorted(set(after["flags"]) - set(before["flags"])):
        yield f"flagged {flag}"
    for flag in sorted(set(before["flags"]) - set(after["flags"])):
        yield f"no longer flagged {flag}"
    was, now = before.get("refused"), after.get("refused")
    if was != now:
        yield f"left out now: {now}" if now else f"no longer left out: {was}"
