import json
from pathlib import Path

import pytest

from bot.contract import reply_json
from bot.document import Document, Line, Section
from bot.export import export
from bot.recheck import Standing, read_citations, receipt, recheck, recheck_file
from bot.reply import Citation, Outcome, Reply, ShownClaim
from ingest.build import build
from knowledge.errors import QuestionError
from knowledge.generation import GenerationStore
from knowledge.passage import passages_of
from knowledge.record import Facet, Record, render_record
from knowledge.settings import IndexSettings
from tests.fakes import LetterEmbedder, record, small_index

ITEM = record("work", (Facet.FINDING, "It rose by two."), (Facet.CAUTION, "One site."))


def reply_citing(item: Record, generation: str = "g") -> Reply:
    passage = passages_of(item)[0]
    claim = ShownClaim(passage.text, passage.facet, 1.0, (Citation(1, passage),))
    return Reply("did it rise?", "did it rise?", Outcome.ANSWER, claims=(claim,), generation=generation)


def saved(folder: Path, form: str, reply: Reply) -> Path:
    texts = {
        "json": json.dumps(reply_json(reply)),
        "lines": json.dumps({"id": "1", **reply_json(reply)}) + "\n" + json.dumps({"id": "2", "error": "x"}) + "\n",
        "receipt": f"# An exported answer\n\nIt rose by two. [1]\n\n{receipt(reply)}\n",
    }
    file = folder / f"answer.{form}"
    file.write_text(texts[form])
    return file


@pytest.mark.parametrize("form", ["json", "lines", "receipt"])
def test_each_saved_form_gives_the_same_citation_without_the_question(tmp_path: Path, form: str) -> None:
    (cited,) = read_citations(saved(tmp_path, form, reply_citing(ITEM)))
    assert (cited.record_id, cited.digest, cited.generation) == ("work", passages_of(ITEM)[0].digest, "g")
    assert "did it rise" not in receipt(reply_citing(ITEM))


@pytest.mark.parametrize("form", ["md", "docx", "pdf"])
def test_an_exported_document_can_be_checked_again(tmp_path: Path, form: str) -> None:
    other = record("other", (Facet.FINDING, "Nothing of it is repeated."))
    lines = (Line("It rose by two.", "cited", (1,)), Line("Time: 60 minutes", "cited", (2,)), Line("Mine.", "own"))
    file = tmp_path / f"plan.{form}"
    file.write_bytes(export(Document("A plan", (Section("Why", lines),), (ITEM, other)), form))
    first, second = read_citations(file)
    assert (first.record_id, first.digest) == ("work", passages_of(ITEM)[0].digest)
    assert (second.record_id, second.passage_id) == ("other", "")
    assert "Mine" not in str([first, second])
    index = small_index(tmp_path / "later", record("work", (Facet.FINDING, "It rose by three.")), other)
    assert [recheck(cited, index).standing for cited in (first, second)] == [Standing.CHANGED, Standing.UNCHANGED]
    gone = other.model_copy(update={"retracted": "by its journal"})
    index = small_index(tmp_path / "last", ITEM, gone)
    assert [recheck(cited, index).standing for cited in (first, second)] == [Standing.UNCHANGED, Standing.RETRACTED]


@pytest.mark.parametrize("start", [b"%PDF-1.7\n", b"PK\x03\x04", b"\xff\xfe"])
def test_a_damaged_export_is_said(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "a").write_bytes(start + b"\x00\x01 broken")
    with pytest.raises(QuestionError, match="cannot be read as text"):
        read_citations(tmp_path / "a")


@pytest.mark.parametrize("text", ["", "hello", "[]", "{}", '{"claims": [1, {"citations": 3}]}', "\x00"])
def test_a_file_without_citations_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(QuestionError, match="holds no citation"):
        read_citations(tmp_path / "a")
    with pytest.raises(QuestionError, match="cannot be read"):
        read_citations(tmp_path / "nowhere")


@pytest.mark.real
@pytest.mark.parametrize(
    ("later", "standing"),
    [
        (ITEM, Standing.UNCHANGED),
        (record("work", (Facet.SUMMARY, "It rose by two.")), Standing.UNCHANGED),
        (record("work", (Facet.FINDING, "It rose by three."), (Facet.CAUTION, "One site.")), Standing.CHANGED),
        (record("other", (Facet.FINDING, "It rose by two.")), Standing.WITHDRAWN),
        (
            record("work", (Facet.FINDING, "It rose by two."), retracted="the journal withdrew it in 2026"),
            Standing.RETRACTED,
        ),
    ],
    ids=["same", "other facet", "changed", "withdrawn", "retracted"],
)
def test_a_saved_answer_says_what_became_of_its_source(tmp_path: Path, later: Record, standing: Standing) -> None:
    settings = IndexSettings(data=tmp_path / "data", records=tmp_path / "records")
    settings.records.mkdir()
    (settings.records / f"{later.id}.md").write_text(render_record(later))
    (settings.records / "filler.md").write_text(render_record(record("filler", (Facet.SUMMARY, "Filler."))))
    build(settings, LetterEmbedder)
    _, (found,) = recheck_file(saved(tmp_path, "json", reply_citing(ITEM)), GenerationStore(settings.index_folder))
    assert found.standing is standing
