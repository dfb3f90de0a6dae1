"""A reply as the JSON of the command-line contract, and a batch's lines as questions."""

import json
from typing import Any

from bot.grounding import Check
from bot.needs import Need
from bot.recommender import Recommendation, Recommended, asked
from bot.render import markdown
from bot.reply import Reply, Turn
from bot.review import Review
from knowledge.errors import QuestionError
from knowledge.teaching import session_length

BATCH_LINE_LIMIT = 1_000_000  # characters


def reply_json(reply: Reply) -> dict[str, Any]:
    """The contract's reply object, without an id."""
    return {
        "question": reply.question,
        "standalone_question": reply.standalone_question,
        "outcome": str(reply.outcome),
        "reason": str(reply.reason) if reply.reason else None,
        "markdown": markdown(reply),
        "claims": [
            {
                "text": claim.text,
                "facet": str(claim.facet),
                "support": round(claim.support, 4),
                "limits": claim.limits,
                "citations": [
                    {
                        "marker": citation.marker,
                        "record_id": citation.passage.record_id,
                        "passage_id": citation.passage.id,
                        "passage": citation.passage.text,
                        "digest": citation.passage.digest,
                    }
                    for citation in claim.citations
                ],
            }
            for claim in reply.claims
        ],
        "withheld": reply.withheld,
        "sources": [
            {
                "marker": source.marker,
                "record_id": source.record.id,
                "title": source.record.source.title,
                "authors": list(source.record.source.authors or ()),
                "year": source.record.source.year,
                "kind": source.record.source.kind,
                "tier": source.record.source.tier,
                "url": source.record.source.url,
                "doi": source.record.source.doi,
            }
            for source in reply.sources
        ],
        "nearest": [record.id for record in reply.nearest],
        "retrieved": list(reply.retrieved),
        "follow_ups": list(reply.follow_ups),
        "notices": list(reply.notices),
        "model": reply.model,
        "generation": reply.generation,
        "searches": list(reply.searches),
        "timings_ms": dict(reply.timings_ms),
    }


def need_json(need: Need) -> dict[str, Any]:
    """A need's constraints, the unknown ones null or empty, and which of them must hold."""
    return {
        "audience": list(need.audience),
        "max_minutes": need.max_minutes,
        "min_minutes": need.min_minutes,
        "topics": list(need.topics),
        "format": need.format,
        "country": need.country,
        "kind": list(need.kind),
        "evaluated": need.evaluated,
        "open_access": need.open_access,
        "hard": [name for name in asked(need) if name in need.hard],
    }


def recommendation_json(found: Recommendation) -> dict[str, Any]:
    """The contract's recommendation object."""
    return {
        "need": found.need.text,
        "constraints": need_json(found.need),
        "results": [_recommended_json(result) for result in found.results],
        "relaxed": list(found.relaxed),
        "near_misses": [
            {
                "record_id": miss.record.id,
                "broken_constraint": miss.broken[0],
                "broken_constraints": list(miss.broken),
                "unknown": miss.unknown,
                "title": miss.record.source.title,
            }
            for miss in found.near_misses
        ],
        "left_out": list(found.left_out),
        "generation": found.generation,
    }


def _recommended_json(result: Recommended) -> dict[str, Any]:
    record, teaching = result.record, result.teaching
    length = session_length(record, teaching)
    return {
        "record_id": record.id,
        "title": record.source.title,
        "score": result.score,
        "why": [{"text": why.text, "passage_id": why.passage_id} for why in result.why],
        "audience": list(record.audience),
        # The shortest sitting in which it is given; both ends where the record gives a range.
        "session_minutes": length[0] if length else None,
        "session_range": list(length) if length else None,
        "total_minutes": record.total_minutes,
        "format": record.format,
        "delivery": list(teaching.delivery),
        "kind": record.source.kind,
        "tier": record.source.tier,
        "country": record.country,
        "access": record.source.access,
        "evaluated": teaching.evaluated.value if teaching.evaluated else None,
        "url": record.source.link,
        "doi": record.source.doi,
        "unmet": list(result.unmet),
    }


def review_json(found: Review) -> dict[str, Any]:
    """A review: each finding with its quote, and the statements that say why."""
    return {
        "slides": found.slides,
        "findings": [
            {
                "slide": finding.slide,
                "quote": finding.quote,
                "code": finding.code,
                "problem": finding.problem,
                "suggest": finding.suggest,
                "why": [{"record_id": p.record_id, "passage_id": p.id, "text": p.text} for p in finding.why],
            }
            for finding in found.findings
        ],
        "not_covered": [
            {
                "topic": gap.topic,
                "why": [{"record_id": p.record_id, "passage_id": p.id, "text": p.text} for p in gap.why],
            }
            for gap in found.gaps
        ],
    }


def read_batch_line(line: str) -> tuple[str | None, str, tuple[Turn, ...]]:
    """Id, question and history of one line of a batch.

    Raises QuestionError saying what is wrong with the line; `batch_id` finds its id all the same.
    """
    example = '{"id": "…", "question": "…"}'
    value = _read_object(line, example)
    if not isinstance(value.get("question"), str):
        raise QuestionError(f'The line has no text under "question"; write {example} on it.', "empty")
    history = value.get("history") or []
    try:
        turns = tuple(Turn(turn["role"], turn["content"]) for turn in history)
    except (TypeError, KeyError) as error:
        raise QuestionError('Each turn under "history" needs "role" and "content".', "empty") from error
    if not all(turn.role in ("user", "assistant") and isinstance(turn.content, str) for turn in turns):
        raise QuestionError('The role of a turn is "user" or "assistant" and its content is text.', "empty")
    return batch_id(line), value["question"], turns


def read_check_line(line: str) -> tuple[str | None, str, tuple[str, ...]]:
    """Id, claim and passages of one line of a batch of checks. Raises QuestionError saying what is wrong with it."""
    example = '{"id": "…", "claim": "…", "passages": ["…"]}'
    value = _read_object(line, example)
    claim, passages = value.get("claim"), value.get("passages")
    if not isinstance(claim, str):
        raise QuestionError(f'The line has no text under "claim"; write {example} on it.', "empty")
    if not isinstance(passages, list) or not all(isinstance(passage, str) for passage in passages):
        raise QuestionError(f'The line has no list of texts under "passages"; write {example} on it.', "empty")
    return batch_id(line), claim, tuple(passages)


def check_json(check: Check) -> dict[str, Any]:
    """The contract's verdict object, without an id."""
    return {"support": str(check.support), "score": round(check.score, 4), "reason": check.reason}


def _read_object(line: str, example: str) -> dict[str, Any]:
    if len(line) > BATCH_LINE_LIMIT:
        raise QuestionError(f"The line is longer than {BATCH_LINE_LIMIT:,} characters; shorten it.", "too_long")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise QuestionError(f"The line is not JSON; write {example} on it.", "empty") from error
    if not isinstance(value, dict):
        raise QuestionError(f"The line is no JSON object; write {example} on it.", "empty")
    return value


def batch_id(line: str) -> Any:
    """The id on a line of a batch, as far as it can be read, else None."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value.get("id") if isinstance(value, dict) else None
