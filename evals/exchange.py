"""Cases and replies in the forms that RAGAS and DeepEval read, so that a team can run those with a judge of its own.

Both frameworks drop or misjudge abstentions (docs/evaluation.md), so the outcome goes along as metadata.
"""

import json
from typing import Any, Literal

from evals.cases import AnswerCase, CaseSet
from evals.subject import Asked, Asker

Form = Literal["ragas", "deepeval"]


def as_ragas(case: AnswerCase, asked: Asked) -> dict[str, Any]:
    """A row of a RAGAS `EvaluationDataset` (`SingleTurnSample`: user_input, response, retrieved_contexts, reference …)."""
    return {
        "user_input": case.question,
        "retrieved_contexts": contexts(asked),
        "reference_contexts": [nugget.statement for nugget in case.nuggets],
        "response": spoken(asked),
        "reference": " ".join(nugget.text for nugget in case.nuggets),
        # RAGAS's ID metrics: |retrieved ∩ reference| / |reference|.
        "retrieved_context_ids": asked.retrieved,
        "reference_context_ids": list(case.relevant),
    }


def as_deepeval(case: AnswerCase, asked: Asked) -> dict[str, Any]:
    """A test case of a DeepEval `EvaluationDataset` (`LLMTestCase`), in the field names that its JSON loader is given."""
    return {
        "name": case.id,
        "input": case.question,
        "actual_output": spoken(asked),
        "expected_output": " ".join(nugget.text for nugget in case.nuggets),
        "context": [nugget.statement for nugget in case.nuggets],
        "retrieval_context": contexts(asked),
        "additional_metadata": {"outcome": asked.outcome, "reason": asked.reason, "half": case.half, "made": case.made},
    }


def contexts(asked: Asked) -> list[str]:
    """The passages behind the reply, each once."""
    return list(dict.fromkeys(c["passage"] for claim in asked.json.get("claims", ()) for c in claim["citations"]))


def spoken(asked: Asked) -> str:
    """The reply's sentences without markers, headings and sources; the message of a reply without claims."""
    claims = [str(claim["text"]) for claim in asked.json.get("claims", ())]
    return " ".join(claims) if claims else (asked.reply.message if asked.reply else asked.fault)


def export(form: Form, cases: CaseSet, asker: Asker) -> str:
    """All answerable questions with nuggets, asked and written out: JSON lines for RAGAS, a JSON array for DeepEval."""
    rows = [(case, asker.ask(case.question)) for case in cases.of(AnswerCase)]
    if form == "ragas":
        return "".join(json.dumps(as_ragas(case, asked), ensure_ascii=False) + "\n" for case, asked in rows)
    return json.dumps([as_deepeval(case, asked) for case, asked in rows], ensure_ascii=False, indent=1) + "\n"
