"""What a published table merged: the memory from cycle to cycle. A later table may merge more, never less."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Names = tuple[str, ...]


@dataclass(frozen=True)
class Grouping:
    """For each published row, named by its regions, the groups of outcomes in it.

    >>> grouping = Grouping({("",): (("eligible",), ("needs_data", "waiting"))})
    >>> grouping.to_json()
    '{"format":1,"rows":[[[""],[["eligible"],["needs_data","waiting"]]]]}'
    >>> Grouping.of_json(grouping.to_json()) == grouping
    True
    """

    rows: Mapping[Names, tuple[Names, ...]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Canonical: the same grouping gives the same text."""
        rows = [
            [list(regions), [list(names) for names in self.rows[regions]]] for regions in sorted(self.rows)
        ]
        return json.dumps({"format": 1, "rows": rows}, separators=(",", ":"))

    @classmethod
    def of_json(cls, text: str) -> Grouping:
        """Raises ValueError for a text that `to_json` did not write."""
        table = json.loads(text)
        if not isinstance(table, dict) or table.get("format") != 1:
            raise ValueError("a grouping begins with format 1")
        return cls(
            {tuple(regions): tuple(tuple(names) for names in groups) for regions, groups in table["rows"]}
        )


def join(*partitions: Iterable[Names]) -> list[Names]:
    """The finest partition that takes apart no group of any of them; each name and each group in order.

    >>> join([("a",), ("b",), ("c",)], [("a", "b")])
    [('a', 'b'), ('c',)]
    >>> join([("a", "b"), ("c",), ("d",)], [("b", "c")])
    [('a', 'b', 'c'), ('d',)]
    """
    groups: list[set[str]] = []
    for partition in partitions:
        for names in partition:
            touched = [group for group in groups if not group.isdisjoint(names)]
            groups = [group for group in groups if group.isdisjoint(names)]
            groups.append(set(names).union(*touched))
    return sorted(tuple(sorted(group)) for group in groups)
