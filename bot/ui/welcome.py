"""What the page says before anybody asks: purpose, notice and examples. Every example is one that the knowledge answers."""

from collections.abc import Sequence
from html import escape

LEARNER_EXAMPLES = (
    "How do I get race-based eGFR out of our lectures without burning bridges?",
    "What protects students who report discrimination from retaliation?",
    "How do students start a petition to their dean?",
    "How do students audit lectures for racial bias?",
)
FACULTY_EXAMPLES = (
    "Which workshop on microaggressions has ready-made facilitator materials?",
    "What is a short way to teach race correction in spirometry?",
    "Is there a checklist for reviewing my own slides for bias?",
    "How do I show darker skin in dermatology teaching?",
)

HEADER = """
<header class="top">
  <p class="brand">Upstander</p>
  <a class="exit" href="about:blank" rel="noreferrer"
     onclick="document.documentElement.hidden = true; location.replace('about:blank'); return false">Leave this page quickly</a>
</header>
<div class="purpose">
  <h1>Ask how to make the curriculum fairer</h1>
  <p>For medical learners and faculty: answers made only of what checked sources say, each statement with its source.</p>
</div>
"""


def privacy(places: Sequence[str]) -> str:
    """Where the words go that a person types, from `bot.llm.destinations`."""
    if not places:
        return "Nothing you type leaves this machine."
    return f"Your words leave this machine: questions, and the passages found for them, go to {' and '.join(places)}."


def notice(places: Sequence[str]) -> str:
    """What the program is and is not, as a part of the page that can be folded away."""
    return f"""
<details class="notice" open>
  <summary>What I am and am not</summary>
  <ul>
    <li>I show <strong>only what checked sources say</strong>. I may miss things, and sources can be wrong or old.</li>
    <li>I am <strong>not legal, medical or careers advice</strong>, and no replacement for someone you trust.</li>
    <li><strong>{escape(privacy(places))}</strong> Nothing is stored: the conversation is in memory only, and goes when you
      press Clear or close the page.</li>
    <li>I read and answer in English. Leave out names: I do not need them.</li>
  </ul>
</details>
"""
