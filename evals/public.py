"""The public sets: claims with evidence, retrieval with judgements, questions out of scope. Read from a folder, never kept.

The forms are those of `docs/evaluation.md`. Without a folder nothing here runs, and the report says "not measured".
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.grounding import Support
from bot.retriever import Retriever
from evals import metrics
from evals.results import Suite, Tally, not_measured
from evals.suites import Lab
from knowledge.embedding import Embedder, Vectors
from knowledge.errors import EvaluationError
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex, fingerprint, write_generation
from knowledge.passage import passages_of_all
from knowledge.record import Record
from knowledge.settings import digest

PASSAGE_CHARACTERS = 900  # about 200 tokens: what the encoder reads of a text before it cuts it off
ROWS, QUERIES = 300, 200  # of each set and split, chosen by hash, unless all are asked for
EMBED_BATCH = 256


@dataclass(frozen=True)
class PublicLab:
    """Where the sets lie, what embeds them, and a folder that keeps their vectors between runs."""

    folder: Path
    embedder: Embedder
    cache: Path
    whole: bool = False

    def sample(self, rows: Sequence[Any], most: int, key: Callable[[Any], str]) -> list[Any]:
        """All rows, or the `most` whose hashed keys are smallest: the same ones in every run."""
        if self.whole or len(rows) <= most:
            return list(rows)
        return sorted(rows, key=lambda row: hashlib.sha256(key(row).encode()).hexdigest())[:most]


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The JSON lines of a set. Raises EvaluationError naming file and line."""
    rows = []
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    rows.append(json.loads(line))
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"{file}, after {len(rows)} rows: cannot be read. Correct the file or leave it out."
        ) from error
    return rows


def by_split(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Rows by their split; training rows count as development rows."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found["test" if row.get("split") == "test" else "dev"].append(row)
    return found


# --- claims with evidence ------------------------------------------------------------------------------------------


def verifier_public(lab: Lab, public: PublicLab) -> Suite:
    """The bot's check on human-labelled claim-evidence sets of other fields."""
    tally = lab.tally("verifier-public")
    files = sorted(public.folder.glob("grounding_*.jsonl"))
    if not files:
        return not_measured("verifier-public", f"there is no grounding_*.jsonl in {public.folder.name}")
    means: dict[str, list[float]] = defaultdict(list)
    for file in files:
        name = file.stem.removeprefix("grounding_")
        for split, rows in by_split(read_rows(file)).items():
            chosen = public.sample(rows, ROWS, lambda row: str(row["id"]))
            checked = [lab.verifier.check(str(row["claim"]), [str(row["evidence"])]) for row in chosen]
            labels = np.array([row["label"] == "supported" for row in chosen])
            scores = np.array([check.score for check in checked])
            shown = np.array([check.support is Support.FULL for check in checked])
            owners = [hashlib.sha256(str(row["evidence"]).encode()).hexdigest()[:12] for row in chosen]
            _claim_figures(tally, f"{name}.{split}", scores, shown, labels, owners)
            area = metrics.auroc(scores, labels)
            if name != "perturb" and area is not None:
                means[split].append(area)
            if name == "perturb":
                _by_kind(tally, split, chosen, shown)
    for split, areas in means.items():
        tally.special(
            f"mean_auroc.{split}", metrics.Estimate(float(np.mean(areas)), None, None, len(areas)),
            f"mean AUROC over {len(areas)} sets",
        )  # fmt: skip
    return tally.result()


def _claim_figures(
    tally: Tally,
    name: str,
    scores: NDArray[np.float64],
    shown: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    owners: Sequence[str],
) -> None:
    figures: dict[str, tuple[Callable[[NDArray[np.int64]], float | None], str]] = {
        "auroc": (lambda n: metrics.auroc(scores[n], labels[n]), "a supported claim scores above an unsupported one"),
        "balanced_accuracy": (
            lambda n: metrics.balanced_accuracy(shown[n], labels[n]),
            "decision to show against label",
        ),
    }
    for figure, (statistic, about) in figures.items():
        tally.special(f"{name}.{figure}", metrics.estimate_of(statistic, owners, draws=200), about)
    right = metrics.estimate([float(x) for x in labels[shown]], [o for o, s in zip(owners, shown, strict=True) if s])
    tally.special(f"{name}.shown_precision", right, "claims that would be shown and are supported")
    tally.special(f"{name}.shown", metrics.estimate([float(x) for x in shown], owners), "claims that would be shown")


def _by_kind(tally: Tally, split: str, rows: Sequence[Mapping[str, Any]], shown: NDArray[np.bool_]) -> None:
    """Perturbation sensitivity (metrics.md, 7a): per kind of corruption, how many are accepted."""
    kinds = sorted({str(row.get("orig_label")) for row in rows})
    for kind in kinds:
        mask = [str(row.get("orig_label")) == kind for row in rows]
        true = any(row["label"] == "supported" for row, m in zip(rows, mask, strict=True) if m)
        values = [float(s) for s, m in zip(shown, mask, strict=True) if m]
        names = [str(row["id"]) for row, m in zip(rows, mask, strict=True) if m]
        tally.special(
            f"perturb.{split}.accepted.{kind}", metrics.estimate(values, names),
            "true rewordings that would be shown" if true else "corrupted claims that would be shown",
            better="higher" if true else "lower",
        )  # fmt: skip


# --- retrieval -----------------------------------------------------------------------------------------------------


def retrieval_public(lab: Lab, public: PublicLab) -> Suite:
    """The bot's retriever over other collections, indexed by the real index code."""
    tally = lab.tally("retrieval-public")
    folders = sorted(path for path in public.folder.glob("retrieval_*") if path.is_dir())
    if not folders:
        return not_measured("retrieval-public", f"there is no retrieval_* folder in {public.folder.name}")
    for folder in folders:
        name = folder.name.removeprefix("retrieval_")
        index, names = open_collection(folder, public)
        try:
            queries = {str(row["_id"]): str(row["text"]) for row in read_rows(folder / "queries.jsonl")}
            for split, judged in read_qrels(folder).items():
                retriever = Retriever(public.embedder)
                chosen = public.sample(sorted(judged), QUERIES, str)
                found: dict[str, list[float | None]] = defaultdict(list)
                for query in chosen:
                    ranked = [names[record] for record in retriever.retrieve(index, queries[query]).record_ids]
                    grades = judged[query]
                    relevant = [doc for doc, grade in grades.items() if grade >= (2 if max(grades.values()) > 1 else 1)]
                    found["ndcg@10"].append(metrics.ndcg(ranked, grades))
                    found["recall@10"].append(metrics.recall_at(ranked, {doc: 1.0 for doc in relevant}, 10))
                    found["mrr@10"].append(metrics.reciprocal_rank(ranked, relevant))
                for figure, values in found.items():
                    tally.special(
                        f"{name}.{split}.{figure}",
                        metrics.estimate(values, chosen),
                        f"{figure} over {len(names)} documents",
                    )
        finally:
            index.close()
    return tally.result()


def read_qrels(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Split -> query -> document -> grade, of a collection in BEIR's form; queries without a positive grade are left out."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for file in sorted((folder / "qrels").glob("*.tsv")):
        judged: dict[str, dict[str, float]] = defaultdict(dict)
        for line in file.read_text(encoding="utf-8").splitlines()[1:]:
            query, doc, grade = line.split("\t")
            judged[query][doc] = float(grade)
        found[file.stem] = {query: grades for query, grades in judged.items() if max(grades.values()) > 0}
    return found


def as_record(number: int, title: str, text: str) -> Record:
    """A document as a record: its sentences, joined to passages that the encoder reads whole, are its statements."""
    clean = " ".join(
        re.sub(r"[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", " ", text).split()
    )
    heading = " ".join(title.split())[:300]
    pieces = list(dict.fromkeys(_pieces(clean))) or [heading or "empty"]
    return Record.model_validate(
        {
            "id": f"d{number}",
            "source": {"title": heading or pieces[0][:120].strip(), "kind": "study", "tier": "peer-reviewed"},
            "checked": "2026-01-01",
            "statements": [{"facet": "finding", "text": piece} for piece in pieces],
        }
    )


def _pieces(text: str) -> Iterator[str]:
    piece = ""
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        for at in range(0, len(sentence), PASSAGE_CHARACTERS):
            part = sentence[at : at + PASSAGE_CHARACTERS].strip()
            if piece and len(piece) + len(part) + 1 > PASSAGE_CHARACTERS:
                yield piece
                piece = ""
            piece = f"{piece} {part}".strip()
    if piece:
        yield piece


def open_collection(folder: Path, public: PublicLab) -> tuple[PassageIndex, dict[str, str]]:
    """The collection's index, built on first use and kept by content, and document ids by record id."""
    documents = read_rows(folder / "corpus.jsonl")
    records = [as_record(n, str(row.get("title") or ""), str(row["text"])) for n, row in enumerate(documents)]
    names = {record.id: str(row["_id"]) for record, row in zip(records, documents, strict=True)}
    key = digest([public.embedder.identity, [record.text for record in records]])[:16]
    store = GenerationStore(public.cache / f"{folder.name}-{key}")
    identity = public.embedder.identity
    if not store.generations():
        texts = [passage.text for passage in passages_of_all(records)]
        vectors = np.vstack(
            [public.embedder.embed(texts[at : at + EMBED_BATCH]) for at in range(0, len(texts), EMBED_BATCH)]
        )
        empty: Vectors = np.zeros((0, vectors.shape[1]), dtype=np.float32)
        with store.writing(), store.building() as build:
            store.publish(build, write_generation(build, records, vectors, empty, fingerprint(identity)))
    return PassageIndex.open(store, identity), names


# --- abstention ----------------------------------------------------------------------------------------------------


def abstention_public(lab: Lab, public: PublicLab) -> Suite:
    """Questions of other fields, small talk and near-medical ones: are they declined?"""
    file = public.folder / "out_of_scope.jsonl"
    if not file.exists():
        return not_measured("abstention-public", f"there is no out_of_scope.jsonl in {public.folder.name}")
    tally = lab.tally("abstention-public")
    for split, rows in by_split(read_rows(file)).items():
        groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            groups[str(row["kind"])].append(row)
        for kind, group in sorted(groups.items()):
            measure = f"{kind}.{split}"
            tally.measure(measure, f"{kind} questions met without citing a record")
            for row in public.sample(group, ROWS // 3, lambda row: str(row["id"])):
                asked = lab.asker.again(str(row["text"]))
                tally.score(measure, str(row["id"]), not asked.cited and not asked.fault, str(row["id"]))
    return tally.result()


PUBLIC_SUITES: Mapping[str, Callable[[Lab, PublicLab], Suite]] = {
    "verifier-public": verifier_public,
    "retrieval-public": retrieval_public,
    "abstention-public": abstention_public,
}
