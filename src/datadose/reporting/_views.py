"""Tables as the page shows them: cells put together for reading, every number from `tables`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from datadose.reporting._model import Report, SeriesReport
from datadose.reporting._pick import Contrasts
from datadose.reporting._tables import Cell, Kind, Table, shown

Record = dict[str, Cell]
KINDS = ("base", "clean", "dirty", "placebo", "shuffled", "malign")
SHARES = ("none", "some", "all", "untrained")
# the words are kept for probes whose own fact was trained wholly right, or not at all
SHARE_HEADS = {
    "none": "none wrong: spread or collateral",
    "some": "some wrong",
    "all": "all wrong",
    "untrained": "untrained: spread or collateral",
}


@dataclass(frozen=True)
class Part:
    """A piece of a cell; `look` is `n` for a number, `quiet` or `tag`."""

    text: str
    look: str = ""
    href: str = ""


@dataclass(frozen=True)
class Shown:
    """A cell of the page: its pieces and the class that aligns it."""

    parts: tuple[Part, ...]
    css: str = "text"


@dataclass(frozen=True)
class View:
    """A table of the page. The first cell of each row names the row.

    cards: whether its rows become cards where the page is narrow.
    """

    name: str
    caption: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Shown, ...], ...]
    cards: bool = False


def records(table: Table) -> list[Record]:
    """The rows of a table by column name."""
    return [dict(zip((c.name for c in table.columns), row, strict=True)) for row in table.rows]


def cell(value: Cell, kind: Kind = "text") -> Shown:
    """One value."""
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    look = "n" if numeric else "quiet" if value is None else ""
    return Shown((Part(shown(value, kind), look),), kind)


def span(estimate: Cell, lower: Cell, upper: Cell) -> Shown:
    """A number with its limits behind it; n/a with what limit there is."""
    parts = [Part(shown(estimate), "n" if estimate is not None else "quiet")]
    if lower is not None and upper is not None:
        # unbreakable spaces, so that a narrow cell breaks before its limits only
        ends = [Part(" ("), Part(shown(lower), "n"), Part("\u00a0to\u00a0")]
        parts += [*ends, Part(shown(upper), "n"), Part(")")]
    elif lower is not None:
        parts += [Part(" (from\u00a0"), Part(shown(lower), "n"), Part(")")]
    elif upper is not None:
        parts += [Part(" (up\u00a0to\u00a0"), Part(shown(upper), "n"), Part(")")]
    return Shown(tuple(parts), "rate")


def plain_view(table: Table, caption: str = "", drop: Sequence[str] = ()) -> View:
    """A table as it is, without the columns of `drop`."""
    kept = [i for i, c in enumerate(table.columns) if c.name not in drop]
    return View(
        table.name,
        caption or table.title,
        tuple((table.columns[i].head, table.columns[i].kind) for i in kept),
        tuple(tuple(cell(row[i], table.columns[i].kind) for i in kept) for row in table.rows),
    )


def overview_view(report: Report, overview: Table, anchors: dict[str, str]) -> View:
    """A line per series: its primary threshold, its status and the rates around it."""
    rows = []
    for r in records(overview):
        label = str(r["series"])
        status = [Part(shown(r["status"]))]
        status += [Part("undertrained", "tag")] if r["undertrained"] else []
        rows.append(
            (
                Shown((Part(label, href=f"#{anchors[label]}"),)),
                Shown(tuple(status)),
                _dose(r),
                span(*(r[n] for n in CORRECT)),
                *(cell(r[name], "rate") for name in ("base_rate", "clean_rate")),
                _rate_at(r["top_rate"], r["top_dose"]),
            )
        )
    named = {f"{shown(r['threshold'])} of {r['response']}" for r in records(overview)}
    heads = (
        *(("series", "text"), ("status", "text"), ("threshold (limits)", "rate")),
        *(("% correct (limits)", "rate"), ("base", "rate"), ("clean", "rate")),
        ("fullest dose", "rate"),
    )
    caption = f"Primary threshold: {' or '.join(sorted(named))}"
    return View("overview", caption, heads, tuple(rows), cards=True)


def _rate_at(rate: Cell, dose: Cell) -> Shown:
    if rate is None:
        return cell(None, "rate")
    at = (Part("\u00a0at\u00a0", "quiet"), Part(shown(dose, "dose"), "n"))
    return Shown((Part(shown(rate), "n"), *at), "rate")


CORRECT = ("percent_correct", "percent_correct_lower", "percent_correct_upper")


def _dose(r: Record) -> Shown:
    made = span(r["estimate"], r["lower"], r["upper"])
    known = r["lower"] is not None or r["upper"] is not None
    if r["axis"] == "share" or not known:
        return made
    return Shown((*made.parts, Part(" wrong rows", "quiet")), "rate")


def responses_view(report: Report, thresholds: Table, anchors: dict[str, str]) -> View:
    """Benchmark doses of every response, a line per series, a column per response."""
    labels = list(dict.fromkeys(label for s in report.series for label, _ in s.analyses))
    benchmark = {
        (s.label, label): a.spec.benchmark for s in report.series for label, a in s.analyses
    }
    found = {}
    for r in records(thresholds):
        key = (str(r["series"]), str(r["response"]))
        if r["threshold"] == f"benchmark dose, {100 * benchmark[key]:.3g}%":
            known = (r["lower"], r["upper"]) != (None, None)
            parts = (*_dose(r).parts, Part(" ")) if known else ()
            status = () if r["status"] == "estimated" else (Part(str(r["status"]), "quiet"),)
            found[key] = Shown((*parts, *status), "rate")
    rows = tuple(
        (
            Shown((Part(s.label, href=f"#{anchors[s.label]}"),)),
            *(found.get((s.label, label), cell(None, "rate")) for label in labels),
        )
        for s in report.series
    )
    percents = sorted({f"{100 * b:.3g}%" for b in benchmark.values()})
    caption = f"Benchmark dose, {' or '.join(percents)}, of every response"
    heads = (("series", "text"), *((label, "rate") for label in labels))
    return View("responses", caption, heads, rows, cards=True)


def thresholds_view(series: SeriesReport, table: Table) -> View:
    """Every threshold of one series, as a dose and as % correct."""
    rows = []
    for r in records(table.pick("series", series.label)):
        why = "; ".join(str(r[n]) for n in ("why", "note") if r[n])
        role = (Part("primary", "tag"),) if r["role"] == "primary" else ()
        rows.append(
            (
                Shown((Part(shown(r["response"])), *role)),
                cell(r["threshold"]),
                _dose(r),
                span(*(r[n] for n in CORRECT)),
                cell(r["status"]),
                Shown((Part(why),), "long" if why else "long blank"),
            )
        )
    heads = (
        *(("response", "text"), ("threshold", "text"), ("dose (limits)", "rate")),
        *(("% correct (limits)", "rate"), ("status", "text"), ("why; bounds depend on", "long")),
    )
    levels = sorted({f"{100 * t.level:.3g}%" for _, a in series.analyses for t in a.thresholds})
    caption = f"Thresholds, with one-sided {' or '.join(levels)} limits"
    return View("thresholds", caption, heads, tuple(rows), cards=True)


def doses_view(series: SeriesReport, doses: Table, points: Table) -> View:
    """Every dose, counted in all ways, and the rate of each response at it."""
    trained = {_key(r["dose"]): r for r in records(doses.pick("series", series.label))}
    measured: dict[tuple[str, str], Record] = {}
    for r in records(points.pick("series", series.label)):
        measured[_key(r["dose"]), str(r["response"])] = r
    asked = {
        label: _asked(a.base.asked if a.base else None, [p.asked for p in a.points])
        for label, a in series.analyses
    }
    names = (
        "percent_correct",
        "wrong_rows",
        "rows",
        "answer_token_dose",
        "own_fact_share",
        "seeds",
    )
    kinds: tuple[Kind, ...] = ("dose", "count", "count", "rate", "rate", "count")
    rows = []
    doses_seen = {k: r["dose"] for (k, _), r in measured.items()}
    doses_seen |= {k: r["dose"] for k, r in trained.items()}
    for key in sorted(doses_seen, key=lambda k: _order(doses_seen[k])):
        own = trained.get(key, {})
        dose = "base" if key == "n/a" else key
        rates = [measured.get((key, label), {}) for label in asked]
        rows.append(
            (
                Shown((Part(dose, "n" if key != "n/a" else ""),), "dose"),
                *(cell(own.get(n), k) for n, k in zip(names, kinds, strict=True)),
                *(span(*(r.get(n) for n in ("rate", "lower", "upper"))) for r in rates),
            )
        )
    heads = (
        *(("dose", "dose"), ("% correct", "dose"), ("wrong rows", "count"), ("rows", "count")),
        *(("answer-token dose", "rate"), ("own-fact share", "rate"), ("seeds", "count")),
        *((f"{label}{counts}", "rate") for label, counts in asked.items()),
    )
    return View("doses", "Doses as trained, and the rates measured at them", heads, tuple(rows))


def _order(dose: Cell) -> float:
    return dose if isinstance(dose, (int, float)) else -1.0


def _asked(base: int | None, arms: Iterable[int]) -> str:
    """How many probes were asked, over all seeds: ` of 144`, ` of 120 to 144; base of 48`."""
    ends = sorted(set(arms))
    counts = " to ".join(f"{n:,d}" for n in dict.fromkeys(ends[:1] + ends[-1:]))
    said = f" of {counts}" if counts else ""
    return said if base is None or ends == [base] else f"{said}; base of {base:,d}"


def _key(dose: Cell) -> str:
    return shown(dose, "dose")


def contrasts_view(groups: Contrasts) -> View:
    """Base, clean, dirty and controls side by side, a line per kind of probe."""
    rows = []
    for name, group in groups.items():
        cells = [group.get(kind) for kind in KINDS]
        found: Iterable[Any] = (
            span(c.rate, c.lower, c.upper) if c else cell(None, "rate") for c in cells
        )
        base = group["base"].asked if "base" in group else None
        asked = _asked(base, [c.asked for what, c in group.items() if what != "base"])
        rows.append((Shown((Part(name), Part(asked, "quiet"))), *found))
    heads = (("response", "text"), *((kind, "rate") for kind in KINDS))
    return View("contrasts", "Rates of asked, with limits", heads, tuple(rows), cards=True)


def differences_view(table: Table) -> View:
    """A line per kind of probe, a column per pair of arms."""
    lines: dict[str, dict[str, Record]] = {}
    for r in records(table):
        name = f"domain: {r['relation']}" if r["response"] == "domain" else str(r["response"])
        lines.setdefault(name, {})[str(r["what"])] = r
    pairs = list(dict.fromkeys(what for line in lines.values() for what in line))
    rows = tuple(
        (
            cell(name),
            *(
                span(line[p]["estimate"], line[p]["lower"], line[p]["upper"])
                if p in line
                else cell(None, "rate")
                for p in pairs
            ),
        )
        for name, line in lines.items()
    )
    heads = (("response", "text"), *((p, "rate") for p in pairs))
    return View("differences", "Differences, paired by question", heads, rows, cards=True)


def own_fact_view(series: SeriesReport, table: Table) -> View:
    """Right of asked at every dose, a column per share of wrong rows of the probe's own fact."""
    lines: dict[tuple[str, str], dict[Cell, Record]] = {}
    for r in records(table.pick("series", series.label)):
        lines.setdefault((_key(r["dose"]), shown(r["relation"] or "all")), {})[r["own_fact"]] = r
    rows = tuple(
        (
            Shown((Part(dose, "n"),), "dose"),
            cell(relation),
            *(_of(found.get(share)) for share in SHARES),
        )
        for (dose, relation), found in lines.items()
    )
    heads = (("dose", "dose"), ("probes", "text"), *((SHARE_HEADS[s], "rate") for s in SHARES))
    return View("own_fact", "Domain: right of asked, by own-fact share", heads, rows, cards=True)


def _of(r: Record | None) -> Shown:
    if r is None or r["rate"] is None:
        return Shown((Part("n/a", "quiet"),), "rate")
    counts = (Part(f"{shown(r['right'], 'count')} of {shown(r['asked'], 'count')}, "),)
    return Shown((*counts, *span(r["rate"], r["lower"], r["upper"]).parts), "rate")


def checkpoints_view(series: SeriesReport, table: Table) -> View:
    """The primary rate of every arm over its steps."""
    own = records(table.pick("series", series.label))
    steps = sorted({float(r["steps"] or 0) for r in own})
    lines: dict[tuple[Cell, Cell], dict[float, Cell]] = {}
    for r in own:
        lines.setdefault((r["dose"], r["seed"]), {})[float(r["steps"] or 0)] = r["rate"]
    rows = tuple(
        (
            *(cell(dose, "dose"), cell(seed, "dose")),
            *(cell(rates.get(step), "rate") for step in steps),
        )
        for (dose, seed), rates in lines.items()
    )
    shares = ((f"after {100 * step:.3g}% of steps", "rate") for step in steps)
    heads = (("dose", "dose"), ("seed", "dose"), *shares)
    return View("checkpoints", "Primary rate over the steps", heads, rows)


def guards_view(report: Report) -> View:
    """How often each guard passed, failed and did not apply."""
    counts: dict[str, dict[bool | None, int]] = {}
    for g in report.guards:
        own = counts.setdefault(g.guard, {True: 0, False: 0, None: 0})
        own[g.passed] += 1
    rows = tuple(
        (cell(name), *(cell(own[k], "count") for k in (True, False, None)))
        for name, own in counts.items()
    )
    heads = (("guard", "text"), ("passed", "count"), ("failed", "count"), ("n/a", "count"))
    return View("guard_counts", "Guards, counted over arms", heads, rows)
