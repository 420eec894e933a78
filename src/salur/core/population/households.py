"""Who lives together: heads, spouses, children, parents and other relatives with ages that fit each other.

A family begins with its head (a couple, a man or a woman alone) and the head's age; children follow from the
mother's age at each birth, and leave as they grow up. Families have 1 to 10 members. The weights by age of
head in the profile were fitted so that the ages of all persons follow the census.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from salur.core.population.draws import Bits, Chance, Choice, Codes, Floats, Mask, quantiles, waiting
from salur.core.population.profile import Profile

RELATIONS = ("head", "spouse", "child", "parent", "other")
HEAD, SPOUSE, CHILD, PARENT, OTHER = range(5)
SIZE_MOST = 10
YEAR = 365.2425

Index = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Households:
    """`families` families and their members, in the order of the families.

    Arrays by member: `family` (0-based), `slot` (0-9 within the family), `relation`, `male`, `age_days`.
    By family: `size`, `start` (its first member).
    """

    families: int
    family: Index
    slot: Codes
    relation: Codes
    male: Mask
    age_days: Index
    size: Codes
    start: Index


class HouseholdModel:
    """The profile's tables of families, made ready for drawing."""

    def __init__(self, profile: Profile) -> None:
        p = profile["families"]
        self.ages = np.array([*p["head_age_from"], p["oldest_head"]], np.float32)
        self.cells = Choice([[*p["couple"], *p["man"], *p["woman"]]])
        self.groups = len(p["head_age_from"])
        self.age_gap = quantiles(**p["husband_older_years"])
        self.births = Choice([p[f"births_{n}"] for n in (
            "under_40", "from_40", "single_under_35", "single_from_35"
        )])  # fmt: skip
        first = p["first_birth_age"]
        self.first_birth = quantiles(first["mean"], first["sd"]).clip(first["least"], first["most"])
        gap = p["birth_gap_years"]
        self.birth_gap = np.float32(gap["least"]) + waiting(gap["mean"] - gap["least"])
        self.last_birth = p["last_birth_age"]
        home = [1.0] * 18 + p["child_at_home"]
        self.at_home = Chance([*home, *[0.03] * (120 - len(home))])
        self.parent = Chance([0.0, p["parent_share"]])
        self.parent_woman = Chance([p["parent_woman"]])
        self.parent_gap = quantiles(**p["parent_older_years"]).clip(17, 45)
        self.oldest_parent = p["oldest_parent"]
        self.other = Chance([p["other_share"]])
        self.other_group = Choice([p["other_age_shares"]])
        self.other_ages = np.array(p["other_age_from"], np.float32)
        self.settled = 0.28, 0.42  # of all members: men by the kind of family, and those of either sex
        sample = self.draw(Bits(0), 20_000, 0.5)
        free = _free(sample.relation)
        self.settled = float(np.mean(sample.male & ~free)), float(np.mean(free))

    def draw(self, bits: Bits, n: int, men_share: float) -> Households:
        """Draw n families; `men_share` is the share of men among the people of the regency."""
        cell = self.cells.pick(0, bits.draw(n))
        kind, group = np.divmod(cell, np.uint8(self.groups))  # 0 couple, 1 man, 2 woman
        head_age = _within(self.ages, group, bits.draw(n))
        couple = kind == 0
        wife_age = np.maximum(head_age - self.age_gap[bits.draw(n)], np.float32(16.2))
        mother_age = np.where(couple, wife_age, np.where(kind == 1, head_age - np.float32(3.8), head_age))
        older = np.where(couple, mother_age >= 40, mother_age >= 35)
        births = self.births.pick(np.where(couple, 0, 2) + older, bits.draw(n))

        everyone = np.arange(n, dtype=np.int32)
        place = 1 + couple.astype(np.uint8)  # the next free slot of each family
        members = [(everyone, np.zeros(n, np.uint8), HEAD, head_age)]
        wives = np.flatnonzero(couple).astype(np.int32)
        members.append((wives, np.ones(len(wives), np.uint8), SPOUSE, wife_age[wives]))
        members += self._children(bits, mother_age, births, place)
        members += self._relatives(bits, head_age, place)

        size: Codes = place
        start = np.zeros(n, np.int32)
        np.cumsum(size[:-1], out=start[1:])
        total = int(size.sum())
        family, slot = np.empty(total, np.int32), np.empty(total, np.uint8)
        relation, age = np.empty(total, np.uint8), np.empty(total, np.float32)
        for who, slots, what, ages in members:
            row = start[who] + slots
            family[row], slot[row], relation[row], age[row] = who, slots, what, ages
        male = self._sexes(bits, kind[family], relation, men_share)
        return Households(
            n, family, slot, relation, male, (age * np.float32(YEAR)).astype(np.int32), size, start
        )

    def _children(
        self, bits: Bits, mother_age: Floats, births: Codes, place: Codes
    ) -> list[tuple[Index, Codes, int, Floats]]:
        """Births one after the other; a child belongs to the family unless it has left."""
        found = []
        who = np.flatnonzero(births > 0).astype(np.int32)
        at = self.first_birth[bits.draw(len(who))]
        for number in range(1, 7):
            age = mother_age[who] - at
            happened = (age > 0) & (at < self.last_birth)
            home = happened & self.at_home.pick(age.clip(0, 119).astype(np.uint8), bits.draw(len(who)))
            children = who[home]
            found.append((children, place[children], CHILD, age[home]))
            place[children] += 1
            more = happened & (births[who] > number)
            who, at = who[more], at[more] + self.birth_gap[bits.draw(int(more.sum()))]
        return found

    def _relatives(
        self, bits: Bits, head_age: Floats, place: Codes
    ) -> list[tuple[Index, Codes, int, Floats]]:
        n = len(head_age)
        gap = self.parent_gap[bits.draw(n)]
        fits = (head_age + gap < self.oldest_parent) & (place < SIZE_MOST)
        parents = np.flatnonzero(self.parent.pick(fits.astype(np.uint8), bits.draw(n))).astype(np.int32)
        found = [(parents, place[parents], PARENT, head_age[parents] + gap[parents])]
        place[parents] += 1
        chosen = self.other.pick(0, bits.draw(n)) & (place < SIZE_MOST)
        others = np.flatnonzero(chosen).astype(np.int32)
        group = self.other_group.pick(0, bits.draw(len(others)))
        age = _within(self.other_ages, group, bits.draw(len(others)))
        found.append((others, place[others], OTHER, age))
        place[others] += 1
        return found

    def _sexes(self, bits: Bits, kind: Codes, relation: Codes, men_share: float) -> Mask:
        """Heads and spouses have their sex from the kind of family; the others make up the regency's share."""
        male = (relation == HEAD) & (kind != 2)
        parents = relation == PARENT
        draws = bits.draw(len(relation))
        male |= parents & ~self.parent_woman.pick(0, draws)
        settled, free = self.settled
        share = min(max((men_share - settled) / free, 0.40), 0.62)
        return np.asarray(male | (_free(relation) & Chance([share]).pick(0, draws)))


def _free(relation: Codes) -> Mask:
    return np.asarray((relation == CHILD) | (relation == OTHER))


def _within(edges: Floats, group: Codes, draws: npt.NDArray[np.uint16]) -> Floats:
    """A number drawn evenly between the edges of a group."""
    low = edges[group]
    return np.asarray(low + (edges[1:][group] - low) * (draws * np.float32(1 / 65536)), np.float32)
