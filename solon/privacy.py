"""Find what may name a person in a text, before it is sent anywhere. Imports nothing of Solon but `config`, `errors`
and `plugins`.

Patterns of our own for addresses, numbers and dates, and a small heuristic for names. This is a guard against
accidents, not a de-identifier: it misses names that stand without a title or a cue, and finds dates that are nobody's
birthday. A scanner of one's own (`privacy.scanner`) adds to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from solon.config.sections import PrivacyConfig
from solon.dialogues import spell_turn
from solon.errors import ConfigError
from solon.plugins import find_function, source_digest

VERSION = "1"
"""Of the patterns: a seed that was cleared under another version is scanned again."""

MOST = 200
"""Hits of one pattern in one field; a text with more is parked just the same."""

# Every repetition is bounded: a hostile text must not cost the square of its length.
_MONTHS = (
    r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|janv|févr|avr|juin|juil|août|déc|ene|abr|ago|dic"
    r"|gen|giu|lug|set|ott)\w{0,8}\.?"
)
_YEAR = r"(?:19|20)\d\d"
_DATE = (
    rf"(?:{_YEAR}[-/.](?:1[0-2]|0?[1-9])[-/.](?:3[01]|[12]\d|0?[1-9])"
    rf"|(?:3[01]|[12]\d|0?[1-9])\s?[-/.]\s?(?:3[01]|[12]\d|0?[1-9])\s?[-/.]\s?(?:{_YEAR}|\d\d)"
    rf"|(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th|\.)?\s{{1,3}}(?:of\s{{1,3}}|de\s{{1,3}})?{_MONTHS},?\s{{1,3}}(?:de\s{{1,3}}|del\s{{1,3}})?{_YEAR}"
    rf"|{_MONTHS}\s{{1,3}}(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?,?\s{{1,3}}{_YEAR})"
)
_BORN = (
    r"(?:d\.?\s?o\.?\s?b\.?|date\s{1,3}of\s{1,3}birth|birth\s?da(?:te|y)|born(?:\s{1,3}on)?|geb(?:oren|urtsdatum|\.)?(?:\s{1,3}am)?"
    r"|date\s{1,3}de\s{1,3}naissance|née?\s{1,3}le|fecha\s{1,3}de\s{1,3}nacimiento|nacid[oa]\s{1,3}el|data\s{1,3}di\s{1,3}nascita|nat[oa]\s{1,3}il)"
)
_RECORD = (
    r"(?:mrn|medical\s{1,3}record|patient(?:en)?(?:\s{1,3}record)?|chart|case|record|hospital|admission|file|insurance|member|policy"
    r"|fall|akte|aktenzeichen|patienten|versicherten|dossier|historia(?:\s{1,3}clínica)?|expediente|cartella)"
)
_NUMBER = r"(?:\s{0,3}-?\s{0,3}(?:no|nr|num(?:ber|mer|ero)?|id|nummer|n°|nº|№|#))"
_CODE = r"[A-Z]{0,4}[-/ ]?\d[\dA-Z]{0,19}(?:[-/.]\d[\dA-Z]{0,19}){0,5}"
_NAME = (
    r"[A-ZÀ-ÖØ-ÞĀ-Ž](?:[a-zß-öø-ÿā-ž]{1,30}|['’][A-ZÀ-ÖØ-ÞĀ-Ž][a-zß-öø-ÿā-ž]{1,30})"
    r"(?:['’-][A-ZÀ-ÖØ-ÞĀ-Ž]?[a-zß-öø-ÿā-ž]{1,30})?"
)
_NAMES = (
    rf"{_NAME}(?:\s{{1,3}}(?:(?:van|von|de|da|di|del|der|den|le|la|bin|al)\s{{1,3}}){{0,2}}{_NAME}){{0,2}}"
)
_AGED = r"(?:aged?\b|born\b|geb|née?\b|DOB|\*|\d{1,3}[- ]?(?:years?|yrs?|y/?o|jährig))"
_TITLES = (
    r"(?:Dr|Prof|Mr|Mrs|Ms|Miss|Mx|Sir|Dame|Herrn?|Frau|Hr|Fr|Mme|Mlle|Monsieur|Madame|Señora?|Sra?"
    r"|Sig(?:\.ra|nora?)?)\.?"
)


def _iban(found: str) -> bool:
    """Bank account number after ISO 13616: read as a number, its remainder by 97 is 1."""
    code = re.sub(r"\s", "", found).upper()
    digits = "".join(str(int(char, 36)) for char in code[4:] + code[:4])
    return 15 <= len(code) <= 34 and int(digits) % 97 == 1


def _luhn(found: str) -> bool:
    """Card number: the check digit of Luhn fits (ISO/IEC 7812)."""
    digits = [int(char) for char in found if char.isdigit()]
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and total % 10 == 0


def _nhs(found: str) -> bool:
    """British NHS number: ten digits of which the last is a check, modulus 11 with weights 10 to 2."""
    digits = [int(char) for char in found if char.isdigit()]
    check = 11 - sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=False)) % 11
    return len(digits) == 10 and check % 11 == digits[9] and check != 10


def _dni(found: str) -> bool:
    """Spanish identity number: eight digits, whose remainder by 23 gives the letter."""
    number, letter = int(found[:8]), found[-1].upper()
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == letter


def _enough_digits(found: str) -> bool:
    return 8 <= sum(char.isdigit() for char in found) <= 15


def _has_number(found: str) -> bool:
    return sum(char.isdigit() for char in found) >= 4


_NO_NAMES = frozenset(
    {
        "Safety",
        "Care",
        "Health",
        "Information",
        "Education",
        "Reported",
        "Outcome",
        "Outcomes",
        "Rights",
        "Has",
        "Is",
        "Was",
        "Presents",
        "With",
        "The",
        "A",
        "An",
        "And",
        "Should",
        "Can",
        "Will",
        "Who",
        "In",
        "Of",
        "For",
        "On",
        "At",
        "Data",
        "Record",
        "Records",
        "Name",
        "Portal",
        "Advocate",
        "Experience",
    }
)


def _is_name(found: str) -> bool:
    return found.split()[-1] not in _NO_NAMES and found.split()[0] not in _NO_NAMES


@dataclass(frozen=True, slots=True)
class _Pattern:
    kind: str
    regex: re.Pattern[str]
    holds: Callable[[str], bool] = bool


def _patterns() -> tuple[_Pattern, ...]:
    i = re.IGNORECASE
    return (
        _Pattern("email", re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")),
        _Pattern("iban", re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{2,4}){3,8}\b"), _iban),
        _Pattern("birth_date", re.compile(rf"\b{_BORN}\W{{0,6}}(?P<found>{_DATE})", i)),
        _Pattern("date", re.compile(rf"(?<![\d.])(?P<found>{_DATE})(?!\d)", i)),
        _Pattern(
            "record_number",
            re.compile(rf"\b{_RECORD}{_NUMBER}?[\s.:#°º]{{0,4}}(?P<found>{_CODE})", i),
            _has_number,
        ),
        _Pattern("national_id", re.compile(r"\b\d{3}-\d{2}-\d{4}\b")),
        _Pattern("national_id", re.compile(r"\b\d{3}[ -]?\d{3}[ -]?\d{4}\b"), _nhs),
        _Pattern("national_id", re.compile(r"\b\d{8}[A-Za-z]\b"), _dni),
        _Pattern(
            "national_id",
            re.compile(r"\b[12]\s?\d\d\s?(?:0[1-9]|1[0-2])\s?\d[\dAB]\s?\d{3}\s?\d{3}(?:\s?\d\d)?\b"),
        ),
        _Pattern("card", re.compile(r"\b(?:\d[ -]?){12,18}\d\b"), _luhn),
        _Pattern("phone", re.compile(r"(?<!\w)\+\d[\d ().\-/]{6,18}\d"), _enough_digits),
        _Pattern(
            "phone", re.compile(r"(?<![\w.])\(?0\d{1,5}\)?[ ./-]{1,3}\d[\d ./-]{3,12}\d"), _enough_digits
        ),
        _Pattern("phone", re.compile(r"(?<![\w.])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\w)")),
        _Pattern("name", re.compile(rf"\b(?:{_TITLES}\s{{1,3}}){{1,3}}(?P<found>{_NAMES})"), _is_name),
        _Pattern(
            "name",
            re.compile(
                r"\b(?:[Pp]atient(?:in)?|PATIENT|[Pp]aciente|[Pp]aziente|[Nn]ame[sd]?|[Nn]ame\s{1,3}is|[Cc]alled|[Nn]om"
                rf"|[Nn]ombre|I\s{{1,3}}am|[Hh]ei(?:ß|ss)e|[Ss]ign(?:ed|ature))(?:\s{{1,3}}is)?\s{{0,3}}[:,]?\s{{1,3}}(?P<found>{_NAME}\s{{1,3}}{_NAME})"
            ),
            _is_name,
        ),
        _Pattern(
            "name",
            re.compile(rf"\b(?P<found>{_NAME}\s{{1,3}}{_NAME})(?=,?\s{{0,3}}\(?\s{{0,3}}{_AGED})"),
            _is_name,
        ),
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that may name a person. It never holds the text itself.

    Attributes:
        kind: what it looks like, e.g. `email`, `name`, `date`.
        field: name of the seed's field, as `texts_of` gives it.
        start: first character of the place in the field's text.
        end: first character after it.
    """

    kind: str
    field: str
    start: int
    end: int

    def meets(self, other: Finding) -> bool:
        """Tell whether both findings share a character of the same field."""
        return self.field == other.field and self.start < other.end and other.start < self.end

    def as_list(self) -> list[Any]:
        """Return kind, field, start and end as a list, as it is stored."""
        return [self.kind, self.field, self.start, self.end]


_VAGUE = ("date", "phone")
"""Kinds that numbers of other kinds look like."""


class Scanner:
    """Finds what may name a person, by the built-in patterns and by a scanner of one's own where there is one.

    Attributes:
        identity: names the patterns and the scanner of one's own with their versions. A seed that was cleared under
            another identity is scanned again.
    """

    def __init__(self, own: Callable[[str], Iterable[Any]] | None = None, reference: str = "") -> None:
        self._patterns = _patterns()
        self._own, self._reference = own, reference
        self.identity = f"solon@{VERSION}"
        if own is not None:
            self.identity += f"+{reference}@{source_digest(own)}"

    def scan(self, fields: Mapping[str, str]) -> tuple[Finding, ...]:
        """Return what may name a person, ordered by field and place.

        Of places of one kind that overlap, only the first and longest is returned; dates and phone numbers are left
        out where they overlap something more certain.

        Args:
            fields: texts by the names of their fields, as `texts_of` gives them.

        Raises:
            ConfigError: the scanner of one's own failed; nothing may be sent then.
        """
        findings: set[Finding] = set()
        for field, text in fields.items():
            findings.update(Finding(kind, field, start, end) for kind, start, end in self._places(text))
        sure = [one for one in findings if one.kind not in _VAGUE and one.kind != "name"]
        findings -= {
            one for one in findings if one.kind in _VAGUE and any(one.meets(other) for other in sure)
        }
        kept: list[Finding] = []
        order = list(fields)
        for one in sorted(findings, key=lambda f: (order.index(f.field), f.kind, f.start, -f.end)):
            last = kept[-1] if kept else None
            if last and (last.field, last.kind) == (one.field, one.kind) and one.start < last.end:
                continue
            kept.append(one)
        return tuple(sorted(kept, key=lambda f: (order.index(f.field), f.start, f.kind)))

    def _places(self, text: str) -> Iterator[tuple[str, int, int]]:
        for pattern in self._patterns:
            group = "found" if "found" in pattern.regex.groupindex else 0
            for match in islice(pattern.regex.finditer(text), MOST):
                if pattern.holds(match.group(group)):
                    yield pattern.kind, match.start(group), match.end(group)
        if self._own is not None:
            yield from self._ask_own(text)

    def _ask_own(self, text: str) -> Iterator[tuple[str, int, int]]:
        assert self._own is not None
        try:
            for entry in self._own(text):
                kind, start, end = _read_own(entry)
                if not 0 <= start < end <= len(text):
                    raise ValueError(f"{start}:{end} is no place in a text of {len(text)} characters")
                yield kind, start, end
        except Exception as error:  # foreign code may fail in any way, and its words may hold the text
            raise ConfigError(
                f"privacy.scanner = {self._reference!r} failed: {type(error).__name__}",
                next_step="it must give (kind, start, end) for every hit in a text; mend it, nothing was sent",
            ) from None


def _read_own(entry: Any) -> tuple[str, int, int]:
    """(kind, start, end), a mapping, or an object with such attributes, as presidio's analyser gives them."""
    if isinstance(entry, Mapping):
        values = (entry.get("kind") or entry.get("entity_type"), entry["start"], entry["end"])
    elif isinstance(entry, tuple | list):
        values = (entry[0], entry[1], entry[2])
    else:
        values = (getattr(entry, "kind", None) or entry.entity_type, entry.start, entry.end)
    kind = re.sub(r"[^a-z0-9_]+", "_", str(values[0]).lower())[:40]
    return kind, int(values[1]), int(values[2])


def make_scanner(config: PrivacyConfig) -> Scanner | None:
    """Return the scanner that a privacy section asks for; None where the seeds are synthetic and none is needed.

    Raises:
        ConfigError: `privacy.scanner` cannot be found, or is no function.
    """
    if config.class_ == "synthetic":
        return None
    if config.scanner is None:
        return Scanner()
    own = find_function(config.scanner, "privacy.scanner")
    if not callable(own):
        raise ConfigError(f"privacy.scanner = {config.scanner!r} is no function")
    return Scanner(own, config.scanner)


def texts_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a seed that models are sent, by field (`prompt`, `messages[0]`, ...), without empty ones."""
    texts: dict[str, str] = {}
    for index, turn in enumerate(content.get("messages") or ()):
        texts[f"messages[{index}]"] = spell_turn(turn)
    if not texts:
        texts["prompt"] = str(content.get("prompt") or "")
    for name in ("input", "reference"):
        texts[name] = str(content.get(name) or "")
    for index, response in enumerate(content.get("responses") or ()):
        texts[f"responses[{index}]"] = str(response.get("text") or "")
    return {name: text for name, text in texts.items() if text}
