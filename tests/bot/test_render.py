from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.render import ONE_SOURCE, authors, escape, markdown, reference
from bot.reply import Citation, Outcome, Reason, Reply, ShownClaim, Source
from knowledge.passage import passages_of
from knowledge.record import Facet, Record
from tests.fakes import record

READ = "read 2 January 2026"


def shown(item: Record, number: int, marker: int = 1, limits: bool = False) -> ShownClaim:
    passage = passages_of(item)[number]
    return ShownClaim(passage.text, passage.facet, 1.0, (Citation(marker, passage),), limits)


def answer(*claims: ShownClaim, sources: tuple[Source, ...]) -> Reply:
    return Reply("q", "q", Outcome.ANSWER, claims=claims, sources=sources)


ONE = record(
    "one",
    (Facet.PRACTICE, "Write first."),
    (Facet.FINDING, "It rose."),
    (Facet.CAUTION, "One site."),
    year=2024,
    authors=["A. Writer"],
)
TWO = record(
    "two",
    (Facet.PRACTICE, "Meet the dean."),
    organization="A School",
    title_is_descriptive=True,
    kind="news",
    tier="news",
)


def test_an_answer_leads_then_groups_and_keeps_a_caution_under_its_finding() -> None:
    reply = answer(
        shown(ONE, 0),
        shown(TWO, 0, 2),
        shown(ONE, 1),
        shown(ONE, 2, limits=True),
        sources=(Source(1, ONE), Source(2, TWO)),
    )
    assert markdown(reply) == (
        "Write first. \\[1\\]\n\n"
        "**What people do or advise**\n\n- Meet the dean. \\[2\\]\n\n"
        "**What has been found**\n\n- It rose. \\[1\\]\n  - *Caution:* One site. \\[1\\]\n\n"
        "**Sources**\n\n"
        f"1. A. Writer (2024). *Work one*. — study, peer-reviewed; {READ}.\n"
        f"2. A School (no date shown). \\[Work two\\]. — news, news report; {READ}.\n"
    )


def test_a_source_that_was_added_here_stands_out() -> None:
    item = record("mine", (Facet.FINDING, "It rose."), tier="unreviewed")
    assert f"— study, **added here, not reviewed**; {READ}." in markdown(
        answer(shown(item, 0), sources=(Source(1, item),))
    )


def test_one_source_is_said() -> None:
    assert ONE_SOURCE in markdown(answer(shown(ONE, 0), sources=(Source(1, ONE),)))
    assert ONE_SOURCE not in markdown(answer(shown(ONE, 0), shown(TWO, 0, 2), sources=(Source(1, ONE), Source(2, TWO))))


def test_an_abstention_shows_pointers_and_no_claim() -> None:
    reply = Reply("q", "q", Outcome.ABSTAIN, Reason.NO_EVIDENCE, "I do not know.", nearest=(ONE,))
    assert markdown(reply) == "I do not know.\n\n**Nearest in the knowledge**\n\n- A. Writer (2024). *Work one*.\n"


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/a.png)",
        "[here](http://evil.example)",
        "<img src=x onerror=alert(1)>",
        "<http://evil.example>",
        "`code` **bold** # head",
        "a | b\n--|--",
        "$x$ ~~gone~~",
    ],
)
def test_nothing_in_a_statement_formats_links_or_loads(text: str) -> None:
    html = MarkdownIt().enable(["table", "strikethrough"]).render(f"- {escape(text)}")
    assert not any(tag in html for tag in ("<img", "<a ", "<code", "<strong", "<h1", "<table", "<s>"))


@given(st.text(alphabet=st.characters(blacklist_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=40))
def test_a_reader_sees_an_escaped_text_to_the_letter(text: str) -> None:
    tokens = MarkdownIt().parseInline(f"x{escape(text)}x")[0].children or []
    assert "".join(token.content for token in tokens if token.type in {"text", "text_special"}) == f"x{text}x"


def test_names_are_listed_as_readers_expect() -> None:
    assert authors(None) is None
    assert authors(["A", "et al."]) == "A, et al."
    assert authors(["A", "B", "C"]) == "A, B, C"


def test_a_reference_shows_only_what_the_page_showed() -> None:
    full = record("r", (Facet.SUMMARY, "A."), venue="Journal_X", url="https://example.org/a", year=2020)
    assert reference(full.source) == "*Work r* (2020). Journal\\_X. <https://example.org/a>"
    assert reference(replace_source(full, url=None, doi="10.1000/x").source).endswith("<https://doi.org/10.1000/x>")


def replace_source(item: Record, **fields: object) -> Record:
    return item.model_copy(update={"source": item.source.model_copy(update=fields)})


def test_notices_stand_first() -> None:
    reply = replace(answer(shown(ONE, 0), sources=(Source(1, ONE),)), notices=("I understood: x",))
    assert markdown(reply).startswith("*I understood: x*\n\n")
