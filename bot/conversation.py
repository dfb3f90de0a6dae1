"""A follow-up and what was said before it, to a question that stands alone. No model is needed.

A question takes words over from the last exchange only if it then finds its evidence more surely than alone; a change of topic
does not, so nothing is carried into it. What was carried is shown to the reader.
"""

# ruff: noqa: E501 - a pattern is read as a whole

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.reply import Turn
from knowledge.lexical import stems

MOST_CARRIED = 28  # words
READ_OF_A_REPLY = 300  # characters: the sentence that leads it
SURER_BY = (
    0.03  # retrieval score; set on the development conversations, where it separated all of them (docs/decisions/0009)
)

_polite = re.compile(
    r"^(?:(?:thanks?(?: you)?(?: so much)?|ok(?:ay)?|great|cool|got it|right|perfect|ta|cheers)\b[\s,.!;:–—-]*)+",
    re.IGNORECASE,
)
_turns_away = re.compile(
    r"^(?:(?:and |but |so |also |now |then )*)(?:forget (?:that|it|about (?:that|it))|(?:a )?(?:different|another|separate|new|unrelated|other)"
    r" (?:thing|question|topic|matter|subject|issue)|new topic|(?:on|in) (?:another|a different) (?:note|matter|topic)|switching(?: topics?)?"
    r"|chang(?:e|ing) (?:of |the )?(?:topic|subject)|(?:for )?something (?:else|different)|(?:also )?unrelated(?:ly)?|moving on|never ?mind(?: that)?"
    r"|that aside|leave that|now)\s*[,.:;!–—-]+\s*",
    re.IGNORECASE,
)
_not_said = re.compile(r"^\s*(?:\*\*.*\*\*|#+ .*|\*I understood.*|\d+\. .*|- \*Caution.*|\*[^*].*\*)\s*$", re.MULTILINE)
_markup = re.compile(r"\\?\[\d+\\?\]|\\(?=\W)|[*_`>#]|https?://\S+")


@dataclass(frozen=True)
class Understood:
    """A question that stands alone; `carried` are the words taken over from before, empty where none were."""

    question: str
    carried: str = ""

    @property
    def text(self) -> str:
        """The question as it is searched and shown."""
        return f"{self.question} (about: {self.carried})" if self.carried else self.question


def understand(question: str, history: Sequence[Turn], best_score: Callable[[str], float]) -> Understood:
    """The standalone question. `best_score` says how surely a text finds evidence, on the retriever's scale."""
    if not history:
        return Understood(question)
    plain = _polite.sub("", question) or question
    if turned := _turns_away.match(plain):
        return Understood(plain[turned.end() :] or question)
    carried = _words_before(plain, history)
    together = Understood(plain, carried)
    if not carried or best_score(together.text) < best_score(plain) + SURER_BY:
        return Understood(plain)
    return together


def _words_before(question: str, history: Sequence[Turn]) -> str:
    """The telling words of the last exchange that the question lacks, in their order."""
    said = [turn.content for turn in history if turn.role == "user"][-1:]
    replies = [lead(turn.content) for turn in history if turn.role == "assistant"][-1:]
    known = set(stems(question))
    words: list[str] = []
    for word in re.findall(r"[^\W_][\w'’&-]*", " ".join([*said, *replies])):
        stem = stems(word)
        if stem and not set(stem) <= known:
            known.update(stem)
            words.append(word)
    return " ".join(words[:MOST_CARRIED])


def lead(reply: str) -> str:
    """The first thing that a reply said, without headings, notices, markers and addresses."""
    return " ".join(_markup.sub("", _not_said.sub("", reply)).split())[:READ_OF_A_REPLY]
