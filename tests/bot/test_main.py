"""The commands as a person runs them, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]


def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=120
    )


def test_one_question_is_answered_in_markdown_and_in_json(built_data: Path) -> None:
    question = "How do I get race-based eGFR out of our lectures without burning bridges?"
    text = run("bot", "ask", question, "--data", str(built_data))
    assert (text.returncode, text.stderr) == (0, "")
    assert "**Sources**" in text.stdout
    value = json.loads(run("bot", "ask", question, "--json", "--data", str(built_data)).stdout)
    assert value["outcome"] == "answer"
    assert value["searches"] == ["chroma", "bm25"]


def test_a_batch_from_standard_input_gives_a_line_a_question(built_data: Path) -> None:
    lines = '{"id": "1", "question": "Is there a checklist for bias in slides?"}\n\xff\n'
    lines += '{"id": "2", "question": "what is power mapping"}\n'
    done = run("bot", "ask", "--batch", "-", "--json", "--data", str(built_data), stdin=lines)
    values = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(value["id"], "error" in value) for value in values] == [("1", False), (None, True), ("2", False)]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ask", ""], 2, "Please type a question"),
        (["ask", "x" * 100_000], 2, "I read up to 2,000"),
        (["ask"], 2, "Give one question in quotes"),
        (["ask", "why?", "--batch", "x"], 2, "Give one question in quotes"),
        (["ask", "--batch", "/nowhere.jsonl"], 2, "cannot be read"),
        (["ask", "why?", "--model", "nonsense"], 2, "nonsense"),
    ],
)
def test_bad_use_gets_one_sentence_and_exit_code_2(
    built_data: Path, arguments: list[str], code: int, says: str
) -> None:
    done = run("bot", *arguments, "--data", str(built_data))
    assert done.returncode == code
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert (done.stdout + done.stderr).strip().count("\n") == 0


def test_a_missing_index_says_which_command_makes_one(tmp_path: Path) -> None:
    done = run("bot", "ask", "how?", "--data", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == f"There is no index in {tmp_path / 'index'}. Run: python -m ingest build"


def test_status_and_verify_tell_the_state_of_the_index(built_data: Path) -> None:
    status = json.loads(run("ingest", "status", "--json", "--data", str(built_data)).stdout)
    assert {"generation", "records", "passages", "fingerprint", "built", "healthy"} <= status.keys()
    assert (status["records"], status["passages"], status["healthy"]) == (379, 2019, True)
    assert json.loads(run("ingest", "verify", "--json", "--data", str(built_data)).stdout) == {
        "ok": True,
        "problems": [],
    }


def test_a_setting_out_of_range_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "ask", "how?"],
        cwd=ROOT,
        env={"PATH": "/usr/bin", "HOME": str(tmp_path), "UPSTANDER_PORT": "99999999"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "UPSTANDER_PORT" in done.stderr
