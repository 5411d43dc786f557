"""Series as a picture of many small plots, in one SVG file that needs nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDE, HIGH, GAP = 380, 190, 16
LEFT, TOP, BOTTOM = 46, 30, 40
COLOURS = ("#2563eb", "#16a34a", "#d97706", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f", "#475569", "#ea580c")


@dataclass(frozen=True)
class Series:
    """One line: (seconds, value)."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Plot:
    """One small plot; `row` is the heading above the first of them."""

    title: str
    row: str
    unit: str
    series: Sequence[Series]


def drawn(title: str, plots: Sequence[Plot]) -> str:
    """Draw all plots, three in a line."""
    body, y, column, row = [], 52, 0, None
    for plot in plots:
        if plot.row != row:
            y += (HIGH + GAP if column else 0) + (8 if row else 0)
            row, column = plot.row, 0
            body.append(f'<text x="{GAP}" y="{y + 16}" class="row">{escape(plot.row)}</text>')
            y += 26
        if column == 3:
            column, y = 0, y + HIGH + GAP
        body.append(f'<g transform="translate({GAP + column * (WIDE + GAP)},{y})">{_plot(plot)}</g>')
        column += 1
    height, width = y + HIGH + GAP, 3 * WIDE + 4 * GAP
    style = (
        "text{font:11px ui-sans-serif,system-ui,sans-serif;fill:#334155}.t{font-weight:600;font-size:12px;fill:#0f172a}"
        ".row{font-weight:700;font-size:14px;fill:#0f172a}.h{font-weight:700;font-size:18px;fill:#0f172a}.s{fill:#64748b}"
        ".b{fill:#fff;stroke:#e2e8f0}.g{stroke:#eef2f7}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>{escape(title)}</title><style>{style}</style><rect width='100%' height='100%' fill='#f8fafc'/>"
        f'<text x="{GAP}" y="34" class="h">{escape(title)}</text>{"".join(body)}</svg>\n'
    )


def _plot(plot: Plot) -> str:
    series = [
        Series(one.name, [(at, value) for at, value in one.points if math.isfinite(value)]) for one in plot.series
    ]
    values = [value for one in series for _, value in one.points]
    times = [at for one in series for at, _ in one.points]
    top = _round(max(values, default=1.0)) or 1.0
    first, last = min(times, default=0.0), max(times, default=1.0)
    across, down = WIDE - LEFT - 12, HIGH - TOP - BOTTOM

    def place(at: float, value: float) -> str:
        return f"{LEFT + across * (at - first) / ((last - first) or 1):.1f},{TOP + down * (1 - value / top):.1f}"

    parts = [
        f'<rect class="b" rx="6" width="{WIDE}" height="{HIGH}"/><text class="t" x="12" y="19">{plot.title}</text>'
    ]
    for share in (0, 0.5, 1):
        height = TOP + down * (1 - share)
        parts.append(f'<line class="g" x1="{LEFT}" x2="{WIDE - 12}" y1="{height}" y2="{height}"/>')
        said = _said(top * share, plot.unit)
        parts.append(f'<text class="s" x="{LEFT - 6}" y="{height + 4}" text-anchor="end">{said}</text>')
    x, y = 12, HIGH - 22
    for number, one in enumerate(sorted(series, key=lambda one: -max((v for _, v in one.points), default=0))):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(place(at, value) for at, value in one.points)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        wide = 16 + 6 * len(one.name)
        if x + wide > WIDE - 8:
            x, y = 12, y + 13
        if y < HIGH - 4:
            parts.append(f'<rect x="{x}" y="{y - 7}" width="8" height="8" rx="2" fill="{colour}"/>')
            parts.append(f'<text class="s" x="{x + 11}" y="{y}">{escape(one.name)}</text>')
        x += wide + 6
    return "".join(parts)


def _round(value: float) -> float:
    """The next one of 1, 2, 5, 10, …"""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.9999)


def _said(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 1e6:.0f} MB"
    if unit == "s":
        return f"{value * 1000:.0f} ms" if 0 < value < 1 else f"{value:g} s"
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
