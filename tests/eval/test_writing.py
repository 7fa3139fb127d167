"""Pure measures of texts, on texts whose figures are plain to see."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.config.sections import family_of
from solon.eval.suites import duplicates
from solon.eval.suites.diversity import measure_distinct, measure_self_bleu, measure_variety
from solon.eval.suites.duplicates import find_twins, overlap
from solon.eval.writing import (
    count_marks,
    find_broken_markdown,
    find_personal,
    find_rude,
    is_refusal,
)
from solon.formats.benchmarks import _grams
from solon.languages import KNOWN, find_language, primary
from solon.words import count_sentences, find_words, measure_readability


def test_readability_follows_flesch() -> None:
    # 14 words, 2 sentences, 16 syllables by the rule (ve-ry, hap-py).
    text = "The cat sat on the mat. It was a very good and happy cat."
    words, sentences = len(find_words(text)), count_sentences(text)
    assert (words, sentences) == (14, 2)
    assert measure_readability(text) == pytest.approx(206.835 - 1.015 * 7 - 84.6 * 16 / 14)
    assert measure_readability("Too short.") is None
    hard = (
        "Institutional considerations necessitate comprehensive interdisciplinary collaboration, notwithstanding "
        * 2
    )
    assert (measure_readability(hard) or 0) < 0


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to jane.doe+x@mail.example.org today", {"email": 1}),
        ("call +44 20 7946 0958 or 555-123-4567", {"phone": 2}),
        ("card 4111 1111 1111 1111", {"card": 1}),
        ("no card 4111 1111 1111 1112", {}),
        ("host 192.168.0.1, version 1.2.3", {"ip_address": 1}),
        ("ssn 123-45-6789", {"us_social_security": 1}),
        ("the year 2024 and 3.14159", {}),
    ],
)  # fmt: skip
def test_personal_data_by_its_form(text: str, kinds: dict[str, int]) -> None:
    found = find_personal(text)
    assert {kind: found.get(kind, 0) for kind in kinds} == kinds
    if not kinds:
        assert "card" not in found
        assert "email" not in found


def test_refusals_rude_words_and_marks() -> None:
    assert is_refusal("I'm sorry, but I can't help with that.")
    assert is_refusal("As an AI language model, I have no opinion.")
    assert not is_refusal("You can't help with that if you are away.")
    assert find_rude("What a damn mess, classic!") == 1
    assert count_marks("# Title\n- one\n- two\n**bold** and `code`\n```\nx\n```") == 6
    assert count_marks("Plain words, nothing else.") == 0


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("```python\nprint(1)\n", ("open fence",)),
        ("```\n**x\n```", ()),
        ("a **bold word\n\nnext", ("open bold",)),
        ("see [this](http://x", ("open link",)),
        ("| a | b |\n|---|---|\n| 1 | 2 | 3 |", ("uneven table",)),
        ("| a | b |\n|---|---|\n| 1 | 2 |", ()),
    ],
)
def test_broken_markdown(text: str, problems: tuple[str, ...]) -> None:
    assert find_broken_markdown(text) == problems


@given(st.text(max_size=400))
@settings(max_examples=60, deadline=None)
def test_no_text_breaks_a_measure(text: str) -> None:
    assert find_rude(text) <= len(find_words(text))
    assert count_marks(text) >= 0
    find_broken_markdown(text)
    find_personal(text)
    is_refusal(text)
    assert find_language(text) <= KNOWN


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("The cat sat on the mat and it was not pleased with what you have done.", "en"),
        ("Die Katze ist nicht zufrieden, und das Haus mit dem Garten wird verkauft.", "de"),
        ("Le chat est sur la table et les enfants ne sont pas dans le jardin.", "fr"),
        ("El gato está en la mesa y los niños no están en el jardín con su madre.", "es gl ca ast"),
        ("O gato não está na mesa, mas as crianças estão no jardim com você.", "pt gl"),
        ("Det er ikke en kat, og den har også været i haven med de andre dyr.", "da no nb nn"),
        ("Кошка сидит на столе и смотрит в окно.", "ru uk be bg sr mk kk ky mn tg tt"),
        ("猫はテーブルの上に座っています。", "ja"),
        ("猫坐在桌子上看着窗外的花园。", "zh yue ja"),
        ("고양이가 탁자 위에 앉아 있습니다.", "ko"),
        ("Run `the cat and the dog` or ```\nthe of and to in is that\n``` now.", ""),
        ("print(x) -> 42", ""),
        ("Zorg blimp quarx fnord glarb wibble snork plugh.", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_text_is_told_or_left_open(text: str, codes: str) -> None:
    assert find_language(text) == frozenset(codes.split())


def test_language_tags_are_read_by_their_first_part() -> None:
    assert [primary(tag) for tag in ("pt-BR", "EN", "zh_Hant", "english", "", None)] == [
        "pt", "en", "zh", None, None, None,
    ]  # fmt: skip


def test_variety_knows_copies_from_different_texts() -> None:
    copies = ["the same five words here again"] * 20
    different = [f"{a} {b} unlike {a}{b} entirely {b}{a}" for a in "abcde" for b in "vwxyz"][:20]
    assert measure_distinct([find_words(t) for t in copies], 1) == pytest.approx(6 / 120)
    assert (measure_self_bleu([find_words(t) for t in copies]).value or 0) == pytest.approx(1.0)
    one, other = measure_variety(copies), measure_variety(different)
    assert (one.self_bleu.value or 0) > (other.self_bleu.value or 0)
    assert (one.compression or 0) > (other.compression or 0)
    assert one.same_opening.value == 1.0
    assert one.openings == {"the same five": 20}
    assert measure_variety([]).self_bleu.value is None


def test_near_duplicates_are_found_and_others_are_not() -> None:
    base = "a long sentence about the weather in the north of the country during the coldest winter months"
    texts = [
        ("one", base),
        ("two", base + " indeed"),
        ("three", "something else entirely about law and courts of appeal"),
    ]
    assert [(t.name, t.other) for t in find_twins(texts)] == [("one", "two")]
    against = find_twins(texts, [("bench:1", base)])
    assert {(t.name, t.other) for t in against} == {("one", "bench:1"), ("two", "bench:1")}
    assert find_twins([]) == []


def test_near_duplicates_are_told_by_their_own_similarity_and_not_by_an_estimate() -> None:
    """Texts that share four of six trigrams: estimates from 128 hashes put some of these pairs at .7 or more."""
    under = [(str(i), f"write exactly three paragraphs on subject {i}") for i in range(40)]
    assert find_twins(under) == []
    over = [(str(i), f"please write exactly three long paragraphs on subject {i}") for i in range(8)]
    found = find_twins(over)
    assert len(found) == 28
    assert {t.similarity for t in found} == {0.75}


def test_families_and_grams() -> None:
    names = {
        "openai:gpt-4o-mini": "gpt",
        "vllm:Qwen/Qwen3-8B": "qwen",
        "claude-sonnet-4": "claude",
        "local:smollm2": "smollm",
    }
    assert {name: family_of(name) for name in names} == names
    assert family_of("openai:gpt-4o-mini", {"openai:gpt-4o-mini": " Omni "}) == "omni"
    assert len(_grams(["a"] * 15, 13)) == 3
    assert _grams(["a"], 13) == []


def test_texts_of_one_template_are_not_all_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 texts that differ in two words have 44,850 pairs; two of them differ by a full stop."""
    compared: list[str] = []

    def counted(one: str, other: str) -> float:
        compared.append(one)
        return overlap(one, other)

    monkeypatch.setattr(duplicates, "overlap", counted)
    about = "is described in plain words that a child of ten understands and every buyer in a shop believes, with its "
    about += "size and its weight, what it is made of, who makes it, how it is cared for and when it can be had again"
    texts = [(f"t{n}", f"The article {n} from the town of {n * 7} {about}") for n in range(300)]
    texts.append(("again", texts[170][1] + "."))
    found = find_twins(texts)
    assert len(compared) <= 301 * duplicates.CROWD
    assert {twins.other for twins in found} >= {name for name, _ in texts[1:]}
    assert any({twins.name, twins.other} == {"t170", "again"} for twins in found)
