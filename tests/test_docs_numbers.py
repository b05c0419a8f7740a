"""Every sentence with a number in README.md and docs/ comes from the code, a committed report, a test or a command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from _docs_elsewhere import DEFINITIONS, VOUCHED, VOUCHERS
from _docs_figures import figures
from _docs_measured import measured
from _docs_truths import truths

pytestmark = pytest.mark.truth

FIGURES, TRUTHS = [*figures(), *measured()], truths()

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
#: Made by a command, and compared with it by another test: the registry's pages, the README's tables.
GENERATED = re.compile(
    r"<!-- made from registry\.toml.*?<!-- end -->|^\|[^\n]*$(?=(?:(?!<!-- \w+: begin).)*<!-- \w+: end -->)",
    re.MULTILINE | re.DOTALL,
)
#: Formulas, code, links, and numbers that are part of a name.
NAMES = re.compile(
    r"\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`|\]\([^)]*\)|https?://\S+"
    r"|\b(?:L2|F1|CIFAR-10|float(?:16|32|64)|bfloat16|int(?:8|32)|nycflights13|KDD ?(?:Cup )?(?:20)?1[02]|SHA-256"
    r"|UTF-(?:8|16|32)|CRC-32|CC BY 4\.0|CC0 1\.0|arXiv [\d.]+|PAKDD 2026|BSD 3-Clause|entmax15|flights3m"
    r"|Precision@k|P@\d+%)(?!\w)",
    re.DOTALL,
)
#: A number of its own; 0, 1 and 2 are labels, ends of a scale and pairs.
NUMBER = re.compile(r"(?<![\w.,])[-+−.]?\d(?:[\d.,]*\d)?(?!\w)|[¹²³⁴⁵⁶⁷⁸⁹⁰]+")
SMALL = {"0", "1", "2", "²"}


def squeezed(text: str) -> str:
    return " ".join(text.split())


def page(name: str) -> str:
    return squeezed((ROOT / name).read_text(encoding="utf-8"))


def places(sentence: str, text: str) -> list[tuple[int, int]]:
    return [(found.start(), found.end()) for found in re.finditer(re.escape(sentence), text)]


def filled(fragment: str, values: tuple[Any, ...]) -> str:
    return fragment.format(*values)


@pytest.mark.parametrize(("name", "fragment", "values"), FIGURES, ids=lambda value: str(value)[:40])
def test_the_number_is_the_codes_or_the_reports(name: str, fragment: str, values: tuple[Any, ...]) -> None:
    sentence = filled(fragment, values)
    assert sentence in page(name), f"{name} should say: {sentence}"


@pytest.mark.parametrize(("name", "sentence", "holds"), TRUTHS, ids=lambda value: str(value)[:40])
def test_the_sentence_is_there_and_holds(name: str, sentence: str, holds: bool) -> None:
    assert sentence in page(name), f"{name} no longer says: {sentence}; change the table in tests/_docs_truths.py"
    assert holds, f"{name} says what does not hold: {sentence}"


@pytest.mark.parametrize(("name", "sentence", "voucher"), VOUCHED, ids=lambda value: str(value)[:40])
def test_what_vouches_for_the_sentence_exists(name: str, sentence: str, voucher: str) -> None:
    text = page(name)
    assert sentence in text, f"{name} no longer says: {sentence}; change the table in tests/_docs_elsewhere.py"
    kind, _, what = voucher.partition(": ")
    assert kind in VOUCHERS
    if kind == "test":
        file, _, function = what.partition("::")
        assert f"def {function}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), voucher
    elif kind == "page":
        assert what in text, f"{name} should show where the number comes from: {what}"
    elif kind == "file":
        file, _, quoted = what.partition(" | ")
        assert squeezed(quoted) in squeezed((ROOT / file).read_text(encoding="utf-8")), voucher


@pytest.mark.parametrize(("name", "sentence"), DEFINITIONS, ids=lambda value: str(value)[:40])
def test_what_claims_nothing_is_there(name: str, sentence: str) -> None:
    assert sentence in page(name), f"{name} no longer says: {sentence}; drop it from tests/_docs_elsewhere.py"


def unsourced(text: str, sourced: list[str]) -> list[str]:
    """Numbers of a page that stand in none of these sentences, with what is around them."""
    text = squeezed(GENERATED.sub("", FENCE.sub("", text)).split("## References")[0])
    covered = bytearray(b"." * len(text))
    names = [(found.start(), found.end()) for found in NAMES.finditer(text)]
    for start, end in [*names, *(span for sentence in sourced for span in places(sentence, text))]:
        covered[start:end] = b"x" * (end - start)
    return [
        text[max(0, found.start() - 70) : found.end() + 30]
        for found in NUMBER.finditer(text)
        if found[0].strip(".-+−") not in SMALL and b"." in covered[found.start() : found.end()]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_every_number_in_a_sentence_has_a_source(name: str) -> None:
    sourced = [filled(fragment, values) for where, fragment, values in FIGURES if where == name]
    sourced += [sentence for where, sentence, *_ in (*TRUTHS, *VOUCHED, *DEFINITIONS) if where == name]
    left = unsourced((ROOT / name).read_text(encoding="utf-8"), sourced)
    assert left == [], f"numbers without a source in {name}: add them to one of the tables tests/_docs_*.py"


def test_the_check_sees_numbers_in_sentences_only() -> None:
    text = "L2 takes 3 s,\nor 1.5 ms (`n = 7`; 12 % saved) for 0 or 1, $x^4$.\n```\n8\n```\n10⁹ rows"
    assert len(unsourced(text, [])) == 4
    assert len(unsourced(text, ["3 s, or 1.5 ms"])) == 2
    assert unsourced(text, ["12 % saved", "10⁹ rows", "3 s, or 1.5 ms"]) == []
