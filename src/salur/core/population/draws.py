"""Random draws for the generator: fast, and the same on every machine.

Only raw bits of NumPy's SFC64 are used, whose stream is fixed; NumPy's distributions may change between
releases. A draw is 16 bits, looked up in a table made beforehand, so that a million draws take milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Draws = npt.NDArray[np.uint16]
Codes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

STEPS = 1 << 12  # how finely a choice is cut: shares are right to 1 in 4,096
_STANDARD = NormalDist()


class Bits:
    """A stream of 16-bit draws, settled by its key alone (seed, place, number of the chunk …)."""

    def __init__(self, *key: int) -> None:
        self._source = np.random.SFC64(np.random.SeedSequence(key))

    def draw(self, n: int) -> Draws:
        return self._source.random_raw(-(-n // 4)).view(np.uint16)[:n]


class Choice:
    """Draws one of k codes from a row of shares.

    >>> Choice([[0.25, 0.75], [1, 0]]).pick(np.array([0, 0, 1]), np.array([0, 65535, 65535], np.uint16))
    array([0, 1, 0], dtype=uint8)
    """

    def __init__(self, shares: Sequence[Sequence[float]] | npt.NDArray[np.float64]) -> None:
        rows = np.asarray(shares, np.float64)
        steps = np.rint((rows / rows.sum(axis=1, keepdims=True)).cumsum(axis=1) * STEPS).astype(np.int64)
        places = np.arange(STEPS)
        self._table: Codes = (
            (places[None, :, None] >= steps[:, None, :-1]).sum(axis=2).astype(np.uint8).ravel()
        )

    def pick(self, row: npt.NDArray[np.integer] | int, draws: Draws) -> Codes:
        place = (draws >> 4).astype(np.int32)
        return np.asarray(self._table[place + np.asarray(row, np.int32) * STEPS])


class Chance:
    """Whether something of a probability by row happens, right to 1 in 65,536."""

    def __init__(self, probabilities: Sequence[float] | npt.NDArray[np.float64]) -> None:
        scaled = np.rint(np.asarray(probabilities, np.float64) * 65536).clip(0, 65536)
        self._limits = scaled.astype(np.uint32)

    def pick(self, row: npt.NDArray[np.integer] | int, draws: Draws) -> Mask:
        return np.asarray(draws < self._limits[row])


def quantiles(mean: float, sd: float) -> Floats:
    """A normal distribution as 65,536 quantiles: index it with draws."""
    return np.asarray(mean + sd * NORMAL, np.float32)


def waiting(mean: float) -> Floats:
    """An exponential distribution as 65,536 quantiles."""
    return np.asarray(-mean * np.log1p(-(np.arange(65536) + 0.5) / 65536), np.float32)


def below(z: npt.NDArray[np.floating]) -> Floats:
    """The share of a standard normal population below z."""
    return np.asarray(np.interp(z, _Z, _SHARE), np.float32)


def along(shares: Sequence[float], correlation: float, rows: int = 10) -> npt.NDArray[np.float64]:
    """National shares of ordered answers (poorest first), spread over the deciles of welfare.

    An ordered probit: the answer follows a hidden quantity that has `correlation` with welfare. The mean of
    the rows is `shares` again. Shape: (rows, len(shares)).

    >>> along([0.5, 0.5], 0.0).round(3).tolist()[0]
    [0.5, 0.5]
    """
    fine = 50  # points inside each decile, so that the mean of the rows is right
    z = np.array([_STANDARD.inv_cdf((i + 0.5) / (rows * fine)) for i in range(rows * fine)])
    total = float(sum(shares))
    cuts = np.cumsum(shares)[:-1] / total
    bounds = np.array([_STANDARD.inv_cdf(min(max(c, 1e-9), 1 - 1e-9)) for c in cuts])
    hidden = (bounds[None, :] - correlation * z[:, None]) / np.sqrt(1 - correlation**2)
    under = below(hidden).astype(np.float64)
    edges = np.concatenate([np.zeros((len(z), 1)), under, np.ones((len(z), 1))], axis=1)
    return np.asarray(np.diff(edges, axis=1).reshape(rows, fine, -1).mean(axis=1))


NORMAL: Floats = np.array([_STANDARD.inv_cdf((i + 0.5) / 65536) for i in range(65536)], np.float32)
_Z = np.linspace(-6, 6, 6001)
_SHARE = np.array([_STANDARD.cdf(z) for z in _Z.tolist()])
