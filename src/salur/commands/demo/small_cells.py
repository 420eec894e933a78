"""Which cells of a published table are hidden: a number under ten may tell on somebody (DESIGN, law 11).

A column that is published with its total is safe when at least two of its cells are hidden and together they
come to ten or more, so that subtracting what is shown never leaves a small group. The same holds for those
left over where the size of each group is published too (`bases`): 23 of 25 tells on the other two.
One table only; what several tables tell together is the work of a room of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SMALL = 10


@dataclass(frozen=True)
class Column:
    """Cells as they may be shown; None is hidden. The total is hidden only where all of it is a small group."""

    cells: tuple[int | None, ...]
    total: int | None


def protected(
    counts: Sequence[int],
    bases: Sequence[int] | None = None,
    *,
    zero_is_small: bool = True,
    keep: int | None = None,
) -> Column:
    """The cells of one column. `zero_is_small` false: a zero is shown, where it says nothing about a group.
    `keep`: the cell that is hidden last for the sake of the others, because it is told elsewhere too.

    >>> protected([40, 3, 12, 25])
    Column(cells=(40, None, None, 25), total=80)
    >>> protected([40, 3, 2, 25]).cells
    (40, None, None, None)
    >>> protected([3, 4])
    Column(cells=(None, None), total=None)
    """
    left = [n - count for n, count in zip(bases, counts, strict=True)] if bases is not None else None

    def small(number: int) -> bool:
        return number < SMALL and (zero_is_small or number > 0)

    hidden = {i for i, count in enumerate(counts) if small(count) or (left is not None and small(left[i]))}

    def exposed(numbers: Sequence[int] | None) -> bool:
        return numbers is not None and sum(numbers[i] for i in hidden) < SMALL

    siblings = sorted(
        (i for i, count in enumerate(counts) if i not in hidden and count > 0),
        key=lambda i: (i == keep, counts[i], i),
    )
    # One hidden cell alone is a small one, so that there are always two.
    while hidden and siblings and (exposed(counts) or exposed(left)):
        hidden.add(siblings.pop(0))
    safe = not hidden or not (exposed(counts) or exposed(left))
    return Column(
        tuple(None if i in hidden else count for i, count in enumerate(counts)), sum(counts) if safe else None
    )


def shown(count: int) -> int | None:
    """A number that stands alone, for example of units that fail one of many criteria."""
    return None if 0 < count < SMALL else count
