"""One screen of results for the terminal: Indonesian first, English beside it where it is short."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from salur.commands.demo.figures import Programme
from salur.commands.demo.office import Letter
from salur.web.pages import Writer

_WORDS = Writer("id", {})
_OUTCOMES = (
    ("eligible", "Berhak", "entitled", "bold green"),
    ("needs_data", "Perlu data", "needs data", "yellow"),
    ("waiting", "Menunggu", "waiting", "cyan"),
    ("not_eligible", "Belum berhak", "refused", ""),
    ("not_found", "Tak tercatat", "not found", ""),
)
_UNITS = {"family": "keluarga", "person": "orang"}
_PERIODS = {
    "month": "sebulan",
    "quarter": "per triwulan",
    "semester": "per semester",
    "year": "setahun",
    "once": "sekali",
}
REASONS = 2


def show(console: Console, programmes: Sequence[Programme], place: str) -> None:
    """Units by outcome, then what is delivered and what stood in the way of most."""
    title = f"{place}: lima program · five programmes"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("Program")
    for _, indonesian, english, _ in _OUTCOMES:
        table.add_column(f"{indonesian}\n[dim]{english}[/]", justify="right")
    table.add_column("Jumlah\n[dim]total[/]", justify="right")
    for programme in programmes:
        cells = [Text(_WORDS.number(programme.outcomes[name]), style) for name, _, _, style in _OUTCOMES]
        table.add_row(_name(programme), *cells, _WORDS.number(programme.units))
    console.print(table)
    for programme in programmes:
        unit = _UNITS[programme.book.unit]
        console.print(Text.assemble((_name(programme), "bold"), f", per {unit}: {_delivered(programme)}."))
        if reasons := _reasons(programme):
            console.print(Text(f"  Belum berhak karena · refused by: {reasons}", "dim"))


def _name(programme: Programme) -> str:
    title = programme.book.title["id"]
    return title.partition("(")[2].rstrip(")") if title.endswith(")") else title


def _delivered(programme: Programme) -> str:
    period = _PERIODS[programme.book.period]
    if programme.pays:
        money = _WORDS.words.money(programme.money)
        most = _WORDS.words.money(programme.money_most)
        return f"{money} {period}" + (f" (paling banyak · at most {most})" if most != money else "")
    given = ", ".join(
        f"{_WORDS.number(count)} {item.component.title['id'].lower()}" for item, count in programme.delivered
    )
    return f"{given} {period}"


def _reasons(programme: Programme) -> str:
    failed = [obstacle for obstacle in programme.obstacles if obstacle.failed][:REASONS]
    return "; ".join(f"“{o.says['id'].rstrip('.')}” {_WORDS.number(o.failed)}" for o in failed)


def show_office(answer: Console, port: int, letters: Sequence[Letter]) -> None:
    """Where the pages are, and how to come in."""
    at = f"http://localhost:{port}"
    lines = [
        f"\nKantor dibuka · the office is open: {at} · {at}/en/. Ctrl-C menutupnya · closes it.",
        f"  Petugas · officers (rekaan · invented): {at}/demo/",
        f"  Mengapa keputusan ini, untuk keluarga · why this decision, for families: {at}/mengapa/ · {at}/en/mengapa/",
    ]
    lines += [f"    {letter.code}  lahir · born {letter.birth_date}  {_read(letter)}" for letter in letters]
    for line in lines:
        answer.print(line, markup=False)


def _read(letter: Letter) -> str:
    """What the family will read."""
    indonesian, english = next((i, e) for name, i, e, _ in _OUTCOMES if name == letter.outcome)
    if letter.amount:
        indonesian = f"{indonesian} {_WORDS.words.money(letter.amount)}"
    if letter.versions > 1:
        return f"{indonesian}, setelah data diperbaiki · {english}, after a correction ({letter.versions})"
    return f"{indonesian} · {english}"
