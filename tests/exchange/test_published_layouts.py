"""Rows in the layouts of well-known public sets, written for this test: recognised, read, and nothing of them lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.config import Config
from solon.eval import importing
from solon.formats.imported import Imported
from tests.exchange.reading import Found, read_import

Row = dict[str, Any]


def user(text: str) -> Row:
    return {"role": "user", "content": text}


def bot(text: str) -> Row:
    return {"role": "assistant", "content": text}


def scored(model: str, response: str, overall: float) -> Row:
    aspects = ("helpfulness", "honesty", "instruction_following", "truthfulness")
    return {
        "annotations": {name: {"Rating": "4", "Rationale": f"why {name}"} for name in aspects},
        "custom_system_prompt": f"as {model}",
        "model": model,
        "principle": "helpfulness",
        "response": response,
        "critique": f"critique of {model}",
        "fine-grained_score": overall / 2,
        "overall_score": overall,
    }


def message(name: str, parent: str | None, role: str, text: str, rank: int | None = None) -> Row:
    return {
        "message_id": name, "parent_id": parent, "user_id": f"user of {name}", "created_date": "2023-02-05",
        "text": text, "role": role, "lang": "en", "review_count": 3, "review_result": True, "deleted": False,
        "rank": rank, "synthetic": False, "model_name": None, "message_tree_id": "m1", "tree_state": "ready_for_export",
        "emojis": {"name": ["+1"], "count": [2]}, "labels": {"quality": {"value": 0.75, "count": 3}},
    }  # fmt: skip


def tree() -> Row:
    good = {**message("m3", "m1", "assistant", "Rome.", 0), "replies": []}
    more = {**message("m4", "m3", "prompter", "And of France?"), "replies": []}
    more["replies"] = [
        {**message(name, "m4", "assistant", text, rank), "replies": []}
        for name, text, rank in (("m5", "Lyon.", 1), ("m6", "Paris.", 0))
    ]
    good["replies"] = [more]
    bad = {**message("m2", "m1", "assistant", "Moon.", 1), "replies": []}
    root = {**message("m1", None, "prompter", "Capital of Italy?"), "replies": [bad, good]}
    return {"message_tree_id": "m1", "tree_state": "ready_for_export", "prompt": root}


def parts(text: str) -> list[Row]:
    return [{"type": "text", "text": text, "image": None, "mimeType": None}]


ASK = "Name a bird."
SAFE = {
    f"{fact}": value
    for place in (0, 1)
    for fact, value in (
        (f"is_response_{place}_safe", bool(place)),
        (f"response_{place}_harm_category", {"Violence": not place, "Cybercrime": False}),
        (f"response_{place}_severity_level", 3 * (1 - place)),
        (f"response_{place}_sha256", f"hash {place}"),
    )
}

LAYOUTS: list[tuple[str, list[Row], list[tuple[str, ...]]]] = [
    (
        "ultrafeedback",
        [
            {
                "source": "evol_instruct", "instruction": ASK, "models": ["m1", "m2", "m3"],
                "completions": [scored("m1", "Car.", 2.0), scored("m2", "Wren.", 8.5), scored("m3", "Bee.", 4.0)],
                "correct_answers": ["None"], "incorrect_answers": ["None"],
            }
        ],
        [(ASK, "Wren.", "Car."), (ASK, "Wren.", "Bee.")],
    ),
    (
        "ultrafeedback-binarized",
        [
            {
                "prompt": ASK, "prompt_id": "abc", "chosen": [user(ASK), bot("Wren.")],
                "rejected": [user(ASK), bot("Car.")], "messages": [user(ASK), bot("Wren.")],
                "score_chosen": 8.5, "score_rejected": 2.0,
            }
        ],
        [(ASK, "Wren.", "Car.")],
    ),
    (
        "ultrafeedback-binarized",
        [
            {
                "source": "sharegpt", "prompt": ASK, "chosen": [user(ASK), bot("Wren.")], "chosen-rating": 5.0,
                "chosen-model": "m2", "rejected": [user(ASK), bot("Car.")], "rejected-rating": 1.5,
                "rejected-model": "m1",
            }
        ],
        [(ASK, "Wren.", "Car.")],
    ),
    (
        "ultrafeedback-binarized",
        [
            {
                "source": "flan", "instruction": ASK, "chosen_response": "Wren.", "rejected_response": "Car.",
                "chosen_avg_rating": 4.75, "rejected_avg_rating": 1.25, "chosen_model": "m2", "rejected_model": "m1",
            }
        ],
        [(ASK, "Wren.", "Car.")],
    ),
    (
        "hh-rlhf",
        [
            {
                "chosen": "\n\nHuman: Hi.\n\nAssistant: Hello: how\nHuman: no label\n\nHuman: Name a bird."
                "\n\nAssistant: Wren.",
                "rejected": "\n\nHuman: Hi.\n\nAssistant: Hello: how\nHuman: no label\n\nHuman: Name a bird."
                "\n\nAssistant: Car.",
            }
        ],
        [("Hi.", "Hello: how\nHuman: no label", ASK, "Wren.", "Car.")],
    ),
    (
        "helpsteer",
        [
            {"prompt": ASK, "response": "Wren.", "helpfulness": 4, "correctness": 3, "coherence": 4, "complexity": 0,
             "verbosity": 1},
            {"prompt": ASK, "response": "Car.", "helpfulness": 1, "correctness": 0, "coherence": 4, "complexity": 0,
             "verbosity": 2},
        ],
        [(ASK, "Wren.", "accept"), (ASK, "Car.", "-")],
    ),
    (
        "helpsteer",
        [
            {"prompt": "Hi.\n<extra_id_1>Assistant\nHello.\n<extra_id_1>User\nName a bird.", "response": "Wren.",
             "helpfulness": 3, "correctness": 3, "coherence": 4, "complexity": 1, "verbosity": 1},
        ],
        [("Hi.", "Hello.", ASK, "Wren.", "accept")],
    ),
    (
        "helpsteer",
        [
            {
                "split": "train", "prompt": ASK, "response_1": "Car.", "response_2": "Wren.",
                "preference_strength": 2, "preference_statement": "2 is better", "preference_elaboration": "e",
                "three_most_similar_preferences": [{"statement": "s", "strength": 2, "elaboration": "x"}],
                "all_preferences_unprocessed": [{"strength": 3}],
            }
        ],
        [(ASK, "Wren.", "Car.")],
    ),
    (
        "helpsteer",
        [
            {
                "domain": "general", "language": "english", "context": [user("Hi."), bot("Hello."), user(ASK)],
                "response1": "Wren.", "response2": "Car.", "overall_preference": -3,
                "individual_preference": [{"score": -3, "reasoning": "r", "feedback1": "f", "feedback2": "g"}],
            }
        ],
        [("Hi.", "Hello.", ASK, "Wren.", "Car.")],
    ),
    (
        "helpsteer",
        [
            {
                "domain": "code", "language": "python", "context": [user(ASK)], "original_response": "Auk",
                "good_edited_response": "Wren.", "bad_edited_response": "Car.", "feedback": ["be exact"],
            }
        ],
        [(ASK, "Wren.", "Car.")],
    ),
    (
        "pku-saferlhf",
        [
            {
                "prompt": ASK, "prompt_source": "set", "response_0": "Car.", "response_1": "Wren.",
                "response_0_source": "Alpaca-7B", "response_1_source": "Alpaca3-8B", **SAFE,
                "better_response_id": 1, "safer_response_id": 0,
            }
        ],
        [(ASK, "Wren.", "Car.")],
    ),
    (
        "nectar",
        [
            {
                "prompt": "\n\nHuman: Hi.\n\nAssistant: Hello.\n\nHuman: Name a bird.\n\nAssistant: ",
                "answers": [
                    {"answer": "Bee.", "model": "m1", "rank": 2.0}, {"answer": "Wren.", "model": "m2", "rank": 1.0},
                    {"answer": "Car.", "model": "m3", "rank": 3.0},
                ],
                "turns": 2, "num_responses": 3, "source": ["sharegpt"], "good_natured": True,
            }
        ],
        [("Hi.", "Hello.", ASK, "Wren.", "Car."), ("Hi.", "Hello.", ASK, "Wren.", "Bee.")],
    ),
    (
        "oasst",
        [tree()],
        [
            ("Capital of Italy?", "Rome.", "Moon."),
            ("Capital of Italy?", "Rome.", "And of France?", "Paris.", "Lyon."),
        ],
    ),
    (
        "oasst",
        [
            message("m1", None, "prompter", "Capital of Italy?"),
            message("m2", "m1", "assistant", "Moon.", 1),
            message("m3", "m1", "assistant", "Rome.", 0),
        ],
        [("Capital of Italy?", "Rome.", "Moon.")],
    ),
    (
        "arena",
        [
            {
                "question_id": "q1", "model_a": "m1", "model_b": "m2", "winner": "model_b", "judge": "arena_user_1",
                "conversation_a": [user(ASK), bot("Car.")], "conversation_b": [user(ASK), bot("Wren.")], "turn": 1,
                "anony": True, "language": "English", "tstamp": 1682351654.7,
                "openai_moderation": {"categories": {"hate": False}}, "toxic_chat_tag": {"roberta": {"flagged": False}},
            }
        ],
        [(ASK, "Wren.", "Car.")],
    ),
    (
        "arena",
        [
            {
                "id": 30192, "model_a": "m1", "model_b": "m2", "prompt": '["Name a bird."]',
                "response_a": '["Wren."]', "response_b": '["Car."]', "winner_model_a": 1, "winner_model_b": 0,
                "winner_tie": 0,
            }
        ],
        [(ASK, "Wren.", "Car.")],
    ),
    (
        "arena",
        [
            {
                "id": "u-1", "model_a": "m1", "model_b": "m2", "winner": "model_a", "evaluation_session_id": "s",
                "evaluation_order": 1, "conversation_a": [{"role": "user", "content": parts(ASK)},
                                                          {"role": "assistant", "content": parts("Wren.")}],
                "conversation_b": [{"role": "user", "content": parts(ASK)},
                                   {"role": "assistant", "content": parts("Car.")}],
                "conv_metadata": {"turns": 1}, "category_tag": {"math_v0.1": {"math": False}}, "language": "en",
                "is_code": False, "timestamp": "2025-06-10",
            }
        ],
        [(ASK, "Wren.", "Car.")],
    ),
    (
        "orpo-dpo-mix",
        [
            {
                "source": "Airoboros", "chosen": [user(ASK), bot("Wren.")], "rejected": [user(ASK), bot("Car.")],
                "prompt": ASK, "question": ASK,
            },
            {
                "source": "Capybara", "chosen": [user("Hi."), bot("Hello."), user(ASK), bot("Wren.")],
                "rejected": [user("Hi."), bot("Hello."), user(ASK), bot("Car.")], "prompt": "Hi.", "question": None,
            },
        ],
        [(ASK, "Wren.", "Car."), ("Hi.", "Hello.", ASK, "Wren.", "Car.")],
    ),
]  # fmt: skip


def read(tmp_path: Path, name: str, rows: list[Row]) -> Found:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_import(name, path)


def told(one: Imported) -> tuple[str, ...]:
    """The turns, and then the answers with the better one first, or the answer and what is said of it."""
    turns = [turn["content"] for turn in one.seed["messages"]]
    texts = [response["text"] for response in one.seed["responses"]]
    if one.kind == "single":
        return (*turns, *texts, one.said[0].choice if one.said else "-")
    better = one.said[0].response
    assert better is not None
    return (*turns, texts[better], texts[1 - better])


def leaves(value: Any) -> Iterator[Any]:
    """Every text and number in a value, but those that are turns' roles or kinds of parts."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in ("role", "type", "from"):
                yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
    elif value not in (None, "", "None") and not isinstance(value, bool):
        yield value


@pytest.mark.parametrize(("name", "rows", "wanted"), LAYOUTS)
def test_published_layouts_are_recognised_and_whole(
    tmp_path: Path, name: str, rows: list[Row], wanted: list[tuple[str, ...]]
) -> None:
    found = read(tmp_path, "auto", rows)
    assert (found.format, found.bad) == (name, [])
    assert [told(one) for one in found.seeds] == wanted
    kept = json.dumps([[one.seed, one.metadata] for one in found.seeds])
    numbers = {
        float(leaf)
        for one in found.seeds
        for leaf in leaves([one.seed, one.metadata])
        if not isinstance(leaf, str)
    }
    for leaf in leaves(rows):
        if isinstance(leaf, str):
            plain = leaf.rpartition("Assistant: ")[2] if leaf.startswith("\n\nHuman") else leaf
            plain = plain.rpartition("User\n")[2].removeprefix('["').removesuffix('"]')
            assert json.dumps(plain)[1:-1] in kept, leaf
        else:
            assert float(leaf) in numbers, leaf


def test_a_set_of_several_answers_becomes_records_with_what_came_beside_each(tmp_path: Path) -> None:
    rows = next(rows for name, rows, _ in LAYOUTS if name == "ultrafeedback")
    (tmp_path / "rows.jsonl").write_text(json.dumps(rows[0]), encoding="utf-8")
    with Project(f"sqlite:///{tmp_path}/s.db") as project:
        found = project.import_("auto", tmp_path / "rows.jsonl")
        assert (found.format, found.decisions, found.accepted) == ("ultrafeedback", 2, 2)
        project.export("jsonl", tmp_path / "o.jsonl")
    records = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert {(one["chosen"], one["rejected"]) for one in records} == {("Wren.", "Car."), ("Wren.", "Bee.")}
    for one in records:
        assert one["source"] == "evol_instruct"
        assert one["given"]["chosen"]["model"] == "m2"
        assert one["given"]["chosen"]["scores"] == {"overall_score": 8.5}
        assert one["given"]["rejected"]["facts"]["critique"].startswith("critique of m")
        assert one["metadata"]["models"] == ["m1", "m2", "m3"]
    assert len({one["group"] for one in records}) == 1


def test_a_tree_counts_what_it_passes_over(tmp_path: Path) -> None:
    def reply(name: str, text: str, rank: int | None = None, **more: Any) -> Row:
        return {**message(name, "m1", "assistant", text, rank), "replies": [], **more}

    below = {**message("b", "d", "prompter", "Below?"), "replies": [reply("b1", "x", 0), reply("b2", "y", 1)]}
    root = {**message("m1", None, "prompter", "Capital of Italy?"), "replies": [
        reply("a", "Rome.", 0), reply("c", " ", 1), reply("d", "Bad words.", 2, deleted=True, replies=[below]),
        reply("e", "Milan.", 3),
    ]}  # fmt: skip
    bare = {**message("n", None, "prompter", "Nobody answers?"), "replies": []}
    rows = [{"message_tree_id": name, "prompt": one} for name, one in (("t1", root), ("t2", bare))]
    content, seeds = read_all(tmp_path, rows)
    assert [tuple(one["text"] for one in seed["responses"]) for seed in seeds] in (
        [("Rome.", "Milan.")], [("Milan.", "Rome.")]
    )  # fmt: skip
    assert content.skipped == {"empty_message": 1, "deleted_message": 1, "no_reply": 1}
    assert (content.rows, content.bad) == (2, [])


def test_messages_one_a_line_are_counted_as_rows(tmp_path: Path) -> None:
    rows = [message("m1", None, "prompter", "Capital of Italy?"), message("n", None, "prompter", "Nobody?")]
    rows += [message(name, "m1", "assistant", name, rank) for rank, name in enumerate(("a", "b", "a "))]
    rows[-1]["deleted"] = "True"
    content, seeds = read_all(tmp_path, rows)
    assert (content.rows, len(seeds), content.skipped) == (5, 1, {"no_reply": 1, "deleted_message": 1})


def test_a_tree_with_a_message_of_nobody_is_refused_whole(tmp_path: Path) -> None:
    broken = tree()
    broken["prompt"]["replies"][1]["replies"][0]["role"] = "martian"
    content, seeds = read_all(tmp_path, [broken])
    assert (seeds, [bad.line for bad in content.bad]) == ([], [1])


def read_all(folder: Path, rows: list[Row]) -> tuple[Any, list[Row]]:
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    content = importing._Read("oasst")
    return content, [one.seed for one, _ in importing._read(content, folder / "rows.jsonl", None, Config())]
