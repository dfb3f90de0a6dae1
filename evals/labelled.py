"""Labelled claims as the verifier's fit and its measures read them, and a sentence embedder that remembers.

Public sets are read from a folder that the user names; several of their sources state no licence, so none is shipped.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.embedding import TorchEncoder


@dataclass(frozen=True)
class Case:
    """One claim with its cited passages. `group` names the records: a fold never splits one."""

    claim: str
    passages: tuple[str, ...]
    supported: bool
    kind: str
    group: str
    source: str
    verifiable: bool = True


def read_jsonl(path: Path) -> Iterator[dict[str, object]]:
    """The rows of a JSON-lines file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def claims(path: Path) -> list[Case]:
    """Claims with what they cite: {claim, cited: [{record_id, text}], label, kind}."""
    rows = list(read_jsonl(path))
    roots: dict[str, str] = {}

    def root(name: str) -> str:
        while roots.setdefault(name, name) != name:
            name = roots[name]
        return name

    for row in rows:
        first, *others = [c["record_id"] for c in row["cited"]]  # type: ignore[attr-defined]
        for other in others:
            roots[root(other)] = root(first)
    return [
        Case(
            str(row["claim"]),
            tuple(c["text"] for c in row["cited"]),  # type: ignore[attr-defined]
            row["label"] == "supported",
            str(row["kind"]),
            root(row["cited"][0]["record_id"]),  # type: ignore[index]
            "claims",
        )
        for row in rows
    ]


def drafts(path: Path) -> list[Case]:
    """The lines of whole drafts; a line without a known marker cites nothing."""
    cases = []
    for row in read_jsonl(path):
        pool = {p["key"]: p for p in row["cited_pool"]}  # type: ignore[attr-defined]
        for line in row["lines"]:  # type: ignore[attr-defined]
            cited = [pool[m] for m in line["markers"] if m in pool]
            first = next(iter(pool.values()))["record_id"]
            cases.append(
                Case(
                    line["text"],
                    tuple(c["text"] for c in cited),
                    line["label"] == "supported",
                    line["kind"],
                    cited[0]["record_id"] if cited else first,
                    "drafts",
                    bool(cited),
                )
            )
    return cases


def public(path: Path, split: str = "dev") -> list[Case]:
    """One public claim-evidence set: {evidence, claim, label, split, orig_label}."""
    return [
        Case(
            str(row["claim"]),
            (str(row["evidence"]),),
            row["label"] == "supported",
            str(row["orig_label"]),
            str(row["evidence"]),
            path.stem.removeprefix("grounding_"),
        )
        for row in read_jsonl(path)
        if row["split"] == split
    ]


class RememberingEncoder:
    """Sentence vectors of an encoder folder, kept in a file between runs."""

    def __init__(self, encoder: Path, memory: Path | None = None) -> None:
        """Read what is remembered; the encoder itself is loaded when a new text comes."""
        self._encoder, self._memory = encoder, memory
        self._rows: dict[str, NDArray[np.float16]] = {}
        self._model: TorchEncoder | None = None
        if memory is not None and memory.exists():
            with np.load(memory, allow_pickle=False) as data:
                texts = json.loads(data["texts"].tobytes().decode())
                self._rows = dict(zip(texts, data["vectors"], strict=True))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """L2-normalised rows, one per text."""
        new = sorted({t for t in texts if t not in self._rows}, key=len)
        if new:
            if self._model is None:
                self._model = TorchEncoder(str(self._encoder))
            vectors = self._model.embed(new)
            self._rows.update(zip(new, np.asarray(vectors, np.float16), strict=True))
        return np.asarray([self._rows[t] for t in texts], np.float32)

    def save(self) -> None:
        """Write what is remembered, if a file was named."""
        if self._memory is not None:
            # Bytes, since an array of strings gives every text the room of the longest.
            texts = np.frombuffer(json.dumps(list(self._rows)).encode(), np.uint8)
            np.savez(self._memory, texts=texts, vectors=np.array(list(self._rows.values())))
