"""A layout of one's own by `[import] map`, and `auto`, which says what it found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.config import Config
from solon.config.sections import ImportMap
from solon.errors import UsageError
from solon.formats.imported import Imported
from solon.formats.layouts import read_mapped
from solon.formats.paths import at, steps_of, without
from solon.formats.seed_rows import RowProblem
from tests.exchange.reading import read_import

Cli = Callable[..., tuple[int, str, str]]
Row = dict[str, Any]
STORE = "sqlite:///imported.db"


def told(map: Row, row: Row) -> list[tuple[str, str, str]]:
    """What is said, and the answers, the better one first; of a note its reason."""
    found = []
    for one in read_mapped((ImportMap.model_validate(map),), row):
        if not isinstance(one, Imported):
            found.append((one.reason,))
            continue
        said = one.said[0] if one.said else None
        texts = [response["text"] for response in one.seed["responses"]]
        turned = said is not None and said.response == 1
        found.append((said.choice if said else "-", *(texts[::-1] if turned else texts)))
    return found  # type: ignore[return-value]


TWO = {"prompt": "q", "answers": ["a", "b"]}
AB: Row = {"q": "Ask?", "a": "one", "b": "two"}


@pytest.mark.parametrize(
    ("map", "row", "wanted"),
    [
        ({**TWO, "winner": "w"}, {**AB, "w": "b"}, ("prefer", "two", "one")),
        ({**TWO, "winner": "w"}, {**AB, "w": "Model A"}, ("prefer", "one", "two")),
        ({**TWO, "winner": "w"}, {**AB, "w": "[[B]]"}, ("prefer", "two", "one")),
        ({**TWO, "winner": "w"}, {**AB, "w": "tie (bothbad)"}, ("both_bad",)),
        ({**TWO, "winner": "w"}, {**AB, "w": "Tie"}, ("tie",)),
        ({**TWO, "winner": "w", "models": ["m", "n"]}, {**AB, "w": "gpt", "m": "llama", "n": "gpt"},
         ("prefer", "two", "one")),
        ({**TWO, "winner": "w", "values": {"-1": "first", "1": "second"}}, {**AB, "w": -1}, ("prefer", "one", "two")),
        ({**TWO, "winner": ["x", "y", "t"]}, {**AB, "x": 0, "y": "1", "t": False}, ("prefer", "two", "one")),
        ({**TWO, "winner": ["x", "y", "t"]}, {**AB, "x": 0, "y": 0, "t": 1}, ("tie",)),
        ({**TWO, "index": "i"}, {**AB, "i": 1}, ("prefer", "two", "one")),
        ({**TWO, "index": "i", "index_from": 1}, {**AB, "i": "1.0"}, ("prefer", "one", "two")),
        ({**TWO, "strength": "s"}, {**AB, "s": -0.5}, ("prefer", "one", "two")),
        ({**TWO, "strength": "s"}, {**AB, "s": 0}, ("tie",)),
        ({**TWO, "scores": ["x", "y"]}, {**AB, "x": 1, "y": "2.5"}, ("prefer", "two", "one")),
        ({**TWO, "scores": ["x", "y"]}, {**AB, "x": 2, "y": 2}, ("tie",)),
        ({**TWO, "scores": ["x", "y"]}, {**AB, "x": 1, "y": None}, ("without_y", "-")),
        ({**TWO, "scores": ["x", "y"]}, {**AB, "x": None}, ("without_x", "-")),
        ({**TWO, "winner": ["x", "y", "t"]}, {**AB, "x": 1, "y": None}, ("prefer", "one", "two")),
        ({"prompt": "q", "chosen": "b", "rejected": "a", "scores": ["x", "y"]}, AB, ("prefer", "two", "one")),
        ({**TWO, "ranks": ["x", "y"]}, {**AB, "x": 2, "y": 1}, ("prefer", "two", "one")),
        (TWO, AB, ("-",)),
        ({"prompt": "q", "chosen": "b", "rejected": "a"}, AB, ("prefer", "two", "one")),
        ({"prompt": "d.q[0]", "answers": ["d.l[-1].t", "d.l[0].t"], "index": "d.i"},
         {"d": {"q": ["Ask?"], "l": [{"t": "one"}, {"t": "two"}], "i": 0}}, ("prefer", "two", "one")),
        ({"prompt": "q", "answers": "l[*].t", "ranks": "l[*].r"},
         {"q": "Ask?", "l": '[{"t": "one", "r": 2}, {"t": "two", "r": 1}]'}, ("prefer", "two", "one")),
        ({"prompt": "q", "answers": "l[*]", "scores": "s[*]"}, {"q": "Ask?", "l": ["one", "two"], "s": [0, 1]},
         ("prefer", "two", "one")),
        ({"prompt": "q", "answers": "a.b"}, {"q": "Ask?", "a.b": "one"}, ("-", "one")),
        ({"prompt": "q", "answers": "a", "label": "ok"}, {**AB, "ok": "no"}, ("reject", "one")),
        ({"prompt": "q", "answers": "a", "scores": "s", "accept_from": 3}, {**AB, "s": 3}, ("accept", "one")),
        ({"prompt": "q", "answers": "a", "scores": "s", "accept_from": 3}, {**AB, "s": 2.9}, ("-", "one")),
    ],
)  # fmt: skip
def test_a_map_tells_which_answer_is_better(map: Row, row: Row, wanted: tuple[str, ...]) -> None:
    *notes, found = told(map, row)
    assert notes == [(reason,) for reason in wanted if reason.startswith("without_")]
    wanted = wanted[len(notes) :]
    if wanted[0] in ("tie", "both_bad", "-") and len(wanted) == 1:
        assert (found[0], {*found[1:]}) == (wanted[0], {"one", "two"})
    else:
        assert found == wanted


@pytest.mark.parametrize(
    ("map", "row", "reason"),
    [
        ({**TWO, "index": "i"}, {**AB, "i": 2}, "i is 2; it must be the number of one of 2 answers, from 0"),
        ({**TWO, "index": "i", "index_from": 1}, {**AB, "i": 0}, "from 1"),
        ({**TWO, "index": "i"}, {**AB, "i": True}, "i is true"),
        ({**TWO, "winner": "w"}, {**AB, "w": "the blue one"}, "w is 'the blue one', which names no answer"),
        ({**TWO, "winner": "w"}, {**AB, "w": 1}, "w is 1; .import. map can say with `values`"),
        ({**TWO, "winner": ["x", "y"]}, {**AB, "x": 1, "y": 1}, "of x, y 2 are set; one must be"),
        ({**TWO, "strength": "s"}, {**AB, "s": "much"}, "s is 'much'"),
        ({"prompt": "q", "answers": ["a", "c"]}, AB, "there is no 'c'"),
        ({"prompt": "q", "answers": "l[*]"}, {"q": "Ask?", "l": ["one"]}, "there is one answer only"),
        ({"prompt": "q", "answers": "l[*]", "scores": "s[*]"}, {"q": "Ask?", "l": ["one", "two"], "s": [1]},
         "has 1 values for 2 answers"),
        ({"prompt": "q", "answers": ["a", "b"]}, {**AB, "b": "one"}, "both answers are the same text"),
        ({**TWO, "winner": "w"}, {**AB, "w": "C"}, "w is 'C', which names none of 2 answers"),
        ({"prompt": "x", "answers": ["a", "b"]}, AB, "there is no x, and a and b do not begin"),
        (TWO, {**AB, "a": [{"role": "user", "content": "Other?"}, {"role": "assistant", "content": "one"}]},
         "a and b answer different conversations, or another one than the prompt"),
        ({"tree": "t"}, {"t": {"role": "prompter", "text": "x"}}, "there is no 't'"),
    ],
)  # fmt: skip
def test_rows_that_a_map_cannot_read_say_what_was_seen(map: Row, row: Row, reason: str) -> None:
    with pytest.raises(RowProblem, match=reason):
        told(map, row)


@pytest.mark.parametrize(
    "map",
    [
        {}, {"prompt": "q"}, {"answers": "a", "chosen": "b", "rejected": "c"}, {"chosen": "a"}, {"answers": "a..b"},
        {"answers": "a[*].b[*]"}, {"answers": "a[x]"}, {"answers": "a", "answer": "b"},
        {"answers": "a", "index_from": 2}, {"answers": "a", "values": {"x": "third"}}, {"answers": 3},
    ],
)  # fmt: skip
def test_a_map_that_is_none_is_refused(map: Row) -> None:
    with pytest.raises(ValueError, match=r"import\.map|map"):
        Config.model_validate({"import": {"map": map}})


def test_the_command_reads_by_the_map_and_keeps_what_it_does_not_name(solon: Cli, tmp_path: Path) -> None:
    (tmp_path / "solon.toml").write_text(
        '[import]\nmap = { prompt = "info.post", answers = "summaries[*].text", models = "summaries[*].policy", '
        'index = "choice" }\n'
    )
    rows = [
        {
            "info": {"post": f"Post {n}.", "id": n},
            "summaries": [
                {"text": "Good.", "policy": "m1", "note": f"note {n}"},
                {"text": "Bad.", "policy": "m2"},
            ],
            "choice": 0,
            "worker": "w1",
        }
        for n in range(3)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("map", "auto"):
        code, out, err = solon("import", name, "rows.jsonl", "--store", STORE, "--json")
        assert code == 0, err
        found = json.loads(out.splitlines()[-1])
        assert (found["format"], found["seeds"], found["accepted"], found["bad_rows"]) == ("map", 3, 3, 0)
    solon("export", "--store", STORE, "--format", "jsonl", "-o", "o.jsonl")
    records = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [one["chosen"] for one in records] == ["Good."] * 3
    assert [one["metadata"] for one in records] == [
        {"choice": 0, "info": {"id": n}, "worker": "w1"} for n in range(3)
    ]
    assert [one["given"] for one in records] == [
        {"chosen": {"model": "m1", "facts": {"note": f"note {n}"}}, "rejected": {"model": "m2"}}
        for n in range(3)
    ]


def test_rejected_answers_leave_as_bad_examples_and_come_back(solon: Cli, tmp_path: Path) -> None:
    rows = [{"prompt": f"Q{n}", "completion": f"answer {n}", "label": n % 2} for n in range(4)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = solon("import", "auto", "rows.jsonl", "--store", STORE)
    assert code == 0, err
    assert "rows.jsonl read as trl-unpaired-preference: 4 rows, 4 seeds, 4 decisions" in out
    solon("export", "--store", STORE, "--format", "trl-unpaired-preference-standard", "-o", "kto.jsonl")
    back = [json.loads(line) for line in (tmp_path / "kto.jsonl").read_text().splitlines()]
    assert sorted((row["completion"], row["label"]) for row in back) == [
        (f"answer {n}", bool(n % 2)) for n in range(4)
    ]
    solon("export", "--store", STORE, "--format", "trl-sft-standard", "-o", "sft.jsonl")
    good = [json.loads(line)["completion"] for line in (tmp_path / "sft.jsonl").read_text().splitlines()]
    assert good == ["answer 1", "answer 3"]
    left = json.loads((tmp_path / "sft.jsonl.manifest.json").read_text())["left_out"]
    assert left == {"rejected": 2}
    solon("export", "--store", STORE, "--format", "jsonl", "-o", "all.jsonl")
    found = read_import("auto", tmp_path / "all.jsonl")
    assert found.format == "jsonl"
    said = {one.seed["responses"][0]["text"]: [said.choice for said in one.said] for one in found.seeds}
    assert said == {f"answer {n}": ["accept" if n % 2 else "reject"] for n in range(4)}


def test_auto_names_the_columns_that_fit_nothing(solon: Cli, tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_text('{"post": "x", "good": "a", "bad": "b"}\n')
    code, _, err = solon("import", "auto", "odd.jsonl", "--store", STORE)
    assert code == 2
    assert "columns: post, good, bad" in err
    assert "[import] map" in err
    with pytest.raises(UsageError, match="no layout"):
        read_import("map", tmp_path / "odd.jsonl")


KEYS = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(
    row=st.dictionaries(KEYS, JSON),
    path=st.sampled_from(["a", "a.b", "a[0]", "a[-1].b", "a[*].b", "a.b[*].c"]),
)
def test_what_stands_at_a_path_is_read_and_struck_in_any_value(row: Row, path: str) -> None:
    before = json.dumps(row)
    at(row, path)
    rest = without(row, steps_of(path))
    assert json.dumps(row) == before
    left = [] if rest is None else at(rest, path)
    assert left is None or all(one is None for one in left)
