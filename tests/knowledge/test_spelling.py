import pytest

from knowledge.spelling import Speller

SPELLER = Speller(
    ["Students petition deans about the curriculum", "students and racism"], {"kitten", "trains"}.__contains__
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("studnets agianst racsm", "students agianst racism"),
        ("Curiculum", "curriculum"),
        ("kitten trains", "kitten trains"),
        ("about Racizm and petitoin", "about Racizm and petition"),
        ("zzzzzz cat 12345 student's", "zzzzzz cat 12345 student's"),
    ],
)
def test_only_unknown_words_near_a_known_one_are_corrected(typed: str, meant: str) -> None:
    assert SPELLER.correct(typed) == meant
