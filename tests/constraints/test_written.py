"""Constraints as experts write them: what each asks for, which texts keep it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from solon.constraints import find_constraints, stated_constraints
from solon.constraints.written import check_constraints

DAY = {"$ref": "#/$defs/day", "$defs": {"day": {"enum": ["Monday"]}}}
RUNAWAY = {"type": "object", "properties": {"a": {"pattern": "^(a|a)+$"}}}


def faults(constraints: dict[str, Any], text: str) -> list[str]:
    return [
        fault for one in stated_constraints({"constraints": constraints}) if (fault := one.find_fault(text))
    ]


@pytest.mark.parametrize(
    ("constraints", "keeps", "breaks", "fault"),
    [
        ({"words": [2, 3]}, "one two", "one", "Write 2 to 3 words. Here it is 1."),
        ({"words": [None, 1]}, "one", "one two", "Write at most 1 word. Here it is 2."),
        ({"sentences": 1}, "It is.", "It is. It was.", "Write exactly 1 sentence. Here it is 2."),
        ({"bullets": [2, None]}, "- a\n- b", "a", "Write at least 2 bullet points. Here it is 0."),
        ({"paragraphs": 2}, "a\n\nb", "a", "Write exactly 2 paragraphs. Here it is 1."),
        ({"characters": [None, 3]}, "abc", "abcd", "Write at most 3 characters. Here it is 4."),
        (
            {"keywords": ["dog", "cat"]},
            "Cats and DOGS",
            "a dog",
            'Use the words "dog", "cat". Here it lacks "cat".',
        ),
        ({"forbidden": ["best"]}, "bestow", "The Best.", 'Do not use the words "best". Here it has "best".'),
        ({"begins": "Dear"}, "Dear Ada", "Oh, Dear", 'Begin with "Dear". Here it begins "Oh, Dear".'),
        ({"ends": "Yours"}, "I am\nYours\n", "Yours, Ada", 'End with "Yours". Here it ends "Yours, Ada".'),
        ({"pattern": {"regex": r"\d{2}", "told": "Two digits."}}, "a 12", "a 1", "Two digits."),
        ({"pattern": {"regex": "^(a|a)+$", "told": "All a."}}, "aaa", "a" * 60 + "!", "All a."),
        (
            {"language": "de"},
            "Hm.",
            "This is the text that it was.",
            "Write in the language with the code de. Here it is en.",
        ),
        ({"case": "upper"}, "AH!", "Ah", "Write all letters in upper case. Here 1 are not."),
        ({"json": True}, "```json\n[1]\n```", "{", "Write JSON and nothing else."),
        ({"json": DAY}, '"Monday"', "Monday", "It is no JSON."),
        (
            {"json": DAY},
            '"Monday"',
            '"Sunday"',
            "It breaks the JSON Schema: 'Sunday' is not one of ['Monday'].",
        ),
        ({"json": RUNAWAY}, '{"a": "aa"}', f'{{"a": "{"a" * 60}!"}}', None),
    ],
)
def test_a_text_keeps_a_constraint_or_breaks_it(
    constraints: dict[str, Any], keeps: str, breaks: str, fault: str | None
) -> None:
    assert faults(constraints, keeps) == []
    (told,) = faults(constraints, breaks)
    assert told == fault or (fault is None and "takes longer than 0.1 s" in told)


@pytest.mark.parametrize(
    ("constraints", "named"),
    [
        ([], "constraints: "),
        ({"word": 3}, "constraints.word: there is no such constraint; there are words, sentences"),
        ({"words": [9, 2]}, "constraints.words: the least, 9, is more than the most, 2 (saw [9, 2])"),
        ({"words": "3"}, "constraints.words: Input should be a list (saw '3')"),
        ({"words": True}, "constraints.words"),
        ({"keywords": ["best man"], "forbidden": ["best"]}, "the keyword 'best man' holds one of them"),
        ({"keywords": [" "]}, "constraints.keywords.0"),
        ({"pattern": {"regex": "(", "told": "x"}}, "constraints.pattern.regex: cannot be read"),
        ({"pattern": {"regex": "x"}}, "constraints.pattern.told"),
        ({"language": "xx"}, "constraints.language: 'xx' cannot be told; those that can: "),
        ({"json": {"type": "objct"}}, "constraints.json: no JSON Schema: type: 'objct'"),
        ({"json": {"patternProperties": {"a": {}}}}, "the keyword 'patternProperties' is not taken"),
        ({"json": {"properties": {"a": {"pattern": "("}}}}, "the pattern '(' cannot be read"),
        ({"json": {"properties": {"a": 3}}}, "3 stands where a schema is wanted"),
        ({"json": {"$ref": "https://example.org/s.json"}}, "only '#/$defs/NAME' is looked up"),
        ({"json": {"$ref": "#/$defs/none"}}, "'#/$defs/none' names nothing"),
        (
            {"json": {"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}},
            "it refers to itself",
        ),
        (
            {
                "json": {
                    "$ref": "#/$defs/0",
                    "$defs": {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(30)},
                }
            },
            "holds more than 500 schemas",
        ),
    ],
)
def test_what_cannot_be_verified_is_refused_by_name(constraints: Any, named: str) -> None:
    with pytest.raises(ValueError, match=r"^constraints") as refused:
        stated_constraints({"constraints": constraints})
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("constraints", "named"),
    [
        ({"json": False}, "constraints.json: this asks for nothing; leave it out (saw False)"),
        ({"begins": " "}, "constraints.begins: this asks for nothing"),
        ({"keywords": []}, "constraints.keywords: this asks for nothing"),
        ({"words": [None, None]}, "constraints.words: this asks for nothing"),
        (
            {"begins": "Dear Ada", "characters": [1, 5]},
            "constraints.begins: has more than the most characters, 5",
        ),
        (
            {"keywords": ["so it is"], "words": [None, 2]},
            "constraints.keywords: has more than the most words, 2",
        ),
        ({"json": True, "begins": "Dear"}, "constraints.begins: no JSON begins so (saw 'Dear')"),
        ({"json": {"minLength": 3, "maxLength": 2}}, "minLength, 3, is more than maxLength, 2"),
    ],
)
def test_what_asks_for_nothing_or_for_what_cannot_be_is_refused(
    constraints: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=r"^constraints") as refused:
        check_constraints(constraints)
    assert named in str(refused.value)
    check_constraints({"json": True, "begins": "{", "ends": "}", "characters": 2, "words": None})


def test_what_is_written_goes_before_columns_and_wording() -> None:
    ifeval = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    written = {**ifeval, "constraints": {"words": 3}}
    request = "Say it in two sentences."
    kinds = [[one.kind for one in find_constraints(request, row)] for row in (written, ifeval, {})]
    assert kinds == [["words"], ["punctuation:no_comma"], ["length_constraints:number_sentences"]]
    assert find_constraints(request, {"constraints": "none"})[0].kind.startswith("length"), "another column"


def test_a_reference_beside_other_keys_counts_with_them() -> None:
    schema = {"$ref": "#/$defs/short", "minLength": 2, "$defs": {"short": {"maxLength": 3}}}
    assert [bool(faults({"json": schema}, f'"{text}"')) for text in ("a", "ab", "abcd")] == [
        True,
        False,
        True,
    ]
