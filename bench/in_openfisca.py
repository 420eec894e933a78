"""PKH on 2026-09-30 in openfisca-core, in its own environment: `python -m bench.openfisca` runs this file.

It sees nothing of Salur: it reads arrays from a folder and writes `eligible.npy` and `amount.npy`. What it cannot say
is left out: it knows no unknown (an absent value is the default, False or 0), so nobody waits for data and nobody
is told why; there are no reasons, no bounds of an amount, and no places.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np
from openfisca_core.entities import build_entity
from openfisca_core.periods import DateUnit
from openfisca_core.simulations import SimulationBuilder
from openfisca_core.taxbenefitsystems import TaxBenefitSystem
from openfisca_core.variables import Variable

PERIOD = "2026-09"
PRICES = np.array([750_000, 750_000, 600_000, 600_000, 500_000, 375_000, 225_000, 0])
MOST = (2, 2, 64, 64, 64, 64, 64)
SLOTS = 4
PUBLIC = (1, 2, 3, 4)  # civil servant, military, police, state company

person = build_entity("person", "persons", "A person", is_person=True)
family = build_entity(
    "family", "families", "A family", roles=[{"key": "member", "plural": "members", "label": "A member"}]
)


def variable(name, entity, type_, formula=None):
    """A variable of one month."""
    own = {"value_type": type_, "entity": entity, "definition_period": DateUnit.MONTH, "label": name}
    return type(name, (Variable,), own | ({"formula": formula} if formula else {}))


def born(member, period, first, last):
    """Born after `first` and up to `last`."""
    days = member("born", period)
    return (days > np.datetime64(first, "D").astype(int)) & (days <= np.datetime64(last, "D").astype(int))


def excludes(member, period):
    adult = born(member, period, "1800-01-01", "2011-09-30")
    at_work = np.isin(member("occupation", period), PUBLIC)
    for name in ("wage_above_minimum", "certified_teacher", "village_official"):
        at_work = at_work | member(name, period)
    return (adult & at_work) | member("public_pensioner", period) | member("company_owner", period)


def component(member, period):
    """The dearest component of a person, 7 for none."""
    level = member("school_level", period)
    school = born(member, period, "2004-09-30", "2020-09-30")
    holds = [
        member("pregnant", period) & member("female", period),
        born(member, period, "2019-09-30", "2026-09-30"),
        member("severe_disability", period),
        born(member, period, "1800-01-01", "1966-09-30"),
        *(school & (level == each) for each in (3, 2, 1)),
    ]
    return np.select(holds, range(7), 7)


def slots(families, period):
    """How many of each component are served: cut to its most, then four slots dearest first."""
    chosen = families.members("component", period)
    left = np.full(families.count, SLOTS)
    served = []
    for place, most in enumerate(MOST):
        taken = np.minimum(np.minimum(families.sum(chosen == place), most), left)
        left = left - taken
        served.append(taken)
    return served


def eligible(families, period):
    poor = (families("decile", period) >= 1) & (families("decile", period) <= 4)
    excluded = families.any(families.members("excludes", period))
    return families("found", period) & poor & ~excluded & (sum(slots(families, period)) > 0)


def amount(families, period):
    money = sum(taken * price for taken, price in zip(slots(families, period), PRICES, strict=False))
    return families("eligible", period) * money


def main(folder: Path) -> None:
    """Read the arrays, calculate, and write who is eligible with which amount."""
    system = TaxBenefitSystem([person, family])
    given = {
        kind: {p.stem: np.load(p) for p in (folder / kind).glob("*.npy")} for kind in ("persons", "families")
    }
    of_family = given["persons"].pop("family")
    begun = cpu()
    for kind, entity in (("persons", person), ("families", family)):
        for name, values in given[kind].items():
            system.add_variable(variable(name, entity, bool if values.dtype == bool else int))
    for name, entity, type_, formula in (
        ("excludes", person, bool, excludes), ("component", person, int, component),
        ("eligible", family, bool, eligible), ("amount", family, int, amount),
    ):  # fmt: skip
        system.add_variable(variable(name, entity, type_, formula))
    builder = SimulationBuilder()
    builder.create_entities(system)
    builder.declare_person_entity("person", np.arange(len(of_family)))
    households = builder.declare_entity("family", np.arange(len(given["families"]["found"])))
    builder.join_with_persons(households, of_family, np.repeat("member", len(of_family)))
    simulation = builder.build(system)
    for kind in given.values():
        for name, values in kind.items():
            simulation.set_input(name, PERIOD, values)
    np.save(folder / "amount.npy", simulation.calculate("amount", PERIOD))
    np.save(folder / "eligible.npy", simulation.calculate("eligible", PERIOD))
    print(json.dumps({"cpu": cpu() - begun}))


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(Path(sys.argv[1]))
