import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.questions import check_question
from knowledge.errors import QuestionError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  \n\t ", "empty"),
        ("?!…", "empty"),
        ("\x00\x01\x02binary", "empty"),
        ("a" * 2001, "too_long"),
        ("x" * 100_000, "too_long"),
    ],
)
def test_what_is_no_question_gets_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(QuestionError) as error:
        check_question(text, 2000)
    assert error.value.reason == reason
    assert "\n" not in str(error.value)


def test_invisible_characters_are_taken_out() -> None:
    assert check_question("How\u200b do\u202e I\U000e0041 start?\ufeff", 2000) == "How do I start?"


def test_letters_of_other_scripts_and_half_an_emoji_do_no_harm() -> None:
    assert check_question("¿Cómo empiezo? 如何开始 \ud83d", 2000) == "¿Cómo empiezo? 如何开始"


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(QuestionError):
        assert check_question(text, 200).strip()
