"""Names of synthetic people by the habits of the people of a province: `data/names.toml`.

Many Indonesians have one name; a family name is the exception (Batak marga, Minahasan, Moluccan and Papuan
fam), so a name is one text and never split into first and last.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from salur.core import toml
from salur.core.population.draws import Bits, Chance, Choice, Draws, Mask
from salur.core.population.households import OTHER, PARENT, SPOUSE, Households

Rows = npt.NDArray[np.int64]


class Names:
    """The naming habits of a province."""

    def __init__(self, province: str) -> None:
        data = toml.read(Path(str(files("salur.core.population") / "data" / "names.toml"))).data
        shares: dict[str, float] = data["provinces"][province]
        self.peoples = [data["peoples"][name] for name in shares]
        self.people = Choice([list(shares.values())])

    def draw(self, bits: Bits, people: Households) -> pa.Array:
        """A name for every member, in their order. Spouses, parents and others bring their own family name."""
        n = len(people.family)
        of_family = self.people.pick(0, bits.draw(people.families))[people.family]
        draws = {what: bits.draw(n) for what in ("prefix", "first", "second", "own", "one", "more", "third")}
        shared = bits.draw(people.families)[people.family]
        brings = np.isin(people.relation, (SPOUSE, PARENT, OTHER))
        draws["family"] = np.where(brings, draws["own"], shared)
        names: npt.NDArray[np.object_] = np.empty(n, object)
        for position, habits in enumerate(self.peoples):
            for sex, men in (("men", True), ("women", False)):
                mine = np.flatnonzero((of_family == position) & (people.male == men))
                joined = _join(habits, sex, {what: drawn[mine] for what, drawn in draws.items()})
                names[mine] = joined.to_numpy(zero_copy_only=False)
        return pa.array(names, pa.string())


def _join(habits: dict[str, Any], sex: str, draws: dict[str, Draws]) -> pa.Array:
    more = ~_happens(habits["one"], draws["one"])
    second = more & _happens(habits.get("second", 1.0), draws["more"])
    parts = [
        _part(habits.get(f"prefix_{sex}"), draws["prefix"], more & _happens(habits.get("prefix", 0), draws["third"])),
        _part(habits[sex], draws["first"], None),
        _part(habits[f"second_{sex}"], draws["second"], second),
        _part(habits.get("families"), draws["family"], more & _happens(habits.get("family", 0), draws["own"])),
    ]  # fmt: skip
    return pc.binary_join_element_wise(*(p for p in parts if p is not None), " ", null_handling="skip")


def _happens(share: float, draws: Draws) -> Mask:
    return Chance([share]).pick(0, draws)


def _part(words: list[str] | None, draws: Draws, chosen: Mask | None) -> pa.Array | None:
    if not words:
        return None
    index = (draws.astype(np.uint32) * len(words) >> 16).astype(np.int32)
    indices = pa.array(index, mask=None if chosen is None else ~chosen)
    return pa.array(words, pa.string()).take(indices)
