import numpy as np
import pytest

from bot.linear import Softmax, fit_softmax, read_models
from knowledge.errors import SettingsError


def test_probabilities_are_those_worked_by_hand() -> None:
    model = Softmax(("no", "yes"), np.zeros(1), np.ones(1), np.array([[0.0], [1.0]]), np.zeros(2))
    assert model.probabilities(np.array([np.log(3.0)])) == pytest.approx({"no": 0.25, "yes": 0.75})


def test_a_fit_separates_what_can_be_separated_and_survives_its_json() -> None:
    x = np.array([[0.0, 5.0], [1.0, 5.0], [9.0, 5.0], [10.0, 5.0]])
    model = fit_softmax(x, ["low", "low", "high", "high"], [1.0] * 4, penalty=0.001)
    again = Softmax.from_json(model.as_json())
    for row, label in zip(x, ["low", "low", "high", "high"], strict=True):
        found = again.probabilities(row)
        assert max(found, key=lambda name: found[name]) == label
        assert sum(found.values()) == pytest.approx(1)


def test_a_heavier_row_pulls_the_bias() -> None:
    x = np.zeros((2, 1))
    found = fit_softmax(x, ["a", "b"], [3.0, 1.0], penalty=0.001).probabilities(x[0])
    assert found == pytest.approx({"a": 0.75, "b": 0.25}, abs=0.01)


def test_what_has_less_emphasis_weighs_less() -> None:
    x = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    model = fit_softmax(x, ["a", "b", "a", "b"], [1.0] * 4, penalty=0.01, emphasis=np.array([1.0, 0.1]))
    weights = np.abs(model.weights / model.scale).sum(axis=0)
    assert weights[0] > 50 * weights[1] > 0


def test_a_damaged_file_of_constants_says_what_to_do(tmp_path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(SettingsError, match="Reinstall"):
        read_models(tmp_path / "x.json")
