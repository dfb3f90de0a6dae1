"""What becomes of bad files: each has its line with what is wrong and what to do, and the good ones beside them go in."""

import sys
import time
from datetime import date
from pathlib import Path

import pytest

from ingest import safety
from ingest.add import Additions, find, read_all
from ingest.report import FileReport, no_progress
from knowledge.record import Facet
from tests.fakes import record
from tests.ingest import memory
from tests.ingest.files import BAD, GOOD, make

CURATED = [record("curated", (Facet.SUMMARY, "A curated work."))]


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Additions:
    folder = tmp_path_factory.mktemp("library") / "all"
    make(folder)
    before = set(folder.parent.rglob("*"))
    started = time.monotonic()
    made = read_all(list(find(folder)), {}, CURATED, today=date(2026, 1, 2), corrections={}, progress=no_progress)
    assert time.monotonic() - started < 240
    assert set(folder.parent.rglob("*")) == before, "reading leaves nothing behind"
    return made


@pytest.fixture(scope="module")
def lines(added: Additions) -> dict[str, FileReport]:
    return {line.path: line for line in added.files}


def line_of(lines: dict[str, FileReport], name: str) -> FileReport:
    shown = "".join(
        c if c.isprintable() and ord(c) < 0x202A else c.encode("unicode_escape", "surrogatepass").decode() for c in name
    )
    return next(line for path, line in lines.items() if path in (name, shown) or path.startswith(name + "/"))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_ends_as_it_should_with_reason_and_remedy(lines: dict[str, FileReport], name: str) -> None:
    line = line_of(lines, name)
    assert line.status in BAD[name].outcomes, line.reason
    assert BAD[name].says in (line.reason or "")
    if line.status not in ("added", "unchanged"):
        assert line.reason
        assert "\n" not in line.reason
        assert "Traceback" not in line.reason


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_beside_them_goes_in(lines: dict[str, FileReport], name: str) -> None:
    line = line_of(lines, name)
    assert (line.status, line.reason) == ("added", None)


GREEDY = (
    "bomb.pdf", "bomb.docx", "bomb.pptx", "entities.docx", "run-length.pdf", "deep-arrays.pdf", "deep.html", "many-tags.html",
    "one-line.txt", "deep.json", "many-brackets.md", "deep-braces.bib",
)  # fmt: skip
READ_ALL = """
import sys
from datetime import date
from pathlib import Path
from ingest.add import find, read_all
from ingest.report import no_progress
files = list(find(Path(sys.argv[1])))
made = read_all(files, {}, [], today=date(2026, 1, 2), corrections={}, progress=no_progress)
sys.exit(len(made.files))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")
def test_the_greediest_files_stay_within_the_memory_that_is_theirs(tmp_path: Path) -> None:
    for name in GREEDY:
        BAD[name].write(tmp_path / name)
    in_all, largest_reader, reported = memory.peaks([sys.executable, "-c", READ_ALL, tmp_path])
    assert reported == len(GREEDY)
    assert 20e6 < largest_reader < safety.MEMORY_BYTES
    assert in_all < 1.5e9


def test_nothing_hidden_reached_the_library(added: Additions) -> None:
    texts = " ".join(holding.record.text for holding in added.holdings)
    assert "Ignore all rules" not in texts
    assert "Secret" not in texts


def test_what_was_understood_is_reported_for_correction(lines: dict[str, FileReport], added: Additions) -> None:
    assert lines["good.md"].metadata == {
        "title": "Reviewing cases", "authors": ["Ada Lee", "Bo Chan"], "year": 2021, "doi": None, "url": None,
    }  # fmt: skip
    assert lines["good.bib"].records == 2
    sources = {holding.record.source.title: holding.record.source for holding in added.holdings}
    assert sources["On Müller"].authors == ("Ada Lee", "Bo Chan")
    assert (sources["On Müller"].doi, sources["On Müller"].year) == ("10.1234/things.1", 2019)
    assert (sources["A book only listed"].kind, sources["On Müller"].kind) == ("reference", "document")
    assert sources["A RIS entry"].year == 2022
    assert sources["A small book"].authors == ("Ada Lee",)
    assert sources["Letter to the dean"].authors == ("Di Evans",)
    assert sources["A timetable"].authors == ("Cy Diaz",)
    assert {source.tier for source in sources.values()} == {"unreviewed"}


def test_each_excerpt_stands_in_its_record_at_its_offsets(added: Additions) -> None:
    for holding in added.holdings:
        for excerpt, start, end in holding.record.excerpt_spans():
            assert holding.record.text[start:end] == excerpt.text


def test_pages_and_headings_are_kept(added: Additions) -> None:
    excerpts = {h.record.source.title: h.record.document.excerpts for h in added.holdings if h.record.document}
    assert [(excerpt.page, excerpt.text) for excerpt in excerpts["Two pages"]] == [
        (1, "First page. The dean asked for a plan, and the plan came in May."),
        (2, "Second page. A vote was held in June."),
    ]
    assert excerpts["Reviewing cases"][0].headings == ("How",)
    assert excerpts["Why now"][1].headings == ("How",)
    assert excerpts["Why now"][1].page == 2
