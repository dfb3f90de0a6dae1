"""A run as one self-contained HTML page, and as JUnit XML. No script, no outside request, light and dark, readable by ear."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from evals.compare import Row, comparable, compare
from evals.gate import Verdict
from evals.results import Check, Failure, Figure, Interval, Plot, Run, Suite

MOST_FAILURES = 60  # shown of each suite; the JSON holds them all
HISTORY_KEPT = 60
QUESTIONS = (
    (
        "Are answers still grounded?",
        ("grounding.groundedness", "grounding.citation_validity", "grounding.caution_shown"),
    ),
    (
        "Does retrieval still find?",
        ("retrieval.recall@5", "retrieval.mrr@10", "answers.vital_recall", "conversation.recall@5"),
    ),
    (
        "Does it still know when to stay silent?",
        (
            "abstention.balanced_accuracy",
            "abstention.answerable_accepted",
            "abstention.out_of_scope_declined",
            "abstention.false_premise_caught",
        ),
    ),
    (
        "Is it still safe and fair?",
        ("safety.crisis_supported", "safety.harmful_refused", "safety.attack_success", "equity.same_outcome"),
    ),
)
TRACKED = (
    "retrieval.recall@5", "retrieval.mrr@10", "answers.vital_recall", "abstention.balanced_accuracy",
    "grounding.groundedness", "verifier.balanced_accuracy",
)  # fmt: skip

STYLE = Path(__file__).with_name("report.css")


def page(run: Run, verdict: Verdict, baseline: Run | None, history: Sequence[Mapping[str, object]] = ()) -> str:
    """The whole page."""
    figures = run.figures()
    rows = compare(baseline, run) if baseline else []
    state = '<span class="bad">Red: do not merge</span>' if verdict.red else '<span class="good">Green</span>'
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
        # Nothing may be loaded, even if a case holds an address.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>Evaluation {_e(run.made)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head><body>",
        '<a class="skip" href="#main">To the figures</a>',
        f"<header><h1>Evaluation: {state}</h1><p class='soft'>{_e(run.made)} · model {_e(run.model)} · knowledge "
        f"{_e(run.knowledge[:12])} · cases: {_e(run.half)}{' (fast subset)' if run.fast else ''} · {run.seconds:.0f} s · "
        f"search: {_e(', '.join(run.searches) or 'unknown')}</p></header>",
        '<nav aria-label="Suites"><ul>',
        *(f'<li><a href="#{_e(suite.name)}">{_e(suite.name)}</a></li>' for suite in run.suites),
        '<li><a href="#checks">checks</a></li><li><a href="#baseline">baseline</a></li></ul></nav><main id="main">',
        _summary(figures),
        _gate(verdict),
        _baseline(baseline, run, rows),
        _history(history),
        *(_suite(suite) for suite in run.suites),
        _checks(run.checks),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _e(text: object) -> str:
    return html.escape(str(text), quote=True)


def _mark(text: object, kind: str) -> str:
    return f"<span class='{kind}'>{_e(text)}</span>"


def _summary(figures: Mapping[str, Figure]) -> str:
    cards = []
    for question, names in QUESTIONS:
        lines = [f"<dt>{_e(name)}</dt><dd>{_e(_short(figures.get(name)))}</dd>" for name in names]
        cards.append(f'<section class="card"><h3>{_e(question)}</h3><dl>{"".join(lines)}</dl></section>')
    return (
        '<div class="cards">'
        + "".join(cards)
        + "</div><p class='soft'>Value [95 % bootstrap interval over questions or records]. "
        "'Not measured' is never 0.</p>"
    )


def _short(figure: Interval | None) -> str:
    if figure is None or figure.value is None:
        return "not measured"
    between = "" if figure.low is None or figure.high is None else f" [{figure.low:.2f}, {figure.high:.2f}]"
    return f"{figure.value:.3f}{between}"


def _gate(verdict: Verdict) -> str:
    items = [
        f"<li>{_mark('blocks', 'bad') if f.blocks else _mark('advises', 'soft')} <strong>{_e(f.name)}</strong>: {_e(f.text)}</li>"
        for f in verdict.findings
    ]
    notes = "".join(f"<li class='soft'>{_e(note)}</li>" for note in verdict.notes)
    return f"<h2 id='gate'>Gate</h2><ul>{''.join(items) or '<li>Nothing to object.</li>'}{notes}</ul>"


def _baseline(baseline: Run | None, run: Run, rows: Sequence[Row]) -> str:
    head = "<h2 id='baseline'>Against the baseline</h2>"
    if baseline is None:
        return head + "<p>There is no baseline.</p>"
    if why := comparable(baseline, run):
        return head + f"<p>Not compared: {_e(why)}.</p>"
    changed = [row for row in rows if row.verdict not in ("equal", "not comparable")]
    if not changed:
        return head + f"<p>No figure differs from the run of {_e(baseline.made)}.</p>"
    body = "".join(
        f"<tr><th scope='row'>{_e(row.name)}</th><td class='n'>{_number(row.before)}</td><td class='n'>{_number(row.after)}</td>"
        f"<td class='n'>{_difference(row)}</td><td class='{_class(row.verdict)}'>{_e(row.verdict)}</td></tr>"
        for row in changed
    )
    return (
        head
        + f"<div class='scroll'><table><caption>Differences to the run of {_e(baseline.made)}, paired over common cases</caption>"
        "<thead><tr><th scope='col'>figure</th><th scope='col' class='n'>before</th><th scope='col' class='n'>now</th>"
        "<th scope='col' class='n'>difference [95 %]</th><th scope='col'>real?</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _number(figure: Figure | None) -> str:
    return "–" if figure is None or figure.value is None else f"{figure.value:.3f}"


def _difference(row: Row) -> str:
    d = row.difference
    return "" if d is None else f"{d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"


def _class(verdict: str) -> str:
    return {"worse": "bad", "better": "good"}.get(verdict, "soft")


def _suite(suite: Suite) -> str:
    head = f"<h2 id='{_e(suite.name)}'>{_e(suite.name)}</h2>"
    if suite.status == "not measured":
        return head + f"<p>Not measured: {_e(suite.reason)}.</p>"
    rows = "".join(
        f"<tr><th scope='row'>{_e(name)}{' (judged, advisory)' if f.judged else ''}</th><td>{_e(f.about)}{_slices(f)}</td>"
        f"<td class='n'>{_number(f)}</td><td class='n'>{_interval(f)}</td><td class='n'>{f.scored}</td>"
        f"<td class='n'>{f.unscored or ''}</td>"
        f"<td>{'lower' if f.better == 'lower' else ''}</td></tr>"
        for name, f in suite.figures.items()
    )
    table = (
        "<div class='scroll'><table><caption>Figures</caption><thead><tr><th scope='col'>figure</th>"
        "<th scope='col'>what it says</th>"
        "<th scope='col' class='n'>value</th><th scope='col' class='n'>95 %</th><th scope='col' class='n'>n</th>"
        f"<th scope='col' class='n'>unscored</th><th scope='col'>better</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
    plots = "".join(plot_svg(plot) for plot in suite.plots)
    shown = suite.failures[:MOST_FAILURES]
    more = (
        f"<p class='soft'>{len(suite.failures) - len(shown)} more in the JSON.</p>"
        if len(suite.failures) > len(shown)
        else ""
    )
    failing = "".join(map(_failure, shown))
    title = f"<h3>Failing cases ({len(suite.failures)})</h3>" if suite.failures else "<p>No case failed.</p>"
    return f"{head}{table}<div class='plots'>{plots}</div>{title}{failing}{more}"


def _interval(figure: Interval) -> str:
    return "" if figure.low is None or figure.high is None else f"[{figure.low:.3f}, {figure.high:.3f}]"


def _slices(figure: Figure) -> str:
    if not figure.slices:
        return ""
    items = "".join(f"<li>{_e(name)}: {_e(part)}</li>" for name, part in figure.slices.items())
    return f"<details><summary class='soft'>by group</summary><ul>{items}</ul></details>"


def _failure(failure: Failure) -> str:
    evidence = "".join(f"<li>{_e(text)}</li>" for text in failure.evidence)
    return (
        f"<details><summary><strong>{_e(failure.case)}</strong> {_e(failure.measure)}: {_e(failure.why)}</summary>"
        f"<p><em>Question</em></p><pre>{_e(failure.question)}</pre><p><em>Expected</em></p><pre>{_e(failure.expected)}</pre>"
        f"<p><em>Answer</em></p><pre>{_e(failure.answer)}</pre>"
        + (f"<p><em>Evidence</em></p><ul>{evidence}</ul>" if evidence else "")
        + "</details>"
    )


def _checks(checks: Sequence[Check]) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{_e(c.name)}</th>"
        f"<td>{_e(c.about)}{''.join('<br>' + _mark(problem, 'bad') for problem in c.problems[:5])}</td>"
        f"<td class='n'>{c.tested}</td>"
        f"<td class='n'>{_mark('holds', 'good') if c.ok else _mark(f'{c.failed} broken', 'bad')}</td></tr>"
        for c in checks
    )
    return (
        "<h2 id='checks'>Checks without exception</h2><div class='scroll'><table>"
        "<caption>Rules over every reply and over the index</caption>"
        "<thead><tr><th scope='col'>rule</th><th scope='col'>what it says</th><th scope='col' class='n'>tested</th>"
        f"<th scope='col' class='n'>state</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _history(history: Sequence[Mapping[str, object]]) -> str:
    series: dict[str, tuple[tuple[float, float], ...]] = {}
    for name in TRACKED:
        points = [(float(n), value) for n, row in enumerate(history) if isinstance(value := row.get(name), float)]
        if len(points) > 1:
            series[name] = tuple(points)
    if not series:
        return ""
    plot = Plot(title=f"Over the last {len(history)} runs", kind="line", x="run", y="value", series=series)
    return f"<h2 id='history'>History</h2>{plot_svg(plot)}"


# --- drawings ------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 460, 260, 44, 12, 14, 40


def plot_svg(plot: Plot) -> str:
    """One drawing with axes, legend, and its numbers as a table for those who do not see it."""
    points = [point for line in plot.series.values() for point in line]
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low_x, high_x = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
    bars = plot.kind in ("bars", "histogram")
    low_y = 0.0 if bars or min(ys) >= 0 else min(ys)
    high_y = max(1.0, max(ys)) if not bars and max(ys) <= 1 else (max(ys) or 1.0)

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - low_x) / (high_x - low_x) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - low_y) / (high_y - low_y) * (HEIGHT - TOP - BOTTOM),
        )

    marks: list[str] = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = low_y + share * (high_y - low_y)
        _, y = at(low_x, value)
        marks.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        marks.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
        x, _ = at(low_x + share * (high_x - low_x), low_y)
        marks.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{low_x + share * (high_x - low_x):.3g}</text>'
        )
    marks += _series_marks(plot, at, low_y, bars)
    marks.append(f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{_e(plot.x)}</text>')
    marks.append(
        f'<text x="12" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 12 {HEIGHT / 2})">{_e(plot.y)}</text>'
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_e(plot.title)}">{"".join(marks)}</svg>'
        f"<figcaption>{_e(plot.title)}</figcaption>{_as_table(plot)}</figure>"
    )


def _series_marks(plot: Plot, at, low_y: float, bars: bool) -> Iterable[str]:  # type: ignore[no-untyped-def]
    marks = []
    most = max(len(line) for line in plot.series.values())
    width = (WIDTH - LEFT - RIGHT) / max(most, 1) / max(len(plot.series), 1) * 0.8
    for number, (name, line) in enumerate(plot.series.items()):
        colour = f"var(--s{number % 6})"
        if bars:
            for x, y in line:
                px, py = at(x, y)
                _, base = at(x, low_y)
                left = min(px + number * width, WIDTH - RIGHT - width)
                marks.append(
                    f'<rect x="{left:.1f}" y="{py:.1f}" width="{width:.1f}" height="{max(base - py, 0):.1f}" '
                    f'fill="{colour}" fill-opacity=".8"/>'
                )
        else:
            path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (at(x, y) for x, y in line))
            # Not by colour alone: each further line has its own dashes.
            dash = "" if number == 0 else f' stroke-dasharray="{2 + 2 * number} 3"'
            marks.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        if len(plot.series) > 1:
            y = TOP + 12 + 14 * number
            marks.append(
                f'<rect x="{WIDTH - 175}" y="{y - 8}" width="10" height="10" fill="{colour}"/>'
                f'<text x="{WIDTH - 160}" y="{y}">{_e(name)}</text>'
            )
    return marks


def _as_table(plot: Plot) -> str:
    rows = []
    for name, line in plot.series.items():
        step = max(1, len(line) // 24)
        rows += [
            f"<tr><td>{_e(name)}</td><td class='n'>{x:.4g}</td><td class='n'>{y:.4g}</td></tr>" for x, y in line[::step]
        ]
    return (
        "<details><summary class='soft'>the numbers</summary><div class='scroll'><table><thead><tr><th scope='col'>series</th>"
        f"<th scope='col' class='n'>{_e(plot.x)}</th><th scope='col' class='n'>{_e(plot.y)}</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


# --- beside the page -----------------------------------------------------------------------------------------------


def junit(run: Run, verdict: Verdict) -> str:
    """The run as JUnit XML: a test suite for each suite, for the checks, and for the gate."""
    root = ElementTree.Element("testsuites", name="upstander evaluation", time=f"{run.seconds:.1f}")
    for suite in run.suites:
        node = ElementTree.SubElement(root, "testsuite", name=suite.name, time=f"{suite.seconds:.1f}")
        if suite.status == "not measured":
            case = ElementTree.SubElement(node, "testcase", classname=suite.name, name="measured")
            ElementTree.SubElement(case, "skipped", message=suite.reason)
            continue
        for name, figure in suite.figures.items():
            case = ElementTree.SubElement(node, "testcase", classname=suite.name, name=name)
            ElementTree.SubElement(case, "system-out").text = str(figure)
    checks = ElementTree.SubElement(root, "testsuite", name="checks")
    for check in run.checks:
        case = ElementTree.SubElement(checks, "testcase", classname="checks", name=check.name)
        if not check.ok:
            ElementTree.SubElement(case, "failure", message=f"{check.failed} of {check.tested}").text = "\n".join(
                check.problems
            )
    gate = ElementTree.SubElement(root, "testsuite", name="gate")
    for finding in verdict.findings:
        case = ElementTree.SubElement(gate, "testcase", classname="gate", name=finding.name)
        if finding.blocks:
            ElementTree.SubElement(case, "failure", message=finding.text)
        else:
            ElementTree.SubElement(case, "system-out").text = finding.text
    for node in root:
        node.set("tests", str(len(node)))
        node.set("failures", str(sum(case.find("failure") is not None for case in node)))
        node.set("skipped", str(sum(case.find("skipped") is not None for case in node)))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
    # XML 1.0 has no place for control characters, which a failing case may well hold.
    return "".join(c for c in text if c in "\n\t" or ord(c) >= 0x20) + "\n"


def remember(run: Run, file: Path) -> list[dict[str, object]]:
    """Add the run's figures to the history and return it, oldest first; runs of one model, half and size only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    row: dict[str, object] = {"made": run.made, "model": run.model, "half": run.half, "fast": run.fast}
    row |= {name: figure.value for name, figure in run.figures().items() if name in TRACKED}
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    lines = [*lines, json.dumps(row)][-HISTORY_KEPT:]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [old for old in rows if all(old.get(key) == row[key] for key in ("model", "half", "fast"))]
