"""Test NIKs: 6 digits of region, day (a woman's plus 40), month and year of birth, and a serial number.

Serials begin at 9000, which offices do not reach, so that none of these is a real person's. That leaves 1,000
for each district, date and sex; what is over goes to the next district of the same regency. A NIK has no
check digit and says nothing for sure (DESIGN section 5, law 6).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from salur.core.faults import InputError

SERIAL_FIRST = 9000
SERIALS = 1000
_DATES = 100 * 12 * 31 * 2  # year of the century, month, day, sex

Ints = npt.NDArray[np.int64]


class Serials:
    """Gives out the NIKs of one regency, each once, in the order of the calls."""

    def __init__(self, regency: str, districts: tuple[int, ...]) -> None:
        self.regency = int(regency.replace(".", ""))
        self.districts = np.array(districts, np.int64)  # the last two digits of the region part
        self._given = np.zeros(len(districts) * _DATES, np.uint16)

    def give(
        self, district: Ints, birth: npt.NDArray[np.datetime64], male: npt.NDArray[np.bool_]
    ) -> pa.Array:
        """NIKs for people of these districts (positions in `districts`), birth dates and sexes.

        Raises InputError if a date of birth has more people than the regency has numbers for.
        """
        months = birth.astype("datetime64[M]")
        year = (months.astype("datetime64[Y]").astype(np.int64) + 1970) % 100
        month = months.astype(np.int64) % 12
        day = (birth.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
        date = ((year * 12 + month) * 31 + day) * 2 + male
        place = district.astype(np.int64).copy()
        serial = np.full(len(place), -1, np.int64)
        waiting = np.arange(len(place))
        for _ in range(len(self.districts)):
            serial[waiting] = self._next(place[waiting] * _DATES + date[waiting])
            waiting = waiting[serial[waiting] >= SERIALS]
            if not len(waiting):
                break
            place[waiting] = (place[waiting] + 1) % len(self.districts)
        else:
            raise InputError.of(
                "Regency {code} has no test NIK left for one date of birth; use fewer families.",
                code=self.regency,
            )
        region = self.regency * 100 + self.districts[place]
        shown_day = day + 1 + np.where(male, 0, 40)
        number = ((region * 100 + shown_day) * 100 + month + 1) * 100 + year
        return pa.array(number * 10_000 + SERIAL_FIRST + serial).cast(pa.string())

    def _next(self, key: Ints) -> Ints:
        """The next serial of each key: what was given before, and the rank among equal keys of this call."""
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        counts = np.diff(np.r_[begins, len(ordered)])
        rank = np.empty(len(key), np.int64)
        rank[order] = np.arange(len(key)) - np.repeat(begins, counts)
        serial = self._given[key] + rank
        groups = ordered[begins]
        self._given[groups] = np.minimum(self._given[groups] + counts, SERIALS)
        return np.asarray(serial, np.int64)
