"""A small line chart in characters, for learning curves in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnnlab.report.text import shown

Points = Sequence[tuple[float, float]]
MARKS = "o·x+"
WIDTH, HEIGHT = 64, 12


def curve(
    series: Mapping[str, Points], *, x_name: str, width: int = WIDTH, height: int = HEIGHT
) -> list[str]:
    """Draws series of (x, y) on common axes, one mark each; later series are drawn over earlier.

    Returns lines of text; none if there are fewer than two points.
    """
    points = [point for line in series.values() for point in line]
    if len(points) < 2:
        return []
    (left, right), (low, high) = (
        (min(point[axis] for point in points), max(point[axis] for point in points))
        for axis in (0, 1)
    )
    grid = [[" "] * width for _ in range(height)]
    for mark, line in zip(MARKS, series.values(), strict=False):
        for column, y in _columns(line, left, right, width):
            share = (y - low) / (high - low) if high > low else 0.5
            grid[height - 1 - round(share * (height - 1))][column] = mark
    labels = [shown(high), *[""] * (height - 2), shown(low)]
    margin = max(map(len, labels))
    lines = [
        f"{label:>{margin}} |{''.join(row).rstrip()}"
        for label, row in zip(labels, grid, strict=True)
    ]
    legend = "  ".join(f"{mark} {name}" for mark, name in zip(MARKS, series, strict=False))
    axis = f"{left:g}{x_name + ' ' + format(right, 'g'):>{width - len(f'{left:g}')}}"
    return [legend, *lines, f"{'':>{margin}} +{'-' * width}", f"{'':>{margin}}  {axis}"]


def _columns(line: Points, left: float, right: float, width: int) -> list[tuple[int, float]]:
    """Returns a y for each column between the first point and the last, on straight lines."""
    if right == left:
        return [(0, line[-1][1])] if line else []
    at = [(round((x - left) / (right - left) * (width - 1)), y) for x, y in sorted(line)]
    drawn = list(at)
    for (first, y0), (last, y1) in zip(at, at[1:], strict=False):
        drawn += [
            (column, y0 + (y1 - y0) * (column - first) / (last - first))
            for column in range(first + 1, last)
        ]
    return drawn
