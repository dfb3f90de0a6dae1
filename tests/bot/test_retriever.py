from pathlib import Path

import pytest

from bot.retriever import PASSAGES_OFFERED, Retriever, Weights
from knowledge.record import Facet
from tests.fakes import LetterEmbedder, record, small_index

AAA = record("aaa", (Facet.SUMMARY, "aaaa bbbb"), (Facet.FINDING, "cccc aaaa"), questions=["zzzz?", "yyyy?"])
ZED = record("zed", (Facet.SUMMARY, "zzzz"))


def test_a_records_score_is_the_weighted_sum_that_the_weights_say(tmp_path: Path) -> None:
    """Question "aaaa": cosine .7071 with the best passage of aaa, 0 with its questions, and its only word is held."""
    index = small_index(tmp_path, AAA, ZED)
    scores = {
        name: Retriever(LetterEmbedder(), Weights(**{**dict.fromkeys(FIELDS, 0.0), name: 1.0}))
        .retrieve(index, "aaaa")
        .best_score
        for name in FIELDS
    }
    words = index.record_words.scores(["aaaa"])[0] / index.record_words.idf("aaaa")
    assert scores["passage_cosine"] == pytest.approx(0.5**0.5, abs=1e-6)
    assert scores["question_cosine"] == pytest.approx(0.0, abs=1e-6)
    assert scores["record_words"] == pytest.approx(words, abs=1e-6)


FIELDS = ("passage_cosine", "question_cosine", "record_words", "own_cosine", "own_words")


def test_a_record_is_found_by_the_questions_that_it_answers(tmp_path: Path) -> None:
    index = small_index(tmp_path, AAA, record("mmm", (Facet.SUMMARY, "mmmm")))
    assert Retriever(LetterEmbedder()).retrieve(index, "yyyy zzzz").record_ids[0] == "aaa"


def test_evidence_is_numbered_best_first_and_scores_are_what_orders_it(tmp_path: Path) -> None:
    found = Retriever(LetterEmbedder()).retrieve(small_index(tmp_path, AAA, ZED), "cccc")
    assert [item.key for item in found.evidence] == ["E1", "E2", "E3"]
    assert found.evidence[0].passage.text == "cccc aaaa"
    scores = [item.hit.score for item in found.evidence]
    assert scores == sorted(scores, reverse=True)


def test_a_misspelt_word_still_finds(tmp_path: Path) -> None:
    index = small_index(
        tmp_path, record("pet", (Facet.SUMMARY, "petitions and deans")), record("pie", (Facet.SUMMARY, "pie on it"))
    )
    found = Retriever(LetterEmbedder(), Weights(passage_cosine=0, question_cosine=0)).retrieve(index, "petitoins")
    assert found.record_ids[0] == "pet"
    assert found.best_score > 0


def test_a_question_without_any_known_word_is_not_answerable(tmp_path: Path) -> None:
    found = Retriever(LetterEmbedder()).retrieve(small_index(tmp_path, AAA), "7 8 9")
    assert not found.answerable


def test_the_caution_of_an_offered_record_is_offered_though_it_fits_the_question_worst(tmp_path: Path) -> None:
    findings = [(Facet.FINDING, f"cccc {n}") for n in range(PASSAGES_OFFERED + 5)]
    index = small_index(tmp_path, record("one", *findings, (Facet.CAUTION, "zzzz"), (Facet.CAUTION, "zzzz cccc zzzz")))
    evidence = Retriever(LetterEmbedder()).retrieve(index, "cccc").evidence
    assert len(evidence) == PASSAGES_OFFERED + 1
    assert evidence[-1].passage.text == "zzzz cccc zzzz"


@pytest.mark.real
def test_the_studys_own_findings_are_found(real_engine) -> None:
    for question in (
        "What motivates medical learners to take up anti-racist activism?",
        "Which three strategies of medical learners does the study name?",
        "What challenges and resistance do learner activists meet, according to Shahzad?",
        "What does the study on medical learners' anti-racist activism call for?",
        "How was the study of medical learners' anti-racist activism done?",
        "What does Shahzad's study not say?",
    ):
        reply = real_engine.reply(question)
        assert "shahzad-2025-learners-activism" in [source.record.id for source in reply.sources], question
