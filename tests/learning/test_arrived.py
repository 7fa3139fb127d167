"""A crash between the end of an item and the note that its decision arrived leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from solon import Project


def test_a_decision_whose_item_has_ended_counts_as_arrived(tmp_path: Path) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "always"}}
    with Project(f"sqlite:///{tmp_path}/solon.db", config=config) as project:
        project.run("preference", ["Why is the sky blue?"])
        [review] = [r for r in project.reviews() if r.recipe == "preference"]
        project.decide(review, "prefer", review.candidates[0])
        assert project.resume().accepted == 1
        with project.store.transaction() as connection:
            connection.execute(text("UPDATE outbox SET applied_at = NULL, claimed_by = NULL"))
        assert project.summarize().decisions_to_apply == 1
        again = project.resume()
        assert (again.accepted, again.decisions_to_apply) == (1, 0)
        with project.store.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM records")).scalar_one() == 1
