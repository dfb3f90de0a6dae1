"""What one could ask or look at next: questions that records are known to answer, and resources that fit a need."""

import re
from collections.abc import Collection

from bot.cards import length_text
from bot.needs import looks_for_resources, read_need
from bot.recommender import Recommender, asked, on_topic, spoken
from bot.retriever import Retrieval
from knowledge.lexical import stems

MOST = 3
_reads_as_a_suggestion = re.compile(
    r"^(How|What|Which|Who|Where|When|Why|Is|Are|Does|Do|Did|Has|Have|Can|Should)\b[^?]{15,110}\?$"
)
# In another person's voice, or leaning on a text that is not there.
_leans = re.compile(r"\b(I|I'm|I've|my|me|we|our|us|that|this|the study|the authors?|it|they|them)\b", re.IGNORECASE)


def follow_ups(found: Retrieval, cited: Collection[str], question: str) -> tuple[str, ...]:
    """Up to three questions, each from another record: the likest of records found but not cited, then of cited ones.

    They were written from the statements of their record (`questions` in its front matter), so the knowledge can answer them.
    """
    asked = set(stems(question))
    chosen: dict[str, str] = {}
    for already in (False, True):
        for record, candidate in found.near_questions:
            words = set(stems(candidate))
            if (
                len(chosen) < MOST
                and record in found.record_ids
                and record not in chosen
                and (record in cited) is already
                and _reads_as_a_suggestion.match(candidate)
                and not _leans.search(candidate)
                and all(len(words & set(stems(other))) < 0.5 * len(words) for other in chosen.values())
                and len(words & asked) < 0.7 * len(words)
            ):
                chosen[record] = candidate
    return tuple(chosen.values())


def resources(question: str, recommender: Recommender) -> tuple[str, ...]:
    """For a question that seeks something to teach with: how it was read and what fits. Nothing for any other question.

    It stands beside the answer and changes nothing in it: a question that was taken for a need by mistake loses nothing.
    """
    if not looks_for_resources(question):
        return ()
    found = recommender.recommend(read_need(question))
    if not asked(found.need):
        return ()
    titles = [
        f"“{result.record.source.title}” ({length_text(result.record) or 'length not stated'})"
        for result in found.results
        if on_topic(result.record, found.need)
    ]
    fits = f"What fits: {'; '.join(titles)}." if titles else "Nothing that I know keeps all that must hold."
    return (
        f"You may be looking for something to teach with. I read: {spoken(found.need)}. {fits} "
        "To correct this, and for near misses and files: Find a resource, or python -m bot recommend.",
    )
