"""Simulate before you decide: two rulebooks over the same population, compared unit by unit.

    options = Options(regencies=["35.10"], sample=(1, 100), facts=cache, truth=folder)
    simulation = simulate(new, old, population, work, options)
    points = sweep(new, old, population, work, options, parameter="highest_decile", values=[1, 2, 3])

`new`, `old`: plans (`salur.core.rules.plan_on`); `old` None: what the programme costs where there is none yet.
`work`: a folder of this simulation alone; a run that was stopped goes on there province by province, one that is done
is answered from it. With a sample, units and rupiah are those of the part, and `Simulation.times` says how often they
count.

Both return frozen data without any id of a person; every number in them went through `salur.core.disclosure` and
`to_json()` is plain data (docs/simulate.md). A `Line` is a published number of units of one of `moves.KINDS`, with the
rupiah a period that they get by the old rulebook and by the new.

options     what it is asked for
before      what is looked at before it begins
moves       the kinds of movement, and their order
attributes  decile, residence, size, head and disability of each family, in a cache
classes     families that the rulebooks cannot tell apart
compared    the SQL that compares and counts
samples     a part of the population
counting    all of this, province by province: the exact numbers
cells       those numbers
kept        the cache, its locks, its size
published   what may be said of them: `Simulation`
sweeps      the same for each value of a parameter
changes     what differs between two rulebooks, in words
screen      one screen, and CSV
"""

from salur.core.rules.simulate.cells import Cells
from salur.core.rules.simulate.counting import count
from salur.core.rules.simulate.options import Options
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
    "Cells", "Errors", "Line", "Options", "Point", "Reason", "Row", "Side", "Simulation", "Sweep", "Table", "count",
    "simulate", "sweep",
]  # fmt: skip
