"""Reviews: planted problems are found, look-alikes are left alone, every reason is a statement."""

import json
from pathlib import Path

import pytest

from bot.review import ReviewError, checklist, read_slides, review, review_document, sentences
from knowledge.record import read_record

CASES = Path(__file__).parents[2] / "evals" / "cases" / "slides"
RECORDS = {path.stem: read_record(path) for path in (Path(__file__).parents[2] / "knowledge" / "records").glob("*.md")}
KEY = [json.loads(line) for line in (CASES / "key.jsonl").read_text(encoding="utf-8").splitlines()]


def flagged(row: dict) -> bool:
    found = review(read_slides((CASES / row["file"]).read_text(encoding="utf-8")), RECORDS).findings
    return any(
        f.slide == row["slide"] and (row["span"] in f.quote or f.quote.rstrip(".") in row["span"]) for f in found
    )


def questioned(line: str) -> list[str]:
    return [finding.code for finding in review(read_slides(f"## Slide 1: X\n- {line}"), RECORDS).findings]


@pytest.mark.parametrize("origin", ["development", "own", "fresh-1", "fresh-2"])
def test_planted_problems_are_found_and_look_alikes_left_alone(origin: str) -> None:
    rows = [row for row in KEY if row["origin"] == origin]
    hits = sum(flagged(row) for row in rows if row["problem"])
    false_alarms = sum(flagged(row) for row in rows if not row["problem"])
    assert hits / sum(bool(row["problem"]) for row in rows) >= 0.9
    assert hits / (hits + false_alarms) >= 0.95


def test_every_rule_and_gap_names_statements_that_exist() -> None:
    reasons = [reason for rule in checklist().rules for reason in rule.reasons]
    reasons += [item.reason for item in checklist().coverage]
    assert all(rule.reasons for rule in checklist().rules)
    for reason in reasons:
        assert any(reason.words in s.text for s in RECORDS[reason.record].statements), reason


def test_the_quote_stands_word_for_word_in_the_upload() -> None:
    for deck in sorted(CASES.glob("*.md")):
        text = deck.read_text(encoding="utf-8")
        assert all(finding.quote in text for finding in review(read_slides(text), RECORDS).findings)


def test_a_line_that_corrects_or_replaces_is_no_problem() -> None:
    assert questioned("Our sicklers know which drug to ask for") == ["stigmatising-language"]
    assert questioned('Replace "sickler" with "person with sickle cell disease"') == []
    assert questioned("Black patients have a higher pain threshold") == ["biological-risk"]
    assert questioned("That Black patients have a higher pain threshold is false") == []


def test_a_colour_is_no_race() -> None:
    for line in (
        "White-coat hypertension is common",
        "Black box warning in pregnancy",
        "White blood cell count is raised",
    ):
        assert questioned(line) == []


def test_a_group_alone_is_questioned_only_in_a_list_of_risk_factors() -> None:
    risky = review(read_slides("## Slide 1: Risk factors\n- Age\n- African American race"), RECORDS)
    plain = review(read_slides("## Slide 1: Participants\n- Age\n- African American race"), RECORDS)
    assert [finding.quote for finding in risky.findings] == ["African American race"]
    assert plain.findings == ()


def test_a_rule_without_its_records_says_nothing() -> None:
    assert review(read_slides("- Our sicklers and frequent flyers"), {}).findings == ()


def test_what_a_text_does_not_cover_is_said_only_if_it_touches_the_subject() -> None:
    about_skin = review(read_slides("# Rashes\n- Erythema of the leg"), RECORDS)
    assert "how signs look on brown and black skin" in [gap.topic for gap in about_skin.gaps]
    assert "how signs look on brown and black skin" not in [
        gap.topic for gap in review(read_slides("# Sums\n- Two and two"), RECORDS).gaps
    ]


def test_slides_keep_their_own_numbers_and_abbreviations_end_no_sentence() -> None:
    slides = read_slides("# Deck\nby Dr A.\n\n---\n## Slide 7: Drugs\n- One\n2) Two\n")
    assert [(s.number, s.title, s.lines) for s in slides] == [(0, "Deck", ("by Dr A.",)), (7, "Drugs", ("One", "Two"))]
    assert sentences("Mr Patel, 52, is well. He works e.g. nights.") == [
        "Mr Patel, 52, is well.",
        "He works e.g. nights.",
    ]


def test_every_line_of_a_review_is_cited_own_or_a_label() -> None:
    text = (CASES / "pain.md").read_text(encoding="utf-8")
    document = review_document(review(read_slides(text), RECORDS), RECORDS)
    for section in document.sections:
        for line in section.lines:
            if line.origin == "own":
                assert line.text.strip("“”") in text
            if line.origin == "cited":
                assert any(line.text == s.text for m in line.markers for s in document.sources[m - 1].statements)


def test_an_empty_or_endless_text_is_refused() -> None:
    with pytest.raises(ReviewError, match="no text"):
        read_slides(" \n---\n")
    with pytest.raises(ReviewError, match="longer than"):
        read_slides("x" * 2_000_001)
