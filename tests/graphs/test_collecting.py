"""The garbage collector is set for long work, and set back whatever ends it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import pytest

from solon.graphs.garbage import YOUNG, collecting_seldom


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_it_is_set_back_when_the_last_of_several_works_ends() -> None:
    gc.set_threshold(700, 10, 10)
    with contextlib.suppress(RuntimeError), collecting_seldom():
        with collecting_seldom():
            assert gc.get_threshold() == (YOUNG, 10, 10)
        assert gc.get_threshold() == (YOUNG, 10, 10)
        assert gc.get_freeze_count() > 0
        raise RuntimeError("over")
    assert gc.get_threshold() == (700, 10, 10)
    assert gc.get_freeze_count() == 0


def test_who_chose_otherwise_keeps_the_choice() -> None:
    gc.set_threshold(0, 10, 10)  # never by itself
    gc.freeze()
    frozen = gc.get_freeze_count()
    with collecting_seldom():
        assert gc.get_threshold()[0] == 0
    assert frozen - 100 < gc.get_freeze_count() <= frozen  # freed ones leave
    gc.set_threshold(50_000, 10, 10)
    with collecting_seldom():
        assert gc.get_threshold()[0] == 50_000


class Ring:
    alive = 0

    def __init__(self) -> None:
        self.me = self
        Ring.alive += 1

    def __del__(self) -> None:
        Ring.alive -= 1


def test_what_refers_to_itself_is_collected_all_the_same() -> None:
    with collecting_seldom():
        for _ in range(3 * YOUNG):
            Ring()
        assert Ring.alive < 2 * YOUNG


def test_what_many_short_works_leave_is_collected_too() -> None:
    """A server's delivery is a work of its own for each few answers."""
    for _ in range(3 * YOUNG):
        with collecting_seldom():
            Ring()
    assert Ring.alive < 2 * YOUNG
