"""Charts as SVG, drawn here: a stacked bar and a tile map. Colours are classes of the stylesheet.

Each has a title and a description, and stands beside a table with the same numbers: a chart is never the only
way to learn something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, GAP, LEAST = 1000, 4, 5  # of a bar: units of its view box, between parts, and of the smallest part
TILE = 64  # units of a tile's side, with its gap
SHADES = 5

_BAR = Markup(
    '<svg class="bar" role="img" aria-labelledby="{id}-title {id}-description" viewBox="0 0 1000 40" '
    'preserveAspectRatio="none"><title id="{id}-title">{}</title><desc id="{id}-description">{}</desc>{}</svg>'
)
_PART = Markup('<rect class="{}" x="{}" y="0" width="{}" height="40"/>')
_TILES = Markup(
    '<svg class="tiles" role="img" aria-labelledby="{id}-title {id}-description" viewBox="0 0 {} {}">'
    '<title id="{id}-title">{}</title><desc id="{id}-description">{}</desc>{}</svg>'
)
_TILE = Markup(
    '<g class="tile shade-{}"><title>{}</title><rect x="{}" y="{}" width="{side}" height="{side}" rx="6"/>{}{}</g>'
)
_NAME = Markup('<text class="tile-name" x="{}" y="{}">{}</text>')
_FIGURE = Markup('<text class="tile-figure" x="{}" y="{}">{}</text>')


def stacked_bar(id_: str, title: str, description: str, parts: Sequence[tuple[str, int]]) -> Markup:
    """Parts (class, count) of a whole, side by side; a part that is not nothing is always seen."""
    shown = [(class_, count) for class_, count in parts if count]
    room = WIDTH - GAP * max(len(shown) - 1, 0) - LEAST * len(shown)
    total = sum(count for _, count in shown)
    drawn, x = [], 0.0
    for class_, count in shown:
        width = LEAST + room * count / total
        drawn.append(_PART.format(class_, f"{x:.1f}", f"{width:.1f}"))
        x += width + GAP
    return _BAR.format(title, description, Markup().join(drawn), id=id_)


@dataclass(frozen=True)
class Tile:
    """One place of a tile map. `lines`: its name, in one or two lines; `shade` 0 to 4, None where not shown."""

    column: int
    row: int
    lines: tuple[str, ...]
    figure: str
    shade: int | None
    says: str


def tile_map(id_: str, title: str, description: str, tiles: Sequence[Tile]) -> Markup:
    """A square a place, each with its name and its figure in words, so that it is read without colour."""
    drawn = []
    for tile in tiles:
        x, y = tile.column * TILE, tile.row * TILE
        middle, first = x + TILE // 2, y + (26 if len(tile.lines) == 1 else 20)
        names = [_NAME.format(middle, first + 13 * n, line) for n, line in enumerate(tile.lines)]
        shade = "none" if tile.shade is None else tile.shade
        figure = _FIGURE.format(middle, y + 52, tile.figure)
        drawn.append(
            _TILE.format(shade, tile.says, x + 1, y + 1, Markup().join(names), figure, side=TILE - 2)
        )
    wide = max((tile.column for tile in tiles), default=0) + 1
    high = max((tile.row for tile in tiles), default=0) + 1
    return _TILES.format(wide * TILE, high * TILE, title, description, Markup().join(drawn), id=id_)


def tenths(part: int, whole: int) -> int:
    """A share in tenths of a per cent, half a tenth rounded up: as it is written, so it is coloured."""
    return (2000 * part + whole) // (2 * whole)


def shades(shares: Sequence[tuple[int, int]]) -> list[int]:
    """Lower bounds, in whole per cent, of up to five steps of equal width that hold all shares (part, whole).

    >>> shades([(10, 100), (19, 100), (23, 100)])
    [10, 13, 16, 19, 22]
    >>> shades([(1, 4)])
    [25]
    """
    percents = [tenths(part, whole) // 10 for part, whole in shares]
    if not percents:
        return []
    least, most = min(percents), max(percents)
    step = max(1, -(-(most - least + 1) // SHADES))
    return list(range(least, most + 1, step))


def shade_of(part: int, whole: int, bounds: Sequence[int]) -> int:
    """The step that a share falls in.

    >>> shade_of(15_999, 100_000, [14, 15, 16])
    2
    """
    share = tenths(part, whole)
    return max((n for n, bound in enumerate(bounds) if share >= 10 * bound), default=0)
