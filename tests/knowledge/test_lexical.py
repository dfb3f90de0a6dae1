from pathlib import Path

import numpy as np
import pytest

from knowledge.errors import IndexCorrupt
from knowledge.lexical import LexicalIndex, stems, words

TEXTS = ["students signed a petition", "the dean refused", "students and the dean talked; students listened"]


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("decolonising the programme", "decolonizing programs"),
        ("colour", "color"),
        ("Organised behaviours", "organized behavior"),
    ],
)
def test_british_and_american_words_meet(british: str, american: str) -> None:
    assert stems(british) == stems(american)


def test_accents_possessives_and_curly_quotes_do_not_matter() -> None:
    assert stems("Māori students’ dean’s café") == stems("Maori student dean cafe")


def test_numbers_and_acronyms_stay_words() -> None:
    assert words("In 2020, eGFR rose 54.8 %") == ["2020", "egfr", "rose", "54.8"]


def test_scores_agree_with_the_formula_worked_by_hand() -> None:
    """Lucene's BM25: idf * f / (f + k1 * (1 - b + b * length / average)), summed over the question's terms."""
    index = LexicalIndex.build(TEXTS)
    lengths = [len(stems(text)) for text in TEXTS]
    idf = np.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    share = [f / (f + 1.2 * (1 - 0.75 + 0.75 * n / np.mean(lengths))) for f, n in zip([1, 0, 2], lengths, strict=True)]
    assert index.scores(stems("student")) == pytest.approx(idf * np.array(share), rel=1e-4)
    assert index.idf(stems("student")[0]) == pytest.approx(idf, rel=1e-6)


def test_words_that_no_text_has_score_nothing() -> None:
    assert LexicalIndex.build(TEXTS).scores(["zebra"]).tolist() == [0, 0, 0]
    assert LexicalIndex.build(TEXTS).scores([]).tolist() == [0, 0, 0]
    assert LexicalIndex.build(["the", ""]).scores(["zebra"]).tolist() == [0, 0]


def test_a_saved_index_scores_as_before_and_a_damaged_one_says_so(tmp_path: Path) -> None:
    LexicalIndex.build(TEXTS).save(tmp_path / "words")
    loaded = LexicalIndex.load(tmp_path / "words", 3)
    assert loaded.scores(["dean"]).tolist() == LexicalIndex.build(TEXTS).scores(["dean"]).tolist()
    (tmp_path / "words" / "data.csc.index.npy").unlink()
    with pytest.raises(IndexCorrupt, match="python -m ingest build"):
        LexicalIndex.load(tmp_path / "words", 3)
