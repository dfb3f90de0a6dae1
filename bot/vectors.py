"""Vectors that the index already holds, so that a check need not compute them again."""

from collections.abc import Sequence

import numpy as np

from bot.engine import Library
from knowledge.embedding import Embedder, Vectors


class StoredVectors:
    """Embeds texts; those that are passages of the live index are looked up instead."""

    def __init__(self, library: Library, embedder: Embedder) -> None:
        self._library = library
        self._embedder = embedder
        self._known: tuple[str, dict[str, int]] = ("", {})

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit row a text, as from the embedder itself."""
        index = self._library.get()
        if self._known[0] != index.manifest.id:
            # An excerpt of a document is embedded under its heading, so its vector is not that of its text.
            rows_of = {p.text: row for row, p in enumerate(index.passages) if p.searched == p.text}
            self._known = (index.manifest.id, rows_of)
        rows = [self._known[1].get(text) for text in texts]
        new = [text for text, row in zip(texts, rows, strict=True) if row is None]
        computed = iter(self._embedder.embed(new) if new else ())
        return np.array([next(computed) if row is None else index.vectors[row] for row in rows], dtype=np.float32)
