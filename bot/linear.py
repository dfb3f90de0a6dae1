"""A small transparent classifier: named measurements, one weight each and class, softmax. Fitted by the scripts in `evals/`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import SettingsError

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Softmax:
    """Class probabilities from measurements: softmax(weights @ ((x - mean) / scale) + bias)."""

    classes: tuple[str, ...]
    mean: Matrix
    scale: Matrix
    weights: Matrix
    bias: Matrix

    def probabilities(self, measured: Matrix) -> dict[str, float]:
        """One probability for each class; they add up to 1."""
        logits = self.weights @ ((measured - self.mean) / self.scale) + self.bias
        powers = np.exp(logits - logits.max())
        return dict(zip(self.classes, (powers / powers.sum()).tolist(), strict=True))

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads; five digits are enough for every decision."""
        return {
            "classes": list(self.classes),
            **{name: np.round(getattr(self, name), 5).tolist() for name in ("mean", "scale", "weights", "bias")},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Softmax":
        """The inverse of `as_json`."""
        parts = {name: np.asarray(value[name], dtype=np.float64) for name in ("mean", "scale", "weights", "bias")}
        return cls(tuple(value["classes"]), **parts)


def fit_softmax(
    measured: Matrix,
    labels: Sequence[str],
    sample_weights: Sequence[float],
    penalty: float,
    emphasis: Matrix | None = None,
) -> Softmax:
    """Fit weighted log loss plus `penalty`/2 times the squared weights, with scikit-learn.

    Each column is brought to mean 0 and to a deviation of its `emphasis` (default 1): what has less of it is penalised more.
    """
    # Trap: this import takes a second, so only fitting pays for it.
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped,unused-ignore]

    mean, spread = measured.mean(axis=0), measured.std(axis=0)
    # A constant column says nothing, and must not divide by 0.
    scale = np.where(spread > 1e-6, spread, 1.0) / (1.0 if emphasis is None else emphasis)
    share = np.asarray(sample_weights, dtype=np.float64)
    model = LogisticRegression(C=1 / penalty, max_iter=500)
    model.fit((measured - mean) / scale, list(labels), sample_weight=share / share.sum())
    weights, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # it keeps one row for two classes: that of the second
        weights, bias = np.vstack([0 * weights, weights]), np.concatenate([0 * bias, bias])
    return Softmax(tuple(map(str, model.classes_)), mean, scale, weights, bias)


def read_models(file: Path) -> dict[str, Any]:
    """The JSON of a file of constants. Raises SettingsError when it is damaged."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file.name} cannot be read. Reinstall the project.") from error
    assert isinstance(value, dict)
    return value
