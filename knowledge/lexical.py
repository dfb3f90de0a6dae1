"""Words in common: BM25 over short texts. Door to bm25s and the Snowball stemmer.

`tokens` is the one place that decides what counts as the same word; it does not know what words mean.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import bm25s
import numpy as np
import Stemmer
from numpy.typing import NDArray

from knowledge.errors import IndexCorrupt

K1, B = (
    1.2,
    0.75,
)  # the usual values; others within the ranges of Robertson & Zaragoza 2009 moved nothing on the dev set

STOP_WORDS = frozenset(
    """a about also am an and any are as at be been being but by can could did do does for from get got had has have
    how i if in into is it its just me my of on or our ours s she he so some such t than that the their them then there
    these they this to us was we were what when where which who why will with would you your""".split()
)
# British to American, on whole words or endings; the knowledge and its readers use both.
SPELLINGS = {
    "anaesthesia": "anesthesia",
    "anaesthetist": "anesthetist",
    "anaesthetists": "anesthetists",
    "centre": "center",
    "centres": "centers",
    "defence": "defense",
    "enrol": "enroll",
    "gynaecology": "gynecology",
    "judgement": "judgment",
    "licence": "license",
    "paediatric": "pediatric",
    "paediatrics": "pediatrics",
    "practise": "practice",
    "programme": "program",
    "programmes": "programs",
}
# Words that end like a British -ise verb or -our noun and are none.
NOT_BRITISH = frozenset(
    """advise advised advising arise comprise compromise course disguise exercise exercises expertise flour four hour
    hours likewise noise nurse otherwise our pour practise precise premise promise raise raised raises raising revise
    revised rise rising source sour supervise supervised surprise tour wise your""".split()
)

_word = re.compile(r"[a-z0-9]+(?:[.'][a-z0-9]+)*")
_ise = re.compile(r"(?<=[a-z]{3})is(e|ed|es|ing|er|ers|ation|ations)$")
_our = re.compile(r"(?<=[a-z]{2})our(s|ed|ing|al|able|ful|ism)?$")


@lru_cache(maxsize=1)
def _stemmer() -> Stemmer.Stemmer:
    return Stemmer.Stemmer("english")


def words(text: str) -> list[str]:
    """The words of a text in order: lower case, no accents, no stop words, American spelling, not stemmed."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    found = _word.findall(plain.lower().replace("’", "'"))
    return [
        american(word)
        for word in (word.removesuffix("'s") for word in found)
        if word not in STOP_WORDS and (len(word) > 1 or word.isdigit())
    ]


@lru_cache(maxsize=50_000)
def american(word: str) -> str:
    """The American spelling of a lower-case word.

    >>> american("decolonising"), american("colour"), american("nurse")
    ('decolonizing', 'color', 'nurse')
    """
    if word in NOT_BRITISH:
        return SPELLINGS.get(word, word)
    word = _ise.sub(r"iz\1", SPELLINGS.get(word, word))
    return _our.sub(lambda match: "or" + (match[1] or ""), word)


def stems(text: str) -> list[str]:
    """The stemmed words of a text: what two texts have in common if they say the same thing in like words.

    >>> stems("The students' petitions"), stems("petitioning student")
    (['student', 'petit'], ['petit', 'student'])
    """
    return list(_stems(text))


@lru_cache(maxsize=8_192)  # a reply compares the same statements in several steps
def _stems(text: str) -> tuple[str, ...]:
    return tuple(stem_words(words(text)))


def stem_words(found: Sequence[str]) -> list[str]:
    """Each lower-case word's Snowball stem."""
    return list(_stemmer().stemWords(list(found)))


class LexicalIndex:
    """BM25 (Lucene's form, so no negative weights) over a list of texts."""

    def __init__(self, model: bm25s.BM25, size: int) -> None:
        self._model = model
        self._size = size

    @classmethod
    def build(cls, texts: Sequence[str]) -> "LexicalIndex":
        """Index texts; their order gives the numbers of the scores."""
        model = bm25s.BM25(method="lucene", k1=K1, b=B)
        # Trap: bm25s fails when no text has a word; its own sign for no word keeps the row.
        model.index([stems(text) or [""] for text in texts], show_progress=False)
        return cls(model, len(texts))

    def save(self, folder: Path) -> None:
        """Write the index to a folder of its own."""
        self._model.save(folder, show_progress=False)

    @classmethod
    def load(cls, folder: Path, size: int) -> "LexicalIndex":
        """Read what `save` wrote. Raises IndexCorrupt."""
        try:
            return cls(bm25s.BM25.load(folder, show_progress=False), size)
        except (OSError, ValueError, KeyError) as error:
            raise IndexCorrupt(f"The word index {folder.name} is damaged. Run: python -m ingest build") from error

    def scores(self, terms: Sequence[str]) -> NDArray[np.float32]:
        """The BM25 score of each text for the stemmed terms of a question, shape (number of texts,), 0 where none occurs."""
        if not terms:
            return np.zeros(self._size, dtype=np.float32)
        return np.asarray(self._model.get_scores(list(terms)), dtype=np.float32)

    def idf(self, term: str) -> float:
        """How rare a stemmed term is, in natural-log units; a term that no text holds counts as held by half a text.

        Formula: ln(1 + (N - n + 0.5) / (n + 0.5)), as in Lucene's BM25.
        """
        column = self._model.vocab_dict.get(term)
        pointers = self._model.scores["indptr"]
        held_by = 0.0 if column is None else float(pointers[column + 1] - pointers[column])
        return float(np.log1p((self._size - held_by + 0.5) / (held_by + 0.5)))

    def __contains__(self, term: str) -> bool:
        return term in self._model.vocab_dict
