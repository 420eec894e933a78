"""How a unit moves from one decision to another: its outcome before and after, and what it gets.

A move is packed into one number for the engine: outcome before, outcome after, and what became of the amount.
"""

from __future__ import annotations

from dataclasses import dataclass

from salur.core.rules.evaluate import ELIGIBLE, NEEDS_DATA, NOT_ELIGIBLE, NOT_FOUND, WAITING

NO_RULEBOOK = "none"  # the outcome before, where there is no old rulebook
OUTCOMES = (ELIGIBLE, WAITING, NEEDS_DATA, NOT_ELIGIBLE, NOT_FOUND, NO_RULEBOOK)
SAME, MORE, LESS, OTHER = range(4)  # what became of an amount; OTHER: as much money, but of something else

# In the order in which small ones are put together with their neighbours. In every kind all units are paid, or none.
KINDS = (
    "gains", "more", "other", "same", "less", "loses", "to_waiting", "to_needs_data", "settled", "unchanged",
)  # fmt: skip
RECEIVE_BEFORE = frozenset(("more", "other", "same", "less", "loses"))
RECEIVE_AFTER = frozenset(("gains", "more", "other", "same", "less"))


@dataclass(frozen=True, order=True)
class Move:
    """From one outcome to another; `sign` says more where it is eligible both times."""

    before: str
    after: str
    sign: int = SAME

    @classmethod
    def of(cls, packed: int) -> Move:
        """
        >>> Move.of(3 * 30), Move.of(1)
        (Move(before='not_eligible', after='eligible', sign=0), Move(before='eligible', after='eligible', sign=1))
        """
        before, rest = divmod(packed, 5 * len(OUTCOMES))
        after, sign = divmod(rest, 5)
        return cls(OUTCOMES[before], OUTCOMES[after], sign)

    @property
    def kind(self) -> str:
        """One of KINDS."""
        if self.before == self.after == ELIGIBLE:
            return {MORE: "more", LESS: "less", OTHER: "other"}.get(self.sign, "same")
        if self.after == ELIGIBLE:
            return "gains"
        if self.before == ELIGIBLE:
            return "loses"
        if self.before == self.after:
            return "unchanged"
        if self.after in (WAITING, NEEDS_DATA):
            return f"to_{self.after}"
        return "unchanged" if self.before == NO_RULEBOOK else "settled"


def packed(before: str, after: str, sign: str) -> str:
    """SQL of a move: the codes of both outcomes (their places in OUTCOMES) and the sign."""
    return f"(({before}) * {5 * len(OUTCOMES)} + ({after}) * 5 + ({sign}))"


def code(outcome: str) -> str:
    """SQL of an outcome's code from its column."""
    whens = " ".join(f"WHEN '{name}' THEN {index}" for index, name in enumerate(OUTCOMES[:-1]))
    return f"CASE {outcome} {whens} END"


def kind(move: str) -> str:
    """SQL of the place in KINDS of a packed move."""
    every = [KINDS.index(Move.of(number).kind) for number in range(5 * len(OUTCOMES) * len(OUTCOMES))]
    return f"CAST({every}[({move}) + 1] AS TINYINT)"
