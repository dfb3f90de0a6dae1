"""The suite `recommendation`: needs with judged records, readings of needs, and reviewed decks, each with n and a 95 % interval.

Proportions have Wilson intervals (Wilson 1927); nDCG follows Järvelin and Kekäläinen 2002 with gain 2^grade - 1. A record
that was not judged counts as not relevant, so nDCG is a lower bound.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.needs import Need, read_need, with_options
from bot.recommender import Recommendation, Recommender, asked, meets, sameness
from bot.review import read_slides, review
from knowledge.passage import passages_of_all
from knowledge.record import Record
from knowledge.teaching import teaching_of

CASES = Path(__file__).parent / "cases"
FITTING = 2  # grade from which a record would be recommended


@dataclass(frozen=True)
class Measured:
    """A figure with the number of cases behind it; `low` and `high` bound a proportion, None for a mean."""

    name: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None


def proportion(name: str, outcomes: Iterable[bool]) -> Measured:
    """The share of true outcomes with its 95 % Wilson interval; None for no case.

    >>> proportion("x", [True] * 9 + [False])
    Measured(name='x', value=0.9, n=10, low=0.5958, high=0.9821)
    """
    seen = list(outcomes)
    n, z = len(seen), 1.959964
    if not n:
        return Measured(name, None, 0)
    share = sum(seen) / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Measured(name, round(share, 4), n, round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4))


def mean(name: str, values: Iterable[float]) -> Measured:
    """The mean; None for no case."""
    seen = list(values)
    return Measured(name, round(sum(seen) / len(seen), 4) if seen else None, len(seen))


def ndcg(ids: Sequence[str], judgements: Mapping[str, int], depth: int) -> float:
    """Normalised discounted cumulative gain of the first `depth` ids, 0..1."""
    gains = [2 ** judgements.get(name, 0) - 1 for name in ids[:depth]]
    ideal = [2**grade - 1 for grade in sorted(judgements.values(), reverse=True)[:depth]]
    best = _discounted(ideal)
    return _discounted(gains) / best if best else 0.0


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))


def read_rows(file: Path, origin: str | None = None) -> list[dict[str, Any]]:
    """The cases of a JSON-lines file, of one origin ('development' or 'own') or all."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [row for row in rows if origin is None or row["origin"] == origin]


def measure_needs(recommender: Recommender, rows: Sequence[Mapping[str, Any]], depth: int = 3) -> list[Measured]:
    """What the recommender does with needs given as text alone."""
    replies = [(row, recommender.recommend(read_need(row["need"]), depth)) for row in rows]
    fitting = [(row, reply) for row, reply in replies if not row["expected_none"]]
    none = [(row, reply) for row, reply in replies if row["expected_none"]]
    known = {p.id: p.text for p in passages_of_all(recommender.library.get().records)}
    whys = [why for _, reply in replies for result in reply.results for why in result.why]
    pairs = [[r.record for r in reply.results] for _, reply in replies if len(reply.results) > 1]
    return [
        proportion("hard constraints kept", (kept for row, reply in replies for kept in kept_by_each(row, reply))),
        proportion("a fitting record in the list", (has_fitting(row, reply) for row, reply in fitting)),
        mean(f"nDCG@{depth}", (ndcg(_ids(reply), row["judgements"], depth) for row, reply in fitting)),
        proportion("none fits, and it says so", (not reply.results for _, reply in none)),
        proportion(
            "near miss named when none fits",
            (any(row["judgements"].get(miss.record.id, 0) >= 1 for miss in reply.near_misses) for row, reply in none),
        ),
        proportion("reasons that are statements", (known.get(why.passage_id) == why.text for why in whys)),
        mean("topics not shared by two on a list", (1 - sameness(a, [b]) for a, b in _neighbours(pairs))),
    ]


def _neighbours(lists: Iterable[Sequence[Record]]) -> list[tuple[Record, Record]]:
    return [(a, b) for records in lists for n, a in enumerate(records) for b in records[n + 1 :]]


def _ids(reply: Recommendation) -> list[str]:
    return [result.record.id for result in reply.results]


def has_fitting(row: Mapping[str, Any], reply: Recommendation) -> bool:
    """Is a record on the list that was judged fitting?"""
    return any(row["judgements"].get(name, 0) >= FITTING for name in _ids(reply))


def kept_by_each(row: Mapping[str, Any], reply: Recommendation) -> list[bool]:
    """For each result, whether it keeps every constraint that the case calls hard."""
    given = {name: value for name, value in row["constraints"].items() if value not in (None, [])}
    stated = with_options(Need(row["need"]), **given)
    return [
        all(
            meets(result.record, teaching_of(result.record), stated, name) is True
            for name in asked(stated)
            if name in row["hard"]
        )
        for result in reply.results
    ]


def measure_parsing(rows: Sequence[Mapping[str, Any]]) -> list[Measured]:
    """How often audience and minutes of a text are read exactly."""
    read = [(row, read_need(row["text"])) for row in rows]
    audience = [set(need.audience) == set(row["audience"]) for row, need in read]
    minutes = [(need.min_minutes, need.max_minutes) == (row["min_minutes"], row["max_minutes"]) for row, need in read]
    return [
        proportion("audience read", audience),
        proportion("minutes read", minutes),
        proportion("both read", (a and m for a, m in zip(audience, minutes, strict=True))),
    ]


def measure_reviews(folder: Path, rows: Sequence[Mapping[str, Any]], records: Mapping[str, Record]) -> list[Measured]:
    """Planted problems found, and flags on judged lines that are problems."""
    decks = {row["file"] for row in rows}
    found = {name: review(read_slides((folder / name).read_text(encoding="utf-8")), records).findings for name in decks}
    flags = [
        any(
            finding.slide == row["slide"] and (row["span"] in finding.quote or finding.quote.rstrip(".") in row["span"])
            for finding in found[row["file"]]
        )
        for row in rows
    ]
    problem = [bool(row["problem"]) for row in rows]
    return [
        proportion("problems found (recall)", (flag for flag, real in zip(flags, problem, strict=True) if real)),
        proportion(
            "flags that are problems (precision)", (real for flag, real in zip(flags, problem, strict=True) if flag)
        ),
    ]


def measure(recommender: Recommender, origin: str | None = None) -> dict[str, list[Measured]]:
    """All parts of the suite on the cases of one origin."""
    records = {record.id: record for record in recommender.library.get().records}
    return {
        "needs": measure_needs(recommender, read_rows(CASES / "needs.jsonl", origin)),
        "parsing": measure_parsing(read_rows(CASES / "parse.jsonl", origin)),
        "reviews": measure_reviews(CASES / "slides", read_rows(CASES / "slides" / "key.jsonl", origin), records),
    }
