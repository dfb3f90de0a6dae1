"""Misspelt words to the knowledge's own words. Door to rapidfuzz."""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA

_word = re.compile(r"[^\W\d_]{4,}(?![\w'’])")


class Speller:
    """Corrects words that neither the knowledge nor the language model's vocabulary knows."""

    def __init__(self, texts: Iterable[str], is_english: Callable[[str], bool]) -> None:
        """`texts` hold the words to correct to; `is_english` knows common words that need no correction."""
        counts = Counter(word for text in texts for word in _word.findall(text.lower()))
        # The most frequent first, so that it wins among words equally near.
        self._known = [word for word, _ in counts.most_common()]
        self._set = frozenset(self._known)
        self._is_english = is_english

    def correct(self, text: str) -> str:
        """The text with each unknown word replaced by the nearest known one, if one is near enough.

        Near enough is one slip (a letter wrong, missing, added, or two swapped) for up to five letters, else two.
        """
        # A capital within a sentence marks a name, and a name that is unknown here should stay unknown.
        return _word.sub(
            lambda match: match[0] if match.start() and match[0][0].isupper() else self._nearest(match[0]), text
        )

    def _nearest(self, word: str) -> str:
        plain = word.lower()
        if plain in self._set or self._is_english(plain):
            return word
        slips = 1 if len(plain) <= 5 else 2
        # The first letter is seldom wrong; asking for it avoids most false corrections.
        candidates = [known for known in self._known if known[0] == plain[0] and abs(len(known) - len(plain)) <= slips]
        found = process.extractOne(plain, candidates, scorer=OSA.distance, score_cutoff=slips)
        return found[0] if found else word
