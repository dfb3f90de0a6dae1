import json
from pathlib import Path

import pytest

from bot.__main__ import answers
from bot.contract import read_batch_line, reply_json
from bot.drafting import ExtractiveDrafter
from bot.reply import Turn
from knowledge.errors import QuestionError
from tests.bot.test_engine import QUESTION, engine

REPLY_KEYS = (
    "question standalone_question outcome reason markdown claims withheld sources retrieved follow_ups "
    "model generation timings_ms"
).split()


def test_a_reply_has_every_key_of_the_contract(tmp_path: Path) -> None:
    value = json.loads(json.dumps(reply_json(engine(tmp_path, ExtractiveDrafter()).reply(QUESTION))))
    assert [key for key in REPLY_KEYS if key not in value] == []
    claim, source = value["claims"][0], value["sources"][0]
    assert {"text", "facet", "support", "citations"} <= claim.keys()
    assert {"marker", "record_id", "passage_id", "passage"} <= claim["citations"][0].keys()
    assert {"marker", "record_id", "title", "authors", "year", "kind", "tier", "url", "doi"} <= source.keys()


def test_a_batch_keeps_order_and_ids_and_goes_on_after_a_bad_line(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "a", "question": QUESTION}),
        "not json",
        "",
        json.dumps({"id": 3, "text": "no question"}),
        json.dumps({"id": "b", "question": ""}),
        json.dumps({"id": "c", "question": QUESTION, "history": [{"role": "robot", "content": "x"}]}),
        "[" * 100_000,
        json.dumps({"id": "d", "question": "x" * 1_000_000}),
    ]
    values = list(answers(engine(tmp_path, ExtractiveDrafter()), lines))
    assert [value["id"] for value in values] == ["a", None, 3, "b", "c", None, "d"]
    assert ["error" in value for value in values] == [False, True, True, False, True, True, True]
    assert values[3]["outcome"] == "clarify"


def test_history_is_read_as_turns() -> None:
    line = json.dumps({"id": "x", "question": "and then?", "history": [{"role": "user", "content": "how?"}]})
    assert read_batch_line(line) == ("x", "and then?", (Turn("user", "how?"),))


@pytest.mark.parametrize(
    "line",
    ["{}", "[]", '"text"', '{"question": 3}', '{"question": "q", "history": "x"}', '{"question": "q", "history": [1]}'],
)
def test_a_bad_line_is_one_sentence(line: str) -> None:
    with pytest.raises(QuestionError) as error:
        read_batch_line(line)
    assert "\n" not in str(error.value)
