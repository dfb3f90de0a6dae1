from pathlib import Path

import numpy as np

from bot.vectors import StoredVectors
from knowledge.record import Facet
from tests.fakes import FixedLibrary, LetterEmbedder, record, small_index


def test_passages_are_looked_up_and_only_other_texts_are_computed(tmp_path: Path) -> None:
    embedder = LetterEmbedder()
    library = FixedLibrary(small_index(tmp_path, record("r", (Facet.SUMMARY, "abc"), (Facet.FINDING, "xyz"))))
    texts = ["xyz", "new text", "abc", "xyz"]
    rows = StoredVectors(library, embedder).embed(texts)
    assert embedder.embedded == ["new text"]
    assert np.allclose(rows, LetterEmbedder().embed(texts))
