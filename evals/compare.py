"""Two runs side by side: what differs, by how much, and whether the difference is real."""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.metrics import Difference, paired_difference
from evals.results import Figure, Run


@dataclass(frozen=True)
class Row:
    """One figure in both runs. `difference` is paired over the common cases, None where no case is common or it has no cases."""

    name: str
    before: Figure | None
    after: Figure | None
    difference: Difference | None
    better: str

    @property
    def verdict(self) -> str:
        """In one word: better, worse, 'no real change', or why nothing can be said."""
        if self.before is None or self.after is None or self.before.value is None or self.after.value is None:
            return "not comparable"
        if self.difference is None:
            gap = self.after.value - self.before.value
            return "equal" if abs(gap) < 1e-6 else "differs (no interval)"
        if self.difference.value == 0 and self.difference.low == self.difference.high == 0:
            return "equal"
        if not self.difference.real:
            return "no real change"
        return "better" if (self.difference.value > 0) == (self.better == "higher") else "worse"


def comparable(before: Run, after: Run) -> str:
    """Empty if the runs may be compared, else why not."""
    if before.knowledge != after.knowledge:
        return "the runs rest on other knowledge (fingerprints differ)"
    if before.model != after.model:
        return f"the runs are of other models ({before.model}, {after.model})"
    return ""


def compare(before: Run, after: Run) -> list[Row]:
    """Every figure of either run, with a paired bootstrap over the cases that both scored."""
    figures_before, figures_after = before.figures(), after.figures()
    scores_before, scores_after = before.scores(), after.scores()
    clusters = {**before.clusters, **after.clusters}
    rows = []
    for name in sorted({*figures_before, *figures_after}):
        one, other = figures_before.get(name), figures_after.get(name)
        difference = None
        if name in scores_before and name in scores_after:
            difference = paired_difference(scores_before[name], scores_after[name], clusters)
        shown = other or one
        rows.append(Row(name, one, other, difference, shown.better if shown else "higher"))
    return rows


def as_text(before: Run, after: Run, rows: Sequence[Row]) -> str:
    """The comparison as a table for a terminal."""
    lines = []
    if why := comparable(before, after):
        lines.append(f"Careful: {why}; what follows is no judgement of the code.")
    head = f"{'figure':44} {'A':>8} {'B':>8} {'B - A':>8}  {'95 % interval':19} {'pairs':>6}  verdict"
    lines += [head, "-" * len(head)]
    for row in rows:
        a, b = _value(row.before), _value(row.after)
        if row.difference:
            d = row.difference
            lines.append(
                f"{row.name:44} {a:>8} {b:>8} {d.value:>+8.3f}  [{d.low:+.3f}, {d.high:+.3f}]    {d.pairs:>6}  {row.verdict}"
            )
        else:
            lines.append(f"{row.name:44} {a:>8} {b:>8} {'':8}  {'':19} {'':6}  {row.verdict}")
    return "\n".join(lines) + "\n"


def _value(figure: Figure | None) -> str:
    return "-" if figure is None or figure.value is None else f"{figure.value:.3f}"
