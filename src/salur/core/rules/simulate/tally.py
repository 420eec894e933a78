"""Families counted by what becomes of their class: some steps of numpy for each, where SQL would join and group them.

All sums are of whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from salur.core.rules.simulate.attributes import PACKED_MOST
from salur.core.rules.simulate.compared import truth
from salur.core.rules.simulate.moves import KINDS

POOR_OR_NOT = 2
RUPIAH = pa.decimal128(38)
Numbers = npt.NDArray[np.intp]


class Tally:
    """The families of a province, a batch at a time."""

    def __init__(self, classes: pa.Table, regions: Sequence[str], poor: int, most: int) -> None:
        """classes: `unit_id` from 0 on, `kind`, `o` and `n`; poor: as `compared.Pair` has it; most: how many families
        can be added."""
        number, self.kind, *money = (classes[name].to_numpy() for name in ("unit_id", "kind", "o", "n"))
        assert np.array_equal(number, np.arange(len(number)))  # noqa: S101 - each stands at its number
        largest = max(int(values.max(initial=0)) for values in money)
        exact = np.dtype(np.int64 if largest * most < 2**63 else object)  # object: whole numbers of any size
        self.before, self.after = (values.astype(exact) for values in money)
        self.regions, self.poor = regions, poor
        self.units = np.zeros((classes.num_rows, POOR_OR_NOT), np.int64)
        self.by_region = _Sums(len(regions), exact)
        self.by_packed = _Sums(PACKED_MOST + 1, exact)

    def add(self, families: pa.RecordBatch) -> None:
        """`region` (its place among the regions), `packed`, `true_decile` and `class` of some families."""
        region, packed, decile, class_ = (
            families[name].to_numpy() for name in ("region", "packed", "true_decile", "class")
        )
        class_ = class_.astype(np.intp)
        kind = self.kind[class_]
        money = [np.take(values, class_, mode="clip") for values in (self.before, self.after)]  # the quickest
        self.by_region.add(region, kind, money)
        self.by_packed.add(packed, kind, money)
        poor = (decile >= 1) & (decile <= self.poor)
        np.add.at(self.units.reshape(-1), class_ * POOR_OR_NOT + poor, 1)

    def cells(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Puts the three tables of cells, as `compared.Pair.counts` has them, into the table `cells`; `compared` must
        be there."""
        place, regions = self.by_region.found()
        packed, broken = self.by_packed.found()
        class_, poor = np.nonzero(self.units)
        counted = {
            "by_region": {"region": pa.array([self.regions[each] for each in place], pa.string()), **regions},
            "by_packed": {"packed": packed.astype(np.int32), **broken},
            "by_class": {"class": class_, "poor": poor == 1, "units": self.units[class_, poor]},
        }
        for name, columns in counted.items():
            connection.register(name, pa.table(columns))
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE cells AS
            SELECT CAST(NULL AS VARCHAR) AS region, CAST(NULL AS INTEGER) AS packed, CAST(NULL AS TINYINT) AS kind,
                move, r1, r2, {truth("k.poor")} AS truth,
                sum(units) AS units, sum(CAST(o AS HUGEINT) * units) AS o, sum(CAST(n AS HUGEINT) * units) AS n
            FROM by_class k JOIN compared c ON c.unit_id = k.class GROUP BY ALL
            UNION ALL SELECT region, NULL, kind, NULL, NULL, NULL, NULL, units, o, n FROM by_region
            UNION ALL SELECT NULL, packed, kind, NULL, NULL, NULL, NULL, units, o, n FROM by_packed
            """).fetchall()
        for name in counted:
            connection.unregister(name)


class _Sums:
    """Units, and rupiah before and after, for each place and kind of move."""

    def __init__(self, places: int, exact: np.dtype[Any]) -> None:
        self.units = np.zeros(places * len(KINDS), np.int64)
        self.before, self.after = (np.zeros(places * len(KINDS), exact) for _ in range(2))

    def add(self, place: npt.NDArray[Any], kind: npt.NDArray[Any], money: Iterable[npt.NDArray[Any]]) -> None:
        cell = place.astype(np.intp) * len(KINDS) + kind
        np.add.at(self.units, cell, 1)
        for total, values in zip((self.before, self.after), money, strict=True):
            np.add.at(total, cell, values)

    def found(self) -> tuple[Numbers, dict[str, Any]]:
        """The place of each cell that somebody is in, and the cells: kind, units, o, n."""
        cells = np.flatnonzero(self.units)
        place, kind = np.divmod(cells, len(KINDS))
        before, after = (pa.array(all_[cells].tolist(), RUPIAH) for all_ in (self.before, self.after))
        return place, {"kind": kind.astype(np.int8), "units": self.units[cells], "o": before, "n": after}
