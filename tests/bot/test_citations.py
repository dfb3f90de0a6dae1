import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.citations import read_claim
from knowledge.record import Facet
from tests.fakes import evidence, record

OFFERED = {item.key: item for item in evidence(record("r", (Facet.FINDING, "It rose."), (Facet.FINDING, "It fell.")))}


def test_markers_at_the_end_become_evidence() -> None:
    claim = read_claim("It rose, then fell. [E1][E2] [E1]", OFFERED)
    assert claim is not None
    assert claim.text == "It rose, then fell."
    assert [item.key for item in claim.cited] == ["E1", "E2"]
    assert claim.unknown_markers == ()


def test_a_fabricated_marker_is_kept() -> None:
    claim = read_claim("It rose. [E1][E7]", OFFERED)
    assert claim is not None
    assert claim.unknown_markers == ("E7",)


@pytest.mark.parametrize("line", ["", "   ", "[E1]", "…", "-- [E2]"])
def test_a_line_without_words_is_no_claim(line: str) -> None:
    assert read_claim(line, OFFERED) is None


@given(st.text(max_size=80))
def test_whatever_a_draft_says_no_marker_is_lost_or_invented(line: str) -> None:
    claim = read_claim(line, OFFERED)
    if claim:
        assert all(item.key in line for item in claim.cited)
        assert all(name in line for name in claim.unknown_markers)
        assert not set(claim.unknown_markers) & set(OFFERED)
