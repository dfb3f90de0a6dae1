"""The parts that meet other tools: chat-model judge, exchange forms, public sets, pytest plugin, the command line."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.reply import Outcome, Reply
from evals.__main__ import main
from evals.cases import AnswerCase, CaseSet, load_cases
from evals.exchange import export
from evals.judge_model import ModelJudge, read_verdict
from evals.public import PublicLab, as_record, read_qrels, read_rows
from evals.settings import EvalSettings
from evals.subject import Asker
from knowledge.errors import EvaluationError, ModelError
from tests.fakes import LetterEmbedder

pytest_plugins = ["pytester"]


class Said:
    def __init__(self, text: str) -> None:
        self.text, self.asked = text, []

    def invoke(self, prompt: str) -> SimpleNamespace:
        self.asked.append(prompt)
        return SimpleNamespace(text=self.text)


def test_the_last_verdict_wins_and_none_is_unscored() -> None:
    assert read_verdict("The claim says VERDICT: yes.\nVERDICT: no") is False
    assert read_verdict("VERDICT: **Yes**") is True
    assert read_verdict("I would say so.") is None


def test_a_claim_is_asked_once_with_its_passages_as_data() -> None:
    model = Said("VERDICT: yes")
    judge = ModelJudge("fake:model", model)
    assert judge("A.", ["B."]) is judge("A.", ["B."]) is True
    assert len(model.asked) == 1
    assert "[1] B." in model.asked[0]


def test_a_judge_that_cannot_be_opened_names_the_remedy() -> None:
    with pytest.raises(ModelError, match="provider:model"):
        ModelJudge("no-such-provider:x")


class Silent:
    def reply(self, question: str, history: object = ()) -> Reply:
        return Reply(question, question, Outcome.ABSTAIN, message="Nothing on this.")


@pytest.mark.parametrize(("form", "field"), [("ragas", "user_input"), ("deepeval", "input")])
def test_an_abstention_is_exported_with_its_words_and_without_contexts(form, field) -> None:
    cases = CaseSet(load_cases(EvalSettings().cases).of(AnswerCase)[:2])
    text = export(form, cases, Asker(Silent()))
    rows = json.loads(text) if form == "deepeval" else [json.loads(line) for line in text.splitlines()]
    assert [row[field] for row in rows] == [case.question for case in cases.of(AnswerCase)]
    assert rows[0]["response" if form == "ragas" else "actual_output"] == "Nothing on this."
    assert rows[0]["retrieved_contexts" if form == "ragas" else "retrieval_context"] == []


def test_a_document_becomes_a_record_whose_passages_hold_all_its_words() -> None:
    text = "One sentence here. " * 120 + "x" * 2_000 + "\u200b\tend."
    record = as_record(7, "A  title\n", text)
    assert record.id == "d7"
    assert max(len(s.text) for s in record.statements) <= 900
    assert "end." in record.statements[-1].text
    assert as_record(1, "", "").source.title


def test_judgements_without_a_relevant_document_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td1\t0\n")
    assert read_qrels(tmp_path) == {"test": {"q1": {"d1": 2.0, "d2": 0.0}}}
    (tmp_path / "bad.jsonl").write_text("{}\n{")
    with pytest.raises(EvaluationError, match=r"bad\.jsonl, after 1 rows"):
        read_rows(tmp_path / "bad.jsonl")


def test_a_sample_of_a_public_set_is_the_same_in_every_run(tmp_path: Path) -> None:
    public = PublicLab(tmp_path, LetterEmbedder(), tmp_path)
    rows = list(range(1_000))
    assert public.sample(rows, 10, str) == public.sample(rows[::-1], 10, str)
    assert PublicLab(tmp_path, LetterEmbedder(), tmp_path, whole=True).sample(rows, 10, str) == rows


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--suite", "nonsense"], "The suites are"),
        (["run", "--public", "/nowhere"], "no folder"),
        (["compare", "/nowhere/a.json", "/nowhere/b.json"], "python -m evals run"),
        (["gate", "/nowhere/a.json"], "python -m evals run"),
    ],
)
@pytest.mark.real
def test_a_fault_is_one_sentence_that_says_what_to_do(arguments, says, built_data: Path, capsys) -> None:
    assert main([*arguments, "--data", str(built_data)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.real
def test_each_case_is_also_a_test(built_data: Path, pytester: pytest.Pytester) -> None:
    result = pytester.runpytest(
        "-p", "evals.pytest_plugin", str(EvalSettings().cases), "--evals-data", str(built_data), "-k", "ret-0001 or clm-0002",
        "--no-header", "-c", "/dev/null",
    )  # fmt: skip
    counts = result.parseoutcomes()
    assert counts.get("passed", 0) + counts.get("failed", 0) + counts.get("xfailed", 0) == 2
    assert counts["passed"] >= 1
