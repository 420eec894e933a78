"""What the registers know of synthetic people: each fact with its gaps and its dates, as Arrow tables.

Some families are not found at all (no fact, no members), some have unknown members, each fact is missing in a
share of rows, and some rows are older than the reference date. The rates stand in the profile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from salur.core.population.catalogue import Catalogue
from salur.core.population.draws import Bits, Chance, Choice, Codes, Mask
from salur.core.population.homes import SEEN, HomeModel, Homes, decile
from salur.core.population.households import RELATIONS, Households
from salur.core.population.layout import AS_OF, columns_of
from salur.core.population.lives import ACTIVITIES, CERTIFICATES, COVERS, LEVELS, LifeModel, Lives
from salur.core.population.profile import Profile

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Place:
    """Where a chunk of families lives: dictionaries of the province, and positions in them."""

    regions: pa.Array
    region: int
    villages: pa.Array
    village: npt.NDArray[np.int32] | None  # by family


@dataclass(frozen=True)
class Tables:
    """The rows of a chunk in the columns of the files."""

    families: pa.Table
    persons: pa.Table
    truth: pa.Table


class Registers:
    """Turns drawn people into rows, by the rates of the profile (or one rate for every fact)."""

    def __init__(
        self,
        profile: Profile,
        catalogue: Catalogue,
        homes: HomeModel,
        lives: LifeModel,
        reference_date: date,
        unknown_percent: float | None = None,
    ) -> None:
        rates = profile["registers"]
        self.homes, self.lives = homes, lives
        self.reference_day = (reference_date - EPOCH).days
        self.facts = {name: catalogue.facts[name] for name in catalogue.facts if name in rates["unknown"]}
        percent = {n: rates["unknown"][n] if unknown_percent is None else unknown_percent for n in self.facts}
        self.missing = {name: Chance([share / 100]) for name, share in percent.items()}
        self.not_found = Chance([rates["not_found"] / 100])
        self.members_unknown = Chance([rates["members_unknown"] / 100])
        self.ages = [
            (tuple(table["facts"]), np.array(table["days"], np.int32), Choice([table["shares"]]))
            for table in rates["age_days"].values()
        ]
        self.as_of = frozenset(name for facts, _, _ in self.ages for name in facts if name in self.facts)
        self.schemas = {
            kind: _schema(columns_of(kind, self.facts, self.as_of))
            for kind in ("families", "persons", "truth")
        }

    def tables(
        self, bits: Bits, first: int, place: Place, people: Households, homes: Homes, lives: Lives
    ) -> Tables:
        """The rows of a chunk. `first`: family_id of its first family; a person's id is 10 × family + slot."""
        n = people.families
        found = ~self.not_found.pick(0, bits.draw(n))
        known = found & ~self.members_unknown.pick(0, bits.draw(n))
        ids = first + np.arange(n, dtype=np.int64)
        values: dict[str, Any] = {
            "family_id": ids,
            "region": _constant(place.region, place.regions, n),
            "village": _village(place, n),
            "found": found,
            "members_known": known,
            "decile": decile(homes.score),
            "welfare_score": homes.score,
            "urban": homes.urban,
            "family_size": people.size.astype(np.int64),
        }
        for name in SEEN:
            values[name] = _answers(self.homes.answers[name], homes.seen[name])
        families = self._table("families", bits, values, found, {"family_size": known})
        truth = pa.table([ids, homes.true_welfare, decile(homes.true_welfare)], schema=self.schemas["truth"])

        keep = known[people.family]
        family, slot = people.family[keep], people.slot[keep]
        birth = self.reference_day - people.age_days[keep]
        values = {
            "person_id": ids[family] * 10 + slot,
            "family_id": ids[family],
            "region": _constant(place.region, place.regions, len(family)),
            "birth_date": birth,
            "sex": (("female", "male"), people.male[keep].view(np.uint8)),
            "relation": (RELATIONS, people.relation[keep]),
            "pregnant": lives.pregnant[keep],
            "severe_disability": lives.severe_disability[keep],
            "school_level": (LEVELS, lives.school_level[keep]),
            "final_class": lives.final_class[keep],
            "education": (CERTIFICATES, lives.education[keep]),
            "work_status": (ACTIVITIES, lives.work_status[keep]),
            "occupation": (self.lives.occupations, lives.occupation[keep]),
            "public_pensioner": lives.public_pensioner[keep],
            "wage_above_minimum": lives.wage_above_minimum[keep],
            "certified_teacher": lives.certified_teacher[keep],
            "village_official": lives.village_official[keep],
            "company_owner": lives.company_owner[keep],
            "health_cover": (COVERS, lives.health_cover[keep]),
        }
        return Tables(families, self._table("persons", bits, values, None, {}), truth)

    def _table(
        self,
        kind: str,
        bits: Bits,
        values: Mapping[str, Any],
        found: Mask | None,
        also: Mapping[str, Mask],
    ) -> pa.Table:
        schema = self.schemas[kind]
        n = len(values["family_id"])
        days: dict[str, npt.NDArray[np.int32]] = {}
        for facts, back, choice in self.ages:
            if facts[0] in values:
                day = self.reference_day - back[choice.pick(0, bits.draw(n))]
                days |= dict.fromkeys(facts, day)
        columns = []
        masks: dict[str, Mask] = {}
        for name in schema.names:
            fact = name.removesuffix(AS_OF)
            if name in self.facts:
                masks[fact] = self.missing[fact].pick(0, bits.draw(n))
                for sure in (found, also.get(fact)):
                    if sure is not None:
                        masks[fact] |= ~sure
            if fact != name:
                columns.append(pa.array(days[fact], pa.int32(), mask=masks[fact]).cast(pa.date32()))
            else:
                columns.append(_column(values[name], schema.field(name).type, masks.get(name)))
        return pa.Table.from_arrays(columns, schema=schema)


def _schema(columns: Mapping[str, pa.DataType]) -> pa.Schema:
    """Text as dictionaries while in memory: the file holds plain VARCHAR."""
    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([(name, text if type_ == pa.string() else type_) for name, type_ in columns.items()])


def _column(value: Any, type_: pa.DataType, mask: Mask | None) -> pa.Array:
    match value:
        case pa.Array():
            return value
        case (names, codes):
            indices = pa.array(codes.astype(np.int32), mask=mask)
            return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))
        case _ if type_ == pa.date32():
            return pa.array(value.astype(np.int32), pa.int32(), mask=mask).cast(type_)
    return pa.array(value, type_, mask=mask)


def _answers(names: Sequence[Any], codes: Codes) -> Any:
    """The answers behind codes: text stays coded, numbers and yes or no are written out."""
    if isinstance(names[0], str):
        return tuple(names), codes
    if len(names) == 2:
        return codes.view(np.bool_)
    return np.array(names, np.int64)[codes]


def _constant(position: int, dictionary: pa.Array, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.full(n, position, np.int32)), dictionary)


def _village(place: Place, n: int) -> pa.Array:
    if place.village is None:
        return pa.nulls(n, pa.dictionary(pa.int32(), pa.string()))
    return pa.DictionaryArray.from_arrays(pa.array(place.village), place.villages)
