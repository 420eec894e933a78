"""Simulate before you decide: two rulebooks over the same population, compared unit by unit.

    simulation = simulate(new, old, population, work, regencies=…, sample=(1, 100), facts=…, truth=…, progress=…)
    points = sweep(new, old, population, work, parameter="highest_decile", values=[1, 2, 3], …)

`new`, `old`: plans (`salur.core.rules.plan_on`); `old` None: what the programme costs where there is none yet.
`work`: a folder of this simulation alone; a run that was stopped goes on there province by province, one that is done
is answered from it. `facts`: the cache of family facts and household attributes, shared by all runs (None: in `work`).
`truth`: the folder of `<province>.parquet` with `true_decile`, for errors of exclusion and inclusion.
`sample=(n, of)`: the n-th of so many parts by a hash of family_id; units and rupiah are those of the part, and
`Simulation.times` says how often they count. `regencies`: codes of regencies or provinces.

Both return frozen data without any id of a person; every number in them went through `salur.core.disclosure` and
`to_json()` is plain data (docs/simulate.md). A `Line` is a published number of units of one of `moves.KINDS`, with the
rupiah a period that they get by the old rulebook and by the new.

moves       the kinds of movement, and their order
attributes  decile, residence, size, head and disability of each family, in a cache
cells       the exact numbers, counted inside the engine
published   what may be said of them: `Simulation`
sweeps      the same for each value of a parameter
changes     what differs between two rulebooks, in words
screen      one screen, and CSV
"""

from salur.core.rules.simulate.cells import Cells, count
from salur.core.rules.simulate.published import (
    Errors,
    Line,
    Reason,
    Row,
    Side,
    Simulation,
    Table,
    simulate,
)
from salur.core.rules.simulate.sweeps import Point, Sweep, sweep

__all__ = [
    "Cells", "Errors", "Line", "Point", "Reason", "Row", "Side", "Simulation", "Sweep", "Table", "count", "simulate",
    "sweep",
]  # fmt: skip
