"""The same simulation for each value of a parameter: what it costs and whom it reaches, value by value."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from salur.core.disclosure import SMALL
from salur.core.faults import InputError
from salur.core.population.layout import Population
from salur.core.rules.decide import Progress
from salur.core.rules.engines import sentences
from salur.core.rules.plan import Plan, plan
from salur.core.rules.rulebook import Rulebook, parse
from salur.core.rules.simulate.before import outside
from salur.core.rules.simulate.kept import using
from salur.core.rules.simulate.options import Options
from salur.core.rules.simulate.published import Simulation, simulate
from salur.core.toml import parse as parse_toml

VALUES_MOST = 50
_PART = re.compile(r"(-?[0-9]{1,16})(?:\.\.(-?[0-9]{1,16}))?")


@dataclass(frozen=True)
class Point:
    """One value of the parameter. `simulation` is None where it reaches so nearly the same units as another value that
    the difference would tell on a few; that value is `like`."""

    value: int
    simulation: Simulation | None
    like: int | None = None


@dataclass(frozen=True)
class Sweep:
    """The frontier: a point for each value, in their order."""

    parameter: str
    points: tuple[Point, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": 1,
            "parameter": self.parameter,
            "points": [
                {"value": p.value, "like": p.like, "simulation": p.simulation and p.simulation.to_json()}
                for p in self.points
            ],
        }


def read_sweep(text: str) -> tuple[str, list[int]]:
    """`name=1..6` or `name=1,3,5`.

    >>> read_sweep("highest_decile=1..3"), read_sweep("n=5, 1, 8..9")
    (('highest_decile', [1, 2, 3]), ('n', [1, 5, 8, 9]))
    """
    name, sign, listed = text.partition("=")
    values: set[int] = set()
    for part in listed.split(","):
        found = _PART.fullmatch(part.strip())
        if not name.strip() or not sign or found is None:
            raise InputError.of("A sweep is written like highest_decile=1..6 or amount=200000,300000, in whole "
                                "numbers; not {text}.", text=text)  # fmt: skip
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last - first >= VALUES_MOST:
            raise InputError.of("A sweep goes upwards and has at most {most} values; not {text}.",
                                most=VALUES_MOST, text=text)  # fmt: skip
        values |= set(range(first, last + 1))
    if len(values) > VALUES_MOST:
        raise InputError.of("A sweep goes upwards and has at most {most} values; not {text}.",
                            most=VALUES_MOST, text=text)  # fmt: skip
    return name.strip(), sorted(values)


def with_value(book: Rulebook, parameter: str, value: int) -> Rulebook:
    """The rulebook with another value of a parameter, always in force, checked like any other.

    Its version is that of its bytes with a line at the end that names the value.
    """
    held = book.parameters.get(parameter)
    if held is None:
        raise InputError.at(book.path, "The rulebook has no parameter {name}; it has {all}.",
                            name=parameter, all=", ".join(book.parameters))  # fmt: skip
    if held.type != "integer":
        raise InputError.at(book.path, "The parameter {name} is not a whole number and cannot be swept.", held.line,
                            name=parameter)  # fmt: skip
    document = parse_toml(book.raw, book.path)
    data = copy.deepcopy(document.data)
    data["parameters"][parameter]["values"] = [
        {"from": held.values[0].start, "value": value, "basis": held.values[0].basis}
    ]
    raw = book.raw + f"\n# {parameter} = {value}\n".encode()
    return parse(replace(document, data=data, raw=raw), book.catalogue)


def sweep(
    new: Plan,
    old: Plan | None,
    population: Population,
    work: Path,
    options: Options = Options(),  # noqa: B008 - it is frozen
    *,
    parameter: str,
    values: Sequence[int],
) -> Sweep:
    """Simulate the new rulebook with each value of a parameter, each in a folder of its own below `work`."""
    plans: Mapping[int, Plan] = {v: plan(with_value(new.rulebook, parameter, v), new.on) for v in values}
    outside(work, population)
    options = replace(options, facts=options.facts or work / "facts")
    said: Progress = options.progress or (lambda stage, province: None)
    found: list[Point] = []
    with sentences(work), using(work):
        for value, ready in plans.items():

            def told(stage: str, province: str, value: int = value) -> None:
                said(f"{parameter}={value} {stage}", province)

            own = work / f"{parameter}={value}"
            simulation = simulate(ready, old, population, own, replace(options, progress=told))
            like = next((p.value for p in found if p.simulation and close(p.simulation, simulation)), None)
            found.append(Point(value, simulation if like is None else None, like))
    return Sweep(parameter, tuple(found))


def close(a: Simulation, b: Simulation) -> bool:
    """Whether two published results differ by a few units somewhere, so that both together would tell on them."""

    def numbers(simulation: Simulation) -> dict[object, int]:
        lines: dict[object, int] = {("kind", *line.names): line.units for line in simulation.kinds}
        lines |= {("outcome", name): n for name, n in simulation.after.outcomes.items() if n is not None}
        if simulation.errors_after:
            lines |= {"missed": simulation.errors_after.missed, "leaked": simulation.errors_after.leaked}
        return lines

    one, other = numbers(a), numbers(b)
    return any(0 < abs(one.get(key, 0) - other.get(key, 0)) < SMALL for key in one.keys() | other.keys())
