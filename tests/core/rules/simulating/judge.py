"""Holds a simulation against the naive loop: every exact cell, and every number that is published of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.core.rules.simulating.naive import PAID_AFTER, PAID_BEFORE, Told, kind_of

from salur.core.rules.simulate import Simulation
from salur.core.rules.simulate.cells import Cells

SIGNS = ("same", "more", "less", "other")


def differences(cells: Cells, told: Told) -> list[str]:
    """Cells that are not what the loop counted. [] if all agree."""
    given: dict[str, dict[Any, tuple[int, ...]]] = {"moves": {}, "regions": {}}
    for (move, why, truth), cell in cells.moves.items():
        sign = SIGNS[move.sign] if move.before == move.after == "eligible" else ""
        key = (
            move.before,
            move.after,
            sign,
            frozenset(why.names),
            truth.poor,
            truth.target_before,
            truth.target_after,
        )
        assert key not in given["moves"]
        given["moves"][key] = (cell.units, cell.before, cell.after)
    given["regions"] = {key: (cell.units, cell.before, cell.after) for key, cell in cells.regions.items()}
    wanted: dict[str, Any] = {"moves": told.moves, "regions": told.regions} | dict(told.broken)
    for name, broken in cells.broken.items():
        given[name] = {
            (f"{value or 99:02}", kind): (cell.units, cell.before, cell.after)
            for (value, kind), cell in broken.items()
        }
    found = []
    for name in given.keys() | wanted.keys():
        one, other = wanted.get(name, {}), given.get(name, {})
        for key in one.keys() | other.keys():
            if tuple(one.get(key, ())) != other.get(key, ()):
                found.append(f"{name} {key}: wanted {one.get(key)}, given {other.get(key)}")
    return found


def untrue(simulation: Simulation, told: Told) -> list[str]:
    """Published numbers that are not sums of what the loop counted, or are small. [] if there is none."""
    found: list[str] = []

    def hold(what: str, line: Any, cells: list[list[int]], unpaid: tuple[bool, bool] | None = None) -> None:
        units, before, after = (sum(cell[i] for cell in cells) for i in range(3))
        if line.units != units or 0 < line.units < 10:
            found.append(f"{what}: {line.units} units, counted {units}")
        for given, counted in ((line.before, before), (line.after, after)):
            if given is not None and given != counted:
                found.append(f"{what}: {given} rupiah, counted {counted}")

    by_kind: dict[str, list[list[int]]] = defaultdict(list)
    by_move: dict[str, list[list[int]]] = defaultdict(list)
    by_why: dict[tuple[str, frozenset[str]], list[list[int]]] = defaultdict(list)
    for (was, now, sign, why, *_), cell in told.moves.items():
        kind = kind_of(was, now, sign)
        by_kind[kind].append(cell)
        by_move[f"{was}>{now}" + (f":{sign}" if sign else "")].append(cell)
        by_why[kind, why].append(cell)
    everybody = sum(cell[0] for cell in told.moves.values())
    if 0 < everybody < 10:
        return (
            found
            if not (simulation.kinds or simulation.moves)
            else ["fewer than ten, and something is shown"]
        )
    for line in simulation.kinds:
        hold(f"kind {line.names}", line, [c for name in line.names for c in by_kind[name]])
        if len(line.names) > 1:
            for given, paid in ((line.before, PAID_BEFORE), (line.after, PAID_AFTER)):
                if given is not None and set(paid) & set(line.names):
                    found.append(f"kind {line.names}: its money takes them apart")
    if sorted(name for line in simulation.kinds for name in line.names) != sorted(by_kind):
        found.append(f"kinds {sorted(by_kind)} and published {[line.names for line in simulation.kinds]}")
    for line in simulation.moves:
        hold(f"move {line.names}", line, [c for name in line.names for c in by_move[name]])
    if all(len(line.names) == 1 for line in simulation.kinds):
        if {name for line in simulation.moves for name in line.names} != set(by_move):
            found.append(f"moves {set(by_move)} and published {[line.names for line in simulation.moves]}")
        for reason in simulation.reasons:
            if any(0 < n < 10 for n in (reason.units,)):
                found.append(f"{reason} is small")
            if sum(r.units for r in simulation.reasons if r.kind == reason.kind) != sum(
                c[0] for c in by_kind[reason.kind]
            ):
                found.append(f"the reasons of {reason.kind} are not all its units")
    for name, table in simulation.tables.items():
        counted = told.regions if name == "region" else told.broken[name]
        for row in table.rows:
            for line in row.lines:
                inside = [
                    cell
                    for (value, kind), cell in counted.items()
                    if kind in line.names and any(within(value, shown, name) for shown in row.values)
                ]
                hold(f"{name} {row.values} {line.names}", line, inside)
    for side, name in ((simulation.before, "before"), (simulation.after, "after")):
        if side is None:
            continue
        for outcome, number in side.outcomes.items():
            if number is not None and number != told.outcomes[name][outcome]:
                found.append(f"{name}: {outcome} {number}, counted {told.outcomes[name][outcome]}")
        cost = told.outcomes[name]["rupiah"]
        if side.cost is not None and abs(side.cost - cost) * 2 > (side.rounded if side.rounded > 1 else 0):
            found.append(f"{name}: cost {side.cost}, counted {cost}")
    for errors, name in ((simulation.errors_before, "before"), (simulation.errors_after, "after")):
        if errors is not None:
            given = {
                key: getattr(errors, key)
                for key in ("targets", "missed", "receivers", "leaked", "rupiah", "rupiah_leaked")
            }
            if given != {key: told.errors[name][key] for key in given}:
                found.append(f"errors {name}: {given}, counted {dict(told.errors[name])}")
    return found


def within(value: str, shown: str, name: str) -> bool:
    return not shown or value == shown or (name == "region" and value.startswith(f"{shown}."))
