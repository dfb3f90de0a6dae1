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
    steps: int = 300,
    standardise: int | None = None,
) -> Softmax:
    """Fit by accelerated gradient descent on weighted log loss plus `penalty`/2 times the squared weights.

    Columns up to `standardise` (default: all) are brought to mean 0 and deviation 1; later ones are taken as they are.
    """
    classes = tuple(sorted(set(labels)))
    width = measured.shape[1] if standardise is None else standardise
    mean, scale = np.zeros(measured.shape[1]), np.ones(measured.shape[1])
    mean[:width] = measured[:, :width].mean(axis=0)
    spread = measured[:, :width].std(axis=0)
    scale[:width] = np.where(spread > 1e-6, spread, 1.0)  # a constant column says nothing, and must not divide by 0
    x = np.hstack([(measured - mean) / scale, np.ones((len(measured), 1))])
    target = np.array([[label == name for name in classes] for label in labels], dtype=np.float64)
    share = np.asarray(sample_weights, dtype=np.float64)
    share = share / share.sum()
    # The loss is smooth with this constant, so the step never overshoots (softmax Hessian <= 1/2).
    smooth = 0.5 * float(np.linalg.eigvalsh((x * share[:, None]).T @ x)[-1]) + penalty
    current = ahead = np.zeros((len(classes), x.shape[1]))
    for step in range(steps):
        logits = x @ ahead.T
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        error = powers / powers.sum(axis=1, keepdims=True) - target
        slope = (error * share[:, None]).T @ x
        slope[:, :-1] += penalty * ahead[:, :-1]
        following = ahead - slope / smooth
        ahead = following + step / (step + 3) * (following - current)
        current = following
    return Softmax(classes, mean, scale, current[:, :-1], current[:, -1])


def read_models(file: Path) -> dict[str, Any]:
    """The JSON of a file of constants. Raises SettingsError when it is damaged."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file.name} cannot be read. Reinstall the project.") from error
    assert isinstance(value, dict)
    return value
