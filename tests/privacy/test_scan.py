"""What the patterns find, what they leave alone, and that a hostile text costs no more than its length."""

from __future__ import annotations

import time

import pytest

from solon.config.sections import PrivacyConfig
from solon.privacy import Scanner, make_scanner, texts_of


def found(text: str) -> set[tuple[str, str]]:
    return {(f.kind, text[f.start : f.end]) for f in Scanner().scan({"prompt": text})}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. John O'Neil came.", {("name", "John O'Neil")}),
        ("Frau Dr. Anna-Lena Groß-Müller bittet", {("name", "Anna-Lena Groß-Müller")}),
        ("My name is Bob Jones.", {("name", "Bob Jones")}),
        ("Maria Rossi, 54 years, coughs", {("name", "Maria Rossi")}),
        ("DOB: 04/12/1958", {("birth_date", "04/12/1958")}),
        ("geb. am 12.03.1950", {("birth_date", "12.03.1950")}),
        ("née le 2 février 1980", {("birth_date", "2 février 1980")}),
        ("seen on 2024-05-17", {("date", "2024-05-17")}),
        ("MRN 00123456", {("record_number", "00123456")}),
        ("Fallnummer: A-123456/22", {("record_number", "A-123456/22")}),
        ("write to a.b+c@mail.example.org", {("email", "a.b+c@mail.example.org")}),
        ("call +49 (0)30 1234567", {("phone", "+49 (0)30 1234567")}),
        ("call 555-867-5309 now", {("phone", "555-867-5309")}),
        ("pay DE89 3704 0044 0532 0130 00", {("iban", "DE89 3704 0044 0532 0130 00")}),
        ("SSN 123-45-6789", {("national_id", "123-45-6789")}),
        ("NHS 943 476 5919", {("national_id", "943 476 5919")}),
        ("DNI 12345678Z", {("national_id", "12345678Z")}),
        ("card 4111 1111 1111 1111", {("card", "4111 1111 1111 1111")}),
    ],
)
def test_finds(text: str, expected: set[tuple[str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "What is the dose of 500 mg amoxicillin for a 70 kg patient over 10 days?",
        "Patient Safety Goals 2019: list three.",
        "The ICD-10 code E11.9, RFC 2616 of 1999, and 3.5 to 4.2 mmol/l",
        "HbA1c 7.5; BP 120/80; GFR 45-60; case 12 of the study",
        "In March 2020 the pandemic began; 1,000,000 people, 3.14159265",
        "Compute 123456789 * 987654321 and 2^64 = 18446744073709551616.",
        "DE00 0000 0000 0000 0000 00 is no account, 4111 1111 1111 1112 no card.",
        "Explain in plain words what thing number 3 does",
    ],
)
def test_leaves_alone(text: str) -> None:
    assert found(text) == set()


def test_every_text_that_is_sent_is_scanned() -> None:
    content = {
        "prompt": "last",
        "messages": [{"role": "user", "content": "first"}, {"role": "user", "content": "last"}],
        "input": "given",
        "reference": "right",
        "responses": [{"text": "one"}, {"text": "two"}],
        "metadata": {"note": "is not sent"},
    }
    assert texts_of(content) == {
        "messages[0]": "first",
        "messages[1]": "last",
        "input": "given",
        "reference": "right",
        "responses[0]": "one",
        "responses[1]": "two",
    }
    assert texts_of({"prompt": "only", "input": ""}) == {"prompt": "only"}


def test_synthetic_seeds_are_not_scanned() -> None:
    assert make_scanner(PrivacyConfig()) is None
    scanner = make_scanner(PrivacyConfig(class_="deidentified"))
    assert scanner is not None
    assert scanner.identity == "solon@1"


@pytest.mark.parametrize(
    "text", ["a", "1", "1 ", "Anna ", "MRN ", "(0", "a@", "1.2.", "Name ", " ", "+1-", "A'", "DE12 "]
)
def test_cost_grows_with_length_only(text: str) -> None:
    def seconds(times: int) -> float:
        begun = time.process_time()
        Scanner().scan({"x": text * times})
        return time.process_time() - begun

    seconds(100)
    once, eight = seconds(4_000), seconds(32_000)
    assert eight < 40 * max(once, 0.002)  # a square would be 64 times
