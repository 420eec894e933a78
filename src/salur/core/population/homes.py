"""The welfare of a family and what can be seen of it: its score and decile, the home, electricity, vehicles.

True welfare is hidden: registers see it through a noisy survey (`score`, `decile`), and the home follows from
it with noise. Both are standard normal over the whole country, so that each national decile holds about a
tenth of families; a regency may be poorer or richer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from salur.core.population.draws import NORMAL, Bits, Choice, Codes, Floats, Mask, along, below
from salur.core.population.profile import Profile

SCORE_MOST = 1_000_000
SEEN = (
    "tenure", "floor", "wall", "own_toilet", "electricity_va", "motorcycles", "cars", "internet",
    "officer_finding",
)  # fmt: skip
JAVA = ("31", "32", "33", "34", "35", "36")

Scores = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Homes:
    """By family: urban or not, true and observed welfare (0 to 1,000,000), and a code for each of SEEN.

    `tenth` is the true decile counted from 0, which the rest of the family's life follows.
    """

    urban: Mask
    true_welfare: Scores
    score: Scores
    tenth: Codes
    seen: dict[str, Codes]


class HomeModel:
    """The profile's tables of homes and welfare, made ready for drawing."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        homes = profile["homes"]
        self.answers = {name: tuple(homes[name]["names"]) for name in SEEN}
        self.choices = {
            name: Choice(np.concatenate([along(homes[name][area], homes[name]["correlation"])
                                         for area in ("rural", "urban")]))
            for name in SEEN
        }  # fmt: skip

    def draw(self, bits: Bits, regency: str, size: Codes, urban_share: Floats) -> Homes:
        """Draw the homes of families of these sizes. `urban_share`: by family, the chance of being urban."""
        n, w = len(size), self.profile["welfare"]
        chance = np.asarray(urban_share * 65536, np.float32)
        urban = np.asarray(bits.draw(n) < chance)
        mean = self.urban_share(regency)
        shift = (
            w["regency_effect"] * regency_effect(regency)
            + w["urban_effect"] * (urban - np.float32(mean))
            + w["size_effect"] * ((size - np.float32(3.1)) / np.float32(1.5)).clip(-2, 3)
        )
        spread = (
            1 - w["regency_effect"] ** 2 - w["size_effect"] ** 2 - w["urban_effect"] ** 2 * mean * (1 - mean)
        )
        true = np.asarray(shift + np.sqrt(spread) * NORMAL[bits.draw(n)], np.float32)
        see = w["observed_correlation"]
        seen = see * true + np.sqrt(1 - see**2) * NORMAL[bits.draw(n)]
        true_welfare, score = _score(true), _score(seen)
        tenth = (true_welfare * 10 // (SCORE_MOST + 1)).astype(np.uint8)
        row = tenth + np.where(urban, np.uint8(10), np.uint8(0))
        codes = {name: choice.pick(row, bits.draw(n)) for name, choice in self.choices.items()}
        return Homes(urban, true_welfare, score, tenth, codes)

    def urban_share(self, regency: str) -> float:
        """The chance that a family of the regency lives in an urban area."""
        u = self.profile["urban"]
        if regency[:2] == "31":
            return float(u["capital"])
        if int(regency[3:]) > 70:
            return float(u["city"])
        return float(u["java"] if regency[:2] in JAVA else u["elsewhere"])

    def village_urban(self, regency: str, village: str) -> float:
        """Kelurahan (code x.x.x.1xxx) are nearly all urban; villages share what is left of the regency."""
        if village[9:10] == "1":
            return float(self.profile["urban"]["kelurahan"])
        return self.urban_share(regency) * 0.9


def regency_effect(regency: str) -> float:
    """How much richer than the country a regency is, in standard deviations; settled by its code alone."""
    value = int.from_bytes(hashlib.sha256(f"welfare {regency}".encode()).digest()[:2], "big")
    return float(NORMAL[value])


def decile(score: Scores) -> Scores:
    """The national decile, 1 to 10, of a score."""
    return 1 + np.asarray(score * 10 // (SCORE_MOST + 1))


def _score(z: npt.NDArray[np.floating]) -> Scores:
    return np.asarray(np.rint(below(z) * SCORE_MOST), np.int64)
