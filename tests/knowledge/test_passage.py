from knowledge.passage import passages_of
from knowledge.record import Facet
from tests.fakes import record


def test_passages_quote_their_record_and_cover_its_statements() -> None:
    item = record("r", (Facet.FINDING, "It rose."), (Facet.SUMMARY, "A study."))
    passages = passages_of(item)
    assert [item.text[p.start : p.end] for p in passages] == [p.text for p in passages] == ["It rose.", "A study."]


def test_an_id_stays_while_the_statement_does() -> None:
    before = record("r", (Facet.FINDING, "It rose."), (Facet.FINDING, "It fell."))
    after = record("r", (Facet.SUMMARY, "New."), (Facet.FINDING, "It rose."), (Facet.FINDING, "It fell twice."))
    kept = {p.id for p in passages_of(before)} & {p.id for p in passages_of(after)}
    assert kept == {passages_of(before)[0].id}
