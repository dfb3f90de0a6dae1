import json
from pathlib import Path

import pytest

from bot.__main__ import checks, main
from tests.fakes import WordVerifier

LINES = [
    '{"id": "a", "claim": "it rose", "passages": ["it rose", "x"]}',
    "",
    '{"id": "b", "claim": "it fell", "passages": ["it rose"]}',
    "no json",
    "[1]",
    '{"id": "c", "claim": 5, "passages": ["x"]}',
    '{"id": "d", "claim": "x", "passages": "x"}',
    '{"id": "e", "claim": "x", "passages": [1]}',
    '{"id": "f", "claim": "it rose", "passages": []}',
    '{"id": 7, "claim": "it", "passages": ["it rose"]}',
]


def test_each_line_gets_its_verdict_or_its_error_in_order_and_the_batch_goes_on() -> None:
    found = list(checks(WordVerifier(), LINES))
    assert found[0] == {"id": "a", "support": "full", "score": 1.0, "reason": "all there"}
    assert found[1] == {"id": "b", "support": "none", "score": 0.0, "reason": "no passage has fell"}
    assert [value["id"] for value in found] == ["a", "b", None, None, "c", "d", "e", "f", 7]
    assert ["error" in value for value in found] == [False, False, True, True, True, True, True, False, False]
    assert all('{"id": "…", "claim": "…", "passages": ["…"]}' in value["error"] for value in found if "error" in value)


def test_the_command_reads_a_file_and_prints_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "claims.jsonl"
    file.write_text('{"id": 1, "claim": "It rose.", "passages": ["It rose. It fell."]}\n\ufffd\n', encoding="utf-8")
    assert main(["check", "--batch", str(file), "--json"]) == 0
    verdict, error = map(json.loads, capsys.readouterr().out.splitlines())
    assert (verdict["id"], verdict["support"]) == (1, "full")
    assert error.keys() == {"id", "error"}


def test_a_missing_file_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--batch", "/nowhere.jsonl", "--json"]) == 2
    assert capsys.readouterr().err.startswith("The file /nowhere.jsonl cannot be read")


@pytest.mark.parametrize("option", [["--model", "acme:x"], ["--verifier", "acme"]])
def test_a_wrong_name_is_one_sentence_and_exit_code_2(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ask", "Why?", *option] if option[0] == "--model" else ["check", "--batch", __file__, *option]
    assert main([*arguments, "--data", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "acme" in shown.err
