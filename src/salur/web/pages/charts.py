"""Charts as SVG, drawn here: a stacked bar, bars to both sides, and a tile map. Colours are classes of the stylesheet.

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
_SIDES = Markup(
    '<svg class="two-sided" role="img" aria-labelledby="{id}-title {id}-description" viewBox="0 0 360 {}">'
    '<title id="{id}-title">{}</title><desc id="{id}-description">{}</desc>{}'
    '<line class="axis" x1="{axis}" y1="0" x2="{axis}" y2="{}"/></svg>'
)
_ROW = Markup(
    '<g><title>{}</title><text x="0" y="{}">{}</text><rect class="loss" x="{}" y="{y}" width="{}" height="18"/>'
    '<rect class="gain" x="{axis}" y="{y}" width="{}" height="18"/></g>'
)
LABEL, HALF, ROW = 104, 126, 26  # units of a row: for its label, for a side, its height


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


def swatch(class_: str) -> Markup:
    """The colour of a part, beside its word."""
    return Markup(
        '<svg class="swatch {}" viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" rx="2"/></svg>'
    ).format(class_)


def two_sided(id_: str, title: str, description: str, rows: Sequence[tuple[str, int, int, str]]) -> Markup:
    """A row each (label, to the left, to the right, in words): who loses and who gains, on one scale."""
    most = max((number for _, left, right, _ in rows for number in (left, right)), default=0) or 1
    axis = LABEL + HALF
    drawn = []
    for number, (label, left, right, says) in enumerate(rows):
        to_left, to_right = (HALF * part / most for part in (left, right))
        drawn.append(
            _ROW.format(
                says, number * ROW + 17, label, f"{axis - to_left:.1f}", f"{to_left:.1f}", f"{to_right:.1f}",
                y=number * ROW + 4, axis=axis,
            )
        )  # fmt: skip
    height = len(rows) * ROW + 2
    return _SIDES.format(height, title, description, Markup().join(drawn), height, id=id_, axis=axis)


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


TILES_WIDE, TILE_LETTERS = 8, 11


def share_map(
    id_: str, title: str, description: str, places: Sequence[tuple[Sequence[str], int | None, int]]
) -> Markup | str:
    """Squares (names of the places in it, part, whole), shaded by the share; a part that is None is not told. Nothing
    where there is one square, or nothing to tell."""
    shares = [(part, whole) for _, part, whole in places if part is not None and whole]
    if len(places) < 2 or not shares:
        return ""
    bounds = shades(shares)
    tiles = []
    for number, (names, part, whole) in enumerate(places):
        short = names[0] if len(names[0]) <= TILE_LETTERS else names[0][: TILE_LETTERS - 1] + "…"
        lines = (short, f"+ {len(names) - 1}") if len(names) > 1 else (short,)
        told = part is not None and whole
        share = f"{tenths(part, whole) // 10}%" if told and part is not None else "–"
        shade = shade_of(part, whole, bounds) if told and part is not None else None
        says = f"{' + '.join(names)}: {share}"
        tiles.append(Tile(number % TILES_WIDE, number // TILES_WIDE, lines, share, shade, says))
    return tile_map(id_, title, description, tiles)


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
