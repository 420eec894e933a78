"""What the members of a family do: school, certificates, pregnancy, work, posts, health cover.

Everything follows from age, sex, the family's hidden welfare (its true decile) and whether it is urban.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from salur.core.population.draws import Bits, Chance, Choice, Codes, Mask, along
from salur.core.population.homes import Homes
from salur.core.population.households import CHILD, HEAD, SPOUSE, YEAR, Households
from salur.core.population.profile import Profile

LEVELS = ("none", "early", "primary", "lower_secondary", "upper_secondary", "higher")
CERTIFICATES = ("none", "primary", "lower_secondary", "upper_secondary", "higher")
ACTIVITIES = ("working", "seeking", "student", "home", "unable", "none")
COVERS = ("none", "employer", "own")
AGES = 121
_WORKING, _SEEKING, _STUDENT, _HOME, _UNABLE, _OTHER = range(6)


@dataclass(frozen=True)
class Lives:
    """By member: codes into LEVELS, CERTIFICATES, ACTIVITIES, COVERS, the model's occupations, and yes or no."""

    school_level: Codes
    final_class: Mask
    education: Codes
    pregnant: Mask
    severe_disability: Mask
    work_status: Codes
    occupation: Codes
    public_pensioner: Mask
    wage_above_minimum: Mask
    certified_teacher: Mask
    village_official: Mask
    company_owner: Mask
    health_cover: Codes


class LifeModel:
    """The profile's tables of schooling and work, made ready for drawing. Occupation 0 is "none"."""

    def __init__(self, profile: Profile) -> None:
        school, work, jobs = profile["schooling"], profile["work"], profile["occupations"]
        self.profile = profile
        by_age = np.zeros((AGES, 10))
        for i, share in enumerate(school["at_school"]):
            by_age[school["first_age"] + i] = along([1 - share, share], school["welfare_correlation"])[:, 1]
        self.at_school = Chance(by_age.ravel())
        self.late = Chance([school["late_by_a_year"]])
        self.last_of_higher = Chance([school["last_year_of_higher"]])
        education = profile["education"]
        self.cohort = _steps(education["age_from"])
        self.certificate = Choice(np.concatenate([
            along(shares, education["welfare_correlation"]) for shares in education["shares"]
        ]))  # fmt: skip
        self.certificate_most = _steps(education["youngest"])
        p = profile["pregnancy"]
        rate = np.zeros(AGES)
        rate[15:50] = np.repeat(p["births_per_thousand"], 5) / 1000 * p["weeks"] / 52
        self.pregnant = Chance(np.concatenate([rate * p["other_factor"], rate * p["wife_factor"]]))
        disability = profile["disability"]
        self.disabled = Chance(np.array(disability["shares"])[_steps(disability["age_from"])])
        group = _steps(work["age_from"])
        grown = np.arange(AGES) >= work["age_from"][0]
        self.active = Chance(np.concatenate([np.array(work[sex])[group] * grown for sex in ("women", "men")]))
        self.unemployed = Chance(np.array(work["unemployed"])[group])
        self.unable_old = Chance([work["unable_from_70"]])
        self._occupations(jobs)
        cover = profile["health_cover"]
        self.by_employer = Chance([cover["by_employer"]])
        self.own = Chance(along([1 - cover["own_share"], cover["own_share"]], cover["own_correlation"])[:, 1])

    def _occupations(self, jobs: Profile) -> None:
        names = jobs["names"]
        self.occupations = ("none", *names)
        rows = []
        for area in ("rural", "urban"):
            for sex in ("women", "men"):
                for public in (False, True):  # past retirement age nobody holds a public post
                    other_sex = jobs["men_only"] if sex == "women" else jobs["women_only"]
                    here = jobs["women_only"] if sex == "women" else jobs["men_only"]
                    shares = [
                        0.0 if n in other_sex or (n in jobs["public"] and not public)
                        else s * (1.8 if n in here else 1.0)
                        for n, s in zip(names, jobs[area], strict=True)
                    ]  # fmt: skip
                    rows.append(along(shares, jobs["welfare_correlation"]))
        self.occupation = Choice(np.concatenate(rows))

        def named(table: dict[str, float]) -> Chance:
            return Chance([table.get(name, 0.0) for name in self.occupations])

        self.above_minimum = named(jobs["wage_above_minimum"])
        self.teacher = named(jobs["certified_teacher"])
        self.formal = np.isin(self.occupations, jobs["formal"])
        self.public = np.isin(self.occupations, jobs["public"])
        self.graduate = np.isin(self.occupations, ["civil_servant", "professional"])
        share = jobs["pensioner_share"]
        self.pensioner = Chance(along([1 - share, share], jobs["pensioner_correlation"])[:, 1])
        self.official = Chance([jobs["village_official_rural"], jobs["village_official_urban"]])
        share = jobs["company_owner_share"]
        self.owner = Chance(along([1 - share, share], jobs["company_owner_correlation"])[:, 1])

    def draw(self, bits: Bits, people: Households, homes: Homes, reference_date: date) -> Lives:
        """Draw the lives of all members of the families on the reference date."""
        n = len(people.family)
        age = (people.age_days / np.float32(YEAR)).astype(np.uint8)
        tenth, urban = homes.tenth[people.family], homes.urban[people.family]
        grown = age >= 15
        disabled = self.disabled.pick(age, bits.draw(n))
        level, final = self._school(bits, people, age, tenth, disabled, reference_date)
        education = self.certificate.pick(self.cohort[age].astype(np.int32) * 10 + tenth, bits.draw(n))
        education = np.minimum(education, self.certificate_most[age])
        # Who is at school holds the certificate of the level before it.
        education = np.where(level > 0, level.clip(2) - np.uint8(2), education)

        wives = (people.relation == SPOUSE) | (people.relation == HEAD)
        row = age.astype(np.int32) + np.where(wives, AGES, 0)
        pregnant = ~people.male & self.pregnant.pick(row, bits.draw(n))

        able = self.active.pick(age + np.where(people.male, AGES, 0), bits.draw(n)) & ~disabled & (level == 0)
        seeking = able & self.unemployed.pick(age, bits.draw(n))
        old = (age >= 70) & self.unable_old.pick(0, bits.draw(n))
        idle = np.where(~people.male & grown, np.uint8(_HOME), np.uint8(_OTHER))
        work = np.where(grown & (disabled | old), np.uint8(_UNABLE), idle)
        work = np.where(level > 1, np.uint8(_STUDENT), work)
        work = np.where(able, np.where(seeking, np.uint8(_SEEKING), np.uint8(_WORKING)), work)

        jobs = self.profile["occupations"]
        post = (age >= 20) & (age < jobs["retirement_age"])
        row = (urban * 4 + people.male * 2 + post).astype(np.int32) * 10 + tenth
        job = self.occupation.pick(row, bits.draw(n)) + np.uint8(1)
        job[work != _WORKING] = 0
        graduate = self.graduate[job]
        education = np.where(graduate, np.maximum(education, np.where(age >= 23, 4, 3)), education)
        education = np.where(self.public[job], np.maximum(education, 3), education).astype(np.uint8)

        retired = (age >= jobs["retirement_age"]) & self.pensioner.pick(tenth, bits.draw(n))
        adult = (age >= 21) & (level == 0) & ~disabled
        above = self.above_minimum.pick(job, bits.draw(n))
        teacher = (education == 4) & (age >= 25) & self.teacher.pick(job, bits.draw(n))
        official = (
            adult & (age < 60) & ~self.public[job] & self.official.pick(urban.astype(np.uint8), bits.draw(n))
        )
        owner = adult & ~self.public[job] & self.owner.pick(tenth, bits.draw(n))
        cover = self._cover(bits, people, homes.tenth, job, age)
        return Lives(
            level, final, education, pregnant, disabled, work, job, retired, above, teacher, official, owner,
            cover,
        )  # fmt: skip

    def _school(
        self, bits: Bits, people: Households, age: Codes, tenth: Codes, disabled: Mask, today: date
    ) -> tuple[Codes, Mask]:
        """The level attended now and whether in its last class, by the age when the school year began."""
        school = self.profile["schooling"]
        began = date(today.year - (today.month < school["school_year_begins_month"]),
                     school["school_year_begins_month"], 15)  # fmt: skip
        then = (people.age_days - (today - began).days) / np.float32(YEAR)
        years = np.maximum(then, 0).astype(np.uint8)
        row = years.astype(np.int32) * 10 + tenth
        attends = self.at_school.pick(row, bits.draw(len(age))) & (then >= school["first_age"]) & ~disabled
        attends &= (people.relation >= CHILD) | (years < 25)
        late = self.late.pick(0, bits.draw(len(age)))
        grade = years.astype(np.int8) - 6 - (late & (years > 6) & (years < 19))  # 1 is the first of primary
        level = np.select([grade < 1, grade < 7, grade < 10, grade < 13], [1, 2, 3, 4], 5).astype(np.uint8)
        final = np.isin(grade, (0, 6, 9, 12))
        final |= (level == 5) & self.last_of_higher.pick(0, bits.draw(len(age)))
        return np.where(attends, level, np.uint8(0)), np.asarray(final & attends)

    def _cover(self, bits: Bits, people: Households, tenth: Codes, job: Codes, age: Codes) -> Codes:
        """An employer covers the worker, the spouse and the children; the others pay or are not covered."""
        covered = self.formal[job] & self.by_employer.pick(0, bits.draw(len(job)))
        family = np.zeros(people.families, np.bool_)
        family[people.family[covered]] = True
        near = (people.relation <= SPOUSE) | ((people.relation == CHILD) & (age < 25))
        own = self.own.pick(tenth, bits.draw(people.families))
        result = np.where(own[people.family], np.uint8(2), np.uint8(0))
        return np.where(covered | (family[people.family] & near), np.uint8(1), result)


def _steps(age_from: list[int]) -> Codes:
    """For each age of life, which group it falls in; the first group also takes younger ages."""
    places: npt.NDArray[np.int64] = np.searchsorted(age_from, np.arange(AGES), side="right") - 1
    return places.clip(0).astype(np.uint8)
