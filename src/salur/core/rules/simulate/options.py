"""What a simulation is asked for, beside the rulebooks and the population."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from salur.core.rules.decide import Progress

POOR = 4  # families of the deciles 1 to this are poor in truth


@dataclass(frozen=True)
class Options:
    """All may be left out.

    regencies: codes of regencies or provinces; None: everybody. sample: the n-th of so many parts of the families.
    facts: the cache that all runs share; None: inside the folder of the run. truth: the folder of
    `<province>.parquet` with `true_decile`. poor: who is poor in truth: the deciles 1 to this. ceiling: what it may
    cost, in rupiah a year. checked: which populations were verified already. progress: told of each step.
    """

    regencies: Sequence[str] | None = None
    sample: tuple[int, int] | None = None
    facts: Path | None = None
    truth: Path | None = None
    poor: int = POOR
    ceiling: int | None = None
    checked: Path | None = None
    progress: Progress | None = None
