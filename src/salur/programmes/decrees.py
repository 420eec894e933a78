"""The decree of a cycle: the list as a file, and as a PDF/A-3 that carries this file and the digest that is signed.

The list holds the decision line of every eligible unit that is not stopped, in the order of the units: ids, money and
digests, no names. The statement is canonical JSON; SHA-256 of it is what a passkey signs. A decree holds all regions
of its cycle or is none: row-level security is opened around its rows, after the policy was asked for each region.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from django.db.models import Count, Sum
from fpdf import FPDF
from fpdf.enums import DocumentCompliance, XPos, YPos

from salur.access.rows import everywhere
from salur.core.rules.lines import text as line_text
from salur.programmes import books, selectors
from salur.programmes.models import Cycle

ROWS_MOST = 20_000  # read from the database at a time
FORMAT = "salur-decree/v1"


@dataclass(frozen=True)
class Totals:
    """What a cycle would deliver: units, rupiah, rupiah by regency."""

    units: int
    amount: int
    by_region: dict[str, int]


@dataclass(frozen=True)
class Made:
    """The files of a prepared decree."""

    units: int
    amount: int
    statement: str
    digest: bytes
    list: Path
    pdf: Path


def totals(cycle: Cycle) -> Totals:
    """Eligible units that are not stopped, and their money."""
    counted = selectors.due(cycle).values("region").annotate(units=Count("id"), money=Sum("amount"))
    with everywhere():
        rows = list(counted.order_by("region"))
    return Totals(
        sum(row["units"] for row in rows),
        sum(row["money"] for row in rows),
        {row["region"]: row["money"] for row in rows},
    )


def lines(cycle: Cycle) -> Iterator[str]:
    """The decision line of each unit that is due, by unit id."""
    plan = books.plan(cycle.version_id, cycle.reference_date)
    head = (cycle.programme, plan.rulebook.sha256, plan.on.isoformat())
    rows = (
        selectors.due(cycle)
        .order_by("unit_id")
        .values_list(
            "unit_id",
            "outcome",
            "failed",
            "unknown",
            "amount",
            "amount_most",
            "counts",
            "rank",
            "case__sha256",
        )
    )
    for *fixed, counts, rank, case in rows.iterator(chunk_size=ROWS_MOST):
        yield line_text(head, tuple(fixed), counts, rank, bytes(case).hex())


def digest(cycle: Cycle) -> str:
    """SHA-256 over the lines of what is due now."""
    sha256 = hashlib.sha256()
    with everywhere():
        for line in lines(cycle):
            sha256.update(line.encode() + b"\n")
    return sha256.hexdigest()


def write(*, cycle: Cycle, number: str, now: datetime, folder: Path) -> Made:
    """Write the list and the PDF into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"cycle-{cycle.id}.{os.getpid()}.part"
    sha256, count = hashlib.sha256(), 0
    with part.open("wb") as stream, everywhere():
        for line in lines(cycle):
            raw = line.encode() + b"\n"
            sha256.update(raw)
            stream.write(raw)
            count += 1
    sums = totals(cycle)
    assert sums.units == count  # noqa: S101 - one transaction reads both
    statement = json.dumps(
        {
            "format": FORMAT, "number": number, "cycle": cycle.id, "programme": cycle.programme,
            "period": cycle.period, "supplement": cycle.number, "population": cycle.population.sha256,
            "rulebook": cycle.version.sha256, "reference_date": cycle.reference_date.isoformat(),
            "units": sums.units, "amount": sums.amount, "list": sha256.hexdigest(),
        },
        sort_keys=True, separators=(",", ":"), ensure_ascii=False,
    )  # fmt: skip
    digest = hashlib.sha256(statement.encode()).digest()
    name = (
        folder / f"cycle-{cycle.id}-{digest.hex()[:16]}"
    )  # what was prepared before stays whole if this is refused
    made = Made(
        sums.units,
        sums.amount,
        statement,
        digest,
        part.replace(name.with_suffix(".lines")),
        name.with_suffix(".pdf"),
    )
    made.pdf.write_bytes(_pdf(cycle, number, now, made, sums))
    return made


def replaced(cycle: Cycle, kept: set[Path]) -> list[Path]:
    """The files that `write` made for a cycle beside those that are kept."""
    ours = re.compile(rf"cycle-{cycle.id}(-[0-9a-f]{{16}}\.(lines|pdf)|\.[0-9]+\.part)")
    folders = {file.parent for file in kept if file.parent.is_dir()}
    found = (file for folder in folders for file in folder.iterdir() if ours.fullmatch(file.name))
    return sorted(file for file in found if file not in kept)


def _pdf(cycle: Cycle, number: str, now: datetime, made: Made, sums: Totals) -> bytes:
    """The decree for people and archives: PDF/A-3U, the list inside as an attachment."""
    rulebook = books.rulebook(cycle.version_id)
    pdf = FPDF(enforce_compliance=DocumentCompliance.PDFA_3U)
    pdf.set_creation_date(now)
    pdf.set_lang("id")
    pdf.set_title(f"Keputusan {number}")
    fonts = files("font_source_sans_pro") / "files"
    for style, name in (("", "SourceSansPro-Regular"), ("B", "SourceSansPro-Semibold")):
        pdf.add_font("Source", style, str(fonts / f"{name}.ttf"))
    pdf.set_margin(20)
    pdf.add_page()

    def say(text: str, size: int = 11, style: str = "", after: float = 2) -> None:
        pdf.set_font("Source", style, size)
        pdf.multi_cell(0, size * 0.5, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        pdf.ln(after)

    say(f"Keputusan nomor {number}", 20, "B", 1)
    say(
        f"{rulebook.title.id}, periode {cycle.period}"
        + (f", tambahan {cycle.number}" if cycle.number else ""),
        13,
        "",
        6,
    )
    say("Dengan keputusan ini ditetapkan penerima yang tercantum dalam daftar terlampir. Daftar itu ada di dalam "
        "berkas ini sebagai lampiran; ia memuat nomor unit, jumlah, dan sidik jari, tanpa nama.", after=4)  # fmt: skip
    for label, value in (
        ("Jumlah unit", _grouped(made.units)),
        ("Jumlah uang", f"Rp{_grouped(made.amount)}"),
        ("Tanggal acuan", cycle.reference_date.isoformat()),
        ("Aturan (SHA-256)", cycle.version.sha256),
        ("Populasi (SHA-256)", cycle.population.sha256),
        ("Daftar (SHA-256)", json.loads(made.statement)["list"]),
        ("Yang ditandatangani (SHA-256)", made.digest.hex()),
    ):
        say(label, 10, "B", 0)
        say(value, 10, "", 2)
    pdf.ln(4)
    say("Menurut kabupaten dan kota", 13, "B", 1)
    pdf.set_font("Source", "", 10)
    with pdf.table(col_widths=(30, 70), text_align=("LEFT", "RIGHT"), line_height=6) as table:
        table.row(("Kode", "Rupiah"))
        for region, money in sums.by_region.items():
            table.row((region, _grouped(money)))
    say("", after=2)
    say("Pernyataan yang ditandatangani", 13, "B", 1)
    say(made.statement, 8)
    pdf.embed_file(
        made.list, mime_type="text/plain", modification_date=now, desc="Daftar keputusan",
        associated_file_relationship="Data", compress=True,
    )  # fmt: skip
    return bytes(pdf.output())


def _grouped(number: int) -> str:
    """
    >>> _grouped(1234567)
    '1.234.567'
    """
    return f"{number:,}".replace(",", ".")
