"""The suite `recommendation`: needs with judged records, readings of needs, and reviewed decks.

A record that was not judged counts as not relevant, so nDCG is a lower bound.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.needs import Need, read_need, with_options
from bot.recommender import RESULTS, Recommendation, Recommender, asked, meets, sameness
from bot.review import Finding, read_slides, review
from evals import metrics
from evals.results import Failure, Suite, Tally
from knowledge.passage import passages_of_all
from knowledge.record import Record
from knowledge.teaching import teaching_of

CASES = Path(__file__).parent / "cases"
FITTING = 2  # grade from which a record would be recommended
Row = Mapping[str, Any]
MEASURES = {
    "constraints_kept": "results that keep every constraint that the case calls hard, by need",
    "fitting@3": "needs that a record can meet, with a record judged fitting among the first three",
    "ndcg@3": "discounted gain of the judged records among three, where a record fits",
    "none_said": "needs that no record can meet, where nothing is recommended",
    "near_miss_named": "needs that no record can meet, where a judged near miss is named",
    "reasons_resolved": "reasons that are statements of the knowledge word for word, by need",
    "diversity": "topics that two on one list do not share, by need",
    "audience_read": "texts of which the audience is read exactly",
    "minutes_read": "texts of which shortest and longest session are read exactly",
    "slide_recall": "planted problems that a review flags",
    "slide_precision": "flags on judged lines that are planted problems",
}


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The cases of a JSON-lines file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def recommendation(recommender: Recommender, tally: Tally, cases: Path = CASES) -> Suite:
    """What the recommender does with needs given as text alone, and how texts and decks are read."""
    for name, about in MEASURES.items():
        tally.measure(name, about)
    records = recommender.library.get().records
    statements = {passage.id: passage.text for passage in passages_of_all(records)}
    for row in read_rows(cases / "needs.jsonl"):
        _score_need(tally, row, recommender.recommend(read_need(row["need"])), statements)
    for row in read_rows(cases / "parse.jsonl"):
        _score_reading(tally, row)
    _score_reviews(tally, cases / "slides", {record.id: record for record in records})
    return tally.result()


def _score_need(tally: Tally, row: Row, reply: Recommendation, statements: Mapping[str, str]) -> None:
    case, judged = row["id"], row["judgements"]
    listed = [result.record for result in reply.results]
    kept = kept_by_each(row, reply)
    reasons = [statements.get(why.passage_id) == why.text for result in reply.results for why in result.why]
    apart = [1 - sameness(a, [b]) for n, a in enumerate(listed) for b in listed[n + 1 :]]
    fits = any(judged.get(record.id, 0) >= FITTING for record in listed)
    named = any(judged.get(miss.record.id, 0) >= 1 for miss in reply.near_misses)
    grades = {name: float(grade) for name, grade in judged.items()}
    none = row["expected_none"]
    for measure, value in {
        "constraints_kept": metrics.mean([float(k) for k in kept]).value,
        "fitting@3": None if none else fits,
        "ndcg@3": None if none else metrics.ndcg([record.id for record in listed], grades, RESULTS),
        "none_said": not listed if none else None,
        "near_miss_named": named if none else None,
        "reasons_resolved": metrics.mean([float(r) for r in reasons]).value,
        "diversity": metrics.mean(apart).value,
    }.items():
        tally.score(measure, case, value, case, [row["origin"]])
    wrong = {"constraints_kept": not all(kept), "fitting@3": not none and not fits, "none_said": none and bool(listed)}
    for measure in (name for name, failed in wrong.items() if failed):
        wanted = ", ".join(name for name, grade in judged.items() if grade >= FITTING) or "nothing"
        got = ", ".join(record.id for record in listed) or "nothing"
        tally.fail(_failure(case, measure, f"hard: {', '.join(row['hard'])}", row["need"], wanted, got))


def kept_by_each(row: Row, reply: Recommendation) -> list[bool]:
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


def _score_reading(tally: Tally, row: Row) -> None:
    need = read_need(row["text"])
    readings = {
        "audience_read": (set(need.audience), set(row["audience"])),
        "minutes_read": ((need.min_minutes, need.max_minutes), (row["min_minutes"], row["max_minutes"])),
    }
    for measure, (got, wanted) in readings.items():
        tally.score(measure, row["id"], got == wanted, row["id"], [row["origin"]])
        if got != wanted:
            tally.fail(_failure(row["id"], measure, "read otherwise", row["text"], str(wanted), str(got)))


def _score_reviews(tally: Tally, folder: Path, records: Mapping[str, Record]) -> None:
    rows = read_rows(folder / "key.jsonl")
    findings = {
        name: review(read_slides((folder / name).read_text(encoding="utf-8")), records).findings
        for name in {row["file"] for row in rows}
    }
    for number, row in enumerate(rows, 1):
        case, planted = f"slide-{number:03}", bool(row["problem"])
        flags = list(flags_on(row, findings[row["file"]]))
        tally.score("slide_recall", case, bool(flags) if planted else None, row["file"], [row["origin"]])
        tally.score("slide_precision", case, planted if flags else None, row["file"], [row["origin"]])
        if bool(flags) != planted:
            measure = "slide_recall" if planted else "slide_precision"
            got = ", ".join(finding.problem for finding in flags) or "no flag"
            tally.fail(_failure(case, measure, row["file"], row["span"], row["problem"] or "no flag", got))


def flags_on(row: Row, findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings on a line of the key."""
    for finding in findings:
        if finding.slide == row["slide"] and (row["span"] in finding.quote or finding.quote.rstrip(".") in row["span"]):
            yield finding


def _failure(case: str, measure: str, why: str, text: str, wanted: str, got: str) -> Failure:
    return Failure(case=case, measure=measure, why=why, question=text, expected=wanted, answer=got)
