"""A simulation for people: one calm screen in Indonesian or English; and CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from salur.core.rules.simulate.attributes import AGES_FROM, SIZE_MOST
from salur.core.rules.simulate.changes import Change
from salur.core.rules.simulate.published import Errors, Line, Simulation
from salur.core.rules.simulate.sweeps import Sweep

REASONS = 3  # of a kind, the largest
ROWS = 24  # of a breakdown

WORDS = {  # Indonesian, English
    "gains": ("mulai menerima", "begin to receive"),
    "more": ("menerima lebih banyak", "receive more"),
    "other": ("menerima yang lain", "receive something else"),
    "same": ("tetap menerima", "receive the same"),
    "less": ("menerima lebih sedikit", "receive less"),
    "loses": ("berhenti menerima", "cease to receive"),
    "to_waiting": ("jadi menunggu", "come to wait"),
    "to_needs_data": ("jadi perlu data", "come to need data"),
    "settled": ("tak lagi menunggu atau perlu data", "no longer wait or need data"),
    "unchanged": ("tak menerima, tak berubah", "receive nothing, unchanged"),
    "eligible": ("berhak", "entitled"),
    "waiting": ("menunggu", "waiting"),
    "needs_data": ("perlu data", "needs data"),
    "not_eligible": ("belum berhak", "refused"),
    "not_found": ("tak tercatat", "not found"),
    "none": ("belum ada aturan", "no rulebook"),
    "places": ("tempat (kuota)", "places (quota)"),
    "family": ("keluarga", "families"),
    "person": ("orang", "persons"),
    "month": ("sebulan", "a month"),
    "quarter": ("setriwulan", "a quarter"),
    "semester": ("sesemester", "a semester"),
    "year": ("setahun", "a year"),
    "once": ("sekali", "once"),
    "before": ("aturan lama", "old rulebook"),
    "after": ("aturan baru", "new rulebook"),
    "difference": ("selisih", "difference"),
    "cost": ("biaya", "cost"),
    "a_year": ("biaya setahun", "cost a year"),
    "ceiling": ("pagu setahun", "ceiling a year"),
    "over": ("melewati pagu", "over the ceiling"),
    "left": ("sisa pagu", "left of the ceiling"),
    "because": ("karena", "because of"),
    "or": ("atau", "or"),
    "and": ("dan", "and"),
    "hidden": ("dirahasiakan", "withheld"),
    "missed": ("salah tertinggal: sasaran yang tak menerima", "exclusion error: targets who get nothing"),
    "leaked": ("salah sasaran: penerima yang tidak miskin", "inclusion error: receivers who are not poor"),
    "truth": ("Menurut keadaan sebenarnya (miskin = desil 1-{poor})", "Against the truth (poor = deciles 1-{poor})"),
    "truth_small": ("tidak ditampilkan: kelompoknya terlalu kecil", "not shown: its groups are too small"),
    "same_rules": ("Kedua aturan sama pada tanggal ini.", "Both rulebooks are the same on this day."),
    "sample": ("Perkiraan dari contoh {n} dari {of} bagian.", "Estimated from a sample: part {n} of {of}."),
    "nobody": ("Kurang dari sepuluh: tidak ada yang ditampilkan.", "Fewer than ten: nothing is shown."),
    "from_to": ("dari ↓ ke →", "from ↓ to →"),
    "rounded": ("dibulatkan ke", "rounded to"),
    "cannot": (
        "Tidak bisa menurut {name}: populasi tidak punya {facts}.",
        "Not possible by {name}: the population has no {facts}.",
    ),
    "more_rows": ("{n} baris lagi di --csv dan --json", "{n} more rows in --csv and --json"),
    "like": ("hampir sama dengan {like}", "nearly the same as {like}"),
    "all": ("seluruhnya", "all"),
    "unknown": ("tidak diketahui", "unknown"),
    "decile": ("desil", "decile"),
    "residence": ("kota atau desa", "urban or rural"),
    "size": ("besar keluarga", "size of the family"),
    "head_sex": ("jenis kelamin kepala keluarga", "sex of the head"),
    "head_age": ("umur kepala keluarga", "age of the head"),
    "disability": ("penyandang disabilitas berat", "severe disability"),
    "region": ("daerah", "region"),
    "urban": ("perkotaan", "urban"),
    "rural": ("perdesaan", "rural"),
    "female": ("perempuan", "female"),
    "male": ("laki-laki", "male"),
    "somebody": ("ada", "in the family"),
    "nobody_has": ("tidak ada", "nobody"),
    "and_more": ("ke atas", "or more"),
    "under": ("di bawah {n}", "under {n}"),
    "exclusion": ("tertinggal", "missed"),
    "inclusion": ("bocor", "leaked"),
    "begin": ("mulai", "gain"),
    "cease": ("berhenti", "lose"),
}  # fmt: skip
_OUTCOMES = ("eligible", "waiting", "needs_data", "not_eligible", "not_found")
_VALUES = {
    "residence": ("urban", "rural"),
    "head_sex": ("female", "male"),
    "disability": ("somebody", "nobody_has"),
}


class Words:
    """The words and numbers of one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        said = WORDS[key][self.language == "en"] if key in WORDS else key
        return said.format(**values) if values else said

    def number(self, value: int | None) -> str:
        """
        >>> Words("id").number(-1200), Words("en").number(1200), Words("en").number(None)
        ('-1.200', '1,200', 'withheld')
        """
        if value is None:
            return self("hidden")
        return f"{value:,}" if self.language == "en" else f"{value:,}".replace(",", ".")

    def rupiah(self, value: int | None, signed: bool = False) -> str:
        if value is None:
            return self("hidden")
        sign = "-" if value < 0 else "+" if signed and value else ""
        return f"{sign}Rp{self.number(abs(value))}"

    def share(self, value: float | None) -> str:
        if value is None:
            return "-"
        text = f"{value * 100:.1f}"
        return f"{text if self.language == 'en' else text.replace('.', ',')} %"

    def value(self, table: str, code: str) -> str:
        """A value of a breakdown.

        >>> en = Words("en")
        >>> [en.value("size", "07"), en.value("head_age", "02"), en.value("decile", "99"), en.value("region", "35.10")]
        ['7 or more', '25-34', 'unknown', '35.10']
        """
        if not code:
            return self("all")
        if table == "region":
            return code
        if code == "99":
            return self("unknown")
        number = int(code)
        if table in _VALUES:
            return self(_VALUES[table][number - 1])
        if table == "size" and number == SIZE_MOST:
            return f"{number} {self('and_more')}"
        if table == "head_age":
            if number == 1:
                return self("under", n=AGES_FROM[1])
            if number == len(AGES_FROM):
                return f"{AGES_FROM[-1]} {self('and_more')}"
            return f"{AGES_FROM[number - 1]}-{AGES_FROM[number] - 1}"
        return str(number)

    def values(self, table: str, codes: Sequence[str]) -> str:
        """Several values that were put together."""
        if len(codes) > 3:
            return f"{self.value(table, codes[0])} … {self.value(table, codes[-1])}"
        return ", ".join(self.value(table, code) for code in codes)

    def kinds(self, names: Iterable[str]) -> str:
        return " + ".join(map(self, names))

    def move(self, name: str) -> str:
        """
        >>> Words("en").move("eligible>waiting"), Words("en").move("eligible>eligible:more")
        ('entitled → waiting', 'entitled → entitled, receive more')
        """
        pair, _, kind = name.partition(":")
        before, _, after = pair.partition(">")
        return f"{self(before)} → {self(after)}" + (f", {self(kind)}" if kind else "")

    def reason(self, sets: Sequence[Sequence[str]]) -> str:
        shown = [
            f" {self('and')} ".join(self(name.partition(":")[2] or name) for name in one) for one in sets
        ]
        return f" {self('or')} ".join(shown[:2]) + (" …" if len(shown) > 2 else "")


# ---- one screen ------------------------------------------------------------------------------------------------


def show(console: Console, simulation: Simulation, language: str, by: str = "decile") -> None:
    """Whom the change moves and why, what it costs, from which outcome to which, and one breakdown."""
    words = Words(language)
    title = simulation.title[language]
    where = "" if simulation.regencies is None else f", {', '.join(simulation.regencies)}"
    console.print(f"[bold]{escape(title)}[/bold], {simulation.reference_date}{where}")
    for change in simulation.changes:
        console.print("  " + escape(_change(change, words)))
    if simulation.before is not None and not simulation.changes:
        console.print("  " + words("same_rules"))
    if simulation.sample:
        console.print("  " + words("sample", n=simulation.sample[0], of=simulation.sample[1]))
    if not simulation.kinds:
        console.print(words("nobody"))
        return
    console.print(_kinds(simulation, words))
    if _is_paid(simulation) or simulation.ceiling is not None:
        console.print(_costs(simulation, words))
    if simulation.before is not None:
        console.print(_outcomes(simulation, words))
    if by in simulation.tables:
        console.print(_breakdown(simulation, by, words))
    for name, facts in simulation.missing.items():
        console.print(words("cannot", name=words(name), facts=", ".join(facts)), style="dim")
    if simulation.poor is not None:
        console.print(words("truth", poor=simulation.poor) + ":")
        if simulation.errors_after is None:
            console.print("  " + words("truth_small"))
        else:
            for key, name in (("missed", "exclusion"), ("leaked", "inclusion")):
                shares = [
                    "-" if errors is None else words.share(getattr(errors, name))
                    for errors in (simulation.errors_before, simulation.errors_after)
                ]
                line = shares[1] if simulation.before is None else " → ".join(shares)
                console.print(f"  {words(key)}: [bold]{line}[/bold]")


def _is_paid(simulation: Simulation) -> bool:
    """Whether the programme gives money by one of the rulebooks, as far as is told."""
    return any(side is not None and side.cost != 0 for side in (simulation.before, simulation.after))


def _plain(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index else "left")
    return table


def _change(change: Change, words: Words) -> str:
    touches = (
        f" ({', '.join(name.partition(':')[2] or name for name in change.touches)})" if change.touches else ""
    )
    return f"{change.name}: {change.before or '-'} → {change.after or '-'}{touches}"


def _kinds(simulation: Simulation, words: Words) -> Table:
    times, paid = simulation.times, _is_paid(simulation)
    table = _plain("", words(simulation.unit), *((words("before"), words("after")) if paid else ()))
    for line in simulation.kinds:
        strong = bool({"gains", "loses", "more", "less"} & set(line.names))
        units = words.number(line.units * times)
        amounts = [words.rupiah(None if n is None else n * times) for n in (line.before, line.after)]
        table.add_row(
            words.kinds(line.names), f"[bold]{units}[/bold]" if strong else units, *(amounts if paid else ())
        )
        mine = [reason for reason in simulation.reasons if (reason.kind,) == line.names and any(reason.sets)]
        for reason in mine[:REASONS]:
            said = f"  {words('because')} {words.reason(reason.sets)}"
            table.add_row(escape(said), words.number(reason.units * times), style="dim")
    return table


def _costs(simulation: Simulation, words: Words) -> Table:
    sides = [side for side in (simulation.before, simulation.after) if side is not None]
    names = [words("before"), words("after"), words("difference")] if len(sides) == 2 else [words("after")]
    table = _plain(words("cost"), *names)
    rows = [(simulation.period, [side.cost for side in sides])]
    if simulation.times_a_year > 1:
        rows.append(("year", [side.cost_a_year for side in sides]))
    for period, costs in rows:
        known = [None if cost is None else cost * simulation.times for cost in costs]
        cells = [words.rupiah(cost) for cost in known]
        if len(known) == 2:
            first, second = known
            cells.append(
                words.rupiah(None if first is None or second is None else second - first, signed=True)
            )
        table.add_row(words(period), *cells)
    if simulation.ceiling is not None:
        over = simulation.over_ceiling
        table.add_row(words("ceiling"), *[""] * (len(sides) - 1), words.rupiah(simulation.ceiling))
        if over is not None:
            style = "bold red" if over > 0 else "green"
            table.add_row(
                words("over" if over > 0 else "left"),
                *[""] * (len(sides) - 1),
                words.rupiah(abs(over)),
                style=style,
            )
    if simulation.after.rounded > 1:
        table.add_row(f"({words('rounded')} {words.rupiah(simulation.after.rounded)})", style="dim")
    return table


def _outcomes(simulation: Simulation, words: Words) -> Table:
    """From which outcome to which; moves that were put together stand below."""
    single: dict[tuple[str, str], int] = {}
    together: list[Line] = []
    for line in simulation.moves:
        pairs = {name.partition(":")[0] for name in line.names}
        if len(pairs) == 1:
            before, _, after = pairs.pop().partition(">")
            single[before, after] = single.get((before, after), 0) + line.units
        else:
            together.append(line)
    used = [o for o in _OUTCOMES if any(o in pair for pair in single)]
    table = _plain(words("from_to"), *map(words, used))
    for before in used:
        cells = [single.get((before, after), 0) * simulation.times for after in used]
        table.add_row(words(before), *(words.number(n) if n else "·" for n in cells))
    for line in together:
        said = "; ".join(words.move(name) for name in line.names)
        table.add_row(f"({said}: {words.number(line.units * simulation.times)})", style="dim")
    return table


def _breakdown(simulation: Simulation, by: str, words: Words) -> Table:
    """One breakdown; of regions the provinces, or the regencies of the only one. A dot: not told apart in this row."""
    rows = simulation.tables[by].rows
    if len({code[:2] for row in rows for code in row.values if code}) > 1:
        rows = tuple(row for row in rows if not any("." in code for code in row.values))
    columns = [line.names for line in rows[min(1, len(rows) - 1)].lines]
    shown = [names for names in columns if not set(names) <= {"unchanged"}]
    table = _plain(words(by), *map(words.kinds, shown), words(simulation.unit))
    for row in rows[:ROWS]:
        cells = []
        for names in shown:
            inside = [line for line in row.lines if set(line.names) <= set(names)]
            whole = {name for line in inside for name in line.names} == set(names)
            cells.append(words.number(sum(n.units for n in inside) * simulation.times) if whole else "·")
        total = sum(line.units for line in row.lines) * simulation.times
        table.add_row(words.values(by, row.values), *cells, words.number(total))
    if len(rows) > ROWS:
        table.add_row(words("more_rows", n=len(rows) - ROWS), style="dim")
    return table


def show_sweep(console: Console, sweep: Sweep, language: str) -> None:
    """The frontier: receivers, cost and errors for each value."""
    words = Words(language)
    first = next((point.simulation for point in sweep.points if point.simulation), None)
    if first is None or not first.kinds:
        console.print(words("nobody"))
        return
    kinds = ("gains", "loses") if first.before is not None else ()
    errors = ("exclusion", "inclusion") if first.poor is not None else ()
    console.print(f"[bold]{escape(first.title[language])}[/bold], {first.reference_date}: {sweep.parameter}")
    waits = any(p.simulation and p.simulation.after.outcomes["waiting"] != 0 for p in sweep.points)
    outcomes = ("eligible", "waiting") if waits else ("eligible",)
    rows: list[tuple[str, ...]] = []
    for point in sweep.points:
        s = point.simulation
        if s is None:
            rows.append((str(point.value), words("like", like=point.like)))
            continue
        numbers: list[int | None] = [s.after.outcomes[name] for name in outcomes]
        numbers += [_alone(s, kind) for kind in kinds]
        cost = s.after.cost_a_year
        row = [str(point.value), *(words.number(None if n is None else n * s.times) for n in numbers)]
        row.append(words.rupiah(None if cost is None else cost * s.times))
        found: Errors | None = s.errors_after
        row += [words.share(getattr(found, name) if found else None) for name in errors]
        if s.over_ceiling is not None and s.over_ceiling > 0:
            row[0] += " !"
        rows.append(tuple(row))
    heads = ["", *map(words, (*outcomes, *(("begin", "cease") if kinds else ()), "a_year", *errors))]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for index, name in enumerate(heads):
        widest = max((len(row[index]) for row in rows if len(row) == len(heads)), default=1)
        table.add_column(name, justify="right" if index else "left", min_width=widest)
    for each in rows:
        table.add_row(*each, style="red" if each[0].endswith("!") else "")
    console.print(table)
    if first.ceiling is not None:
        console.print(f"{words('ceiling')}: {words.rupiah(first.ceiling)} (!: {words('over')})")


def _alone(simulation: Simulation, kind: str) -> int | None:
    """The units of a kind: none, so many, or withheld because it is small and stands with others."""
    for line in simulation.kinds:
        if kind in line.names:
            return line.units if len(line.names) == 1 else None
    return 0


# ---- CSV -------------------------------------------------------------------------------------------------------

COLUMNS = ("parameter", "value", "table", "row", "what", "units", "rupiah_before", "rupiah_after")


def csv_text(simulations: Iterable[tuple[str, str, Simulation]]) -> str:
    """Every published line. `simulations`: with the parameter and value of a sweep, or two empty texts.

    Codes as in JSON, several that were put together with a + between; withheld money is empty.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for parameter, value, s in simulations:

        def row(
            table: str,
            name: str,
            line: tuple[str, int | None, int | None, int | None],
            head: tuple[str, str] = (parameter, value),
        ) -> None:
            what, *numbers = line
            writer.writerow((*head, table, name, what, *("" if n is None else n for n in numbers)))

        row("cost", s.period, ("", None, s.before.cost if s.before else None, s.after.cost))
        row("cost", "year", ("", None, s.before.cost_a_year if s.before else None, s.after.cost_a_year))
        for line in s.kinds:
            row("kinds", "", ("+".join(line.names), line.units, line.before, line.after))
        for line in s.moves:
            row("moves", "", ("+".join(line.names), line.units, line.before, line.after))
        for reason in s.reasons:
            sets = "+".join("&".join(one) for one in reason.sets)
            row("reasons", sets, (reason.kind, reason.units, reason.before, reason.after))
        for name, table in s.tables.items():
            for each in table.rows:
                for line in each.lines:
                    row(
                        name,
                        "+".join(each.values),
                        ("+".join(line.names), line.units, line.before, line.after),
                    )
        for side, errors in (("before", s.errors_before), ("after", s.errors_after)):
            for what in ("targets", "missed", "receivers", "leaked") if errors else ():
                row("errors", side, (what, getattr(errors, what), None, None))
    return out.getvalue()


__all__ = ["Words", "csv_text", "show", "show_sweep"]
