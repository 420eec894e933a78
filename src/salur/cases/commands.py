"""`salur cases`: what waits for whom and until when. No words that people wrote are shown here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from salur.cases import kinds, selectors, services
from salur.cases.clock import WIB
from salur.cases.models import Case
from salur.core.faults import InputError

app = typer.Typer(help="Work that waits, with an owner and a clock.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


class Order(StrEnum):
    DUE = "due"
    AGE = "age"
    PEOPLE = "people"


@app.command("list")
def list_(
    role: Annotated[
        list[str] | None, typer.Option(help="The queue of a role; may be repeated. All roles if not given.")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="Only in a province or regency such as 35.10; may be repeated.")
    ] = None,
    order: Annotated[Order, typer.Option(help="What comes first.")] = Order.DUE,
    after: Annotated[str, typer.Option(help="The next page: what the last one ended with.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Cases on a page.")] = selectors.PAGE_CASES,
    as_json: Json = False,
) -> None:
    """List cases that are open or taken."""
    roles = role or sorted({kind.owner for kind in kinds.kinds().values()})
    now = datetime.now(UTC)
    page = selectors.queue(roles=roles, regions=region or None, order=order.value, after=after, limit=limit)
    counts = selectors.counts(roles=roles, regions=region or None, now=now)
    if as_json:
        answer = {
            "active": counts.active,
            "overdue": counts.overdue,
            "due_soon": counts.due_soon,
            "people": counts.people,
            "cases": [_as_json(case) for case in page.cases],
            "next": page.next,
        }
        typer.echo(json.dumps(answer))
        return
    for case in page.cases:
        late = " overdue" if case.due_at < now else ""
        typer.echo(
            f"case:{case.id}  due {_day(case.due_at)}{late}  {case.kind}  {case.subject}  "
            f"{case.region or 'nation'}  {case.owner_role}  {case.state}"
        )
    typer.echo(
        f"{counts.active:,} cases, {counts.overdue:,} overdue, {counts.due_soon:,} due within three days; "
        f"{counts.people:,} people wait."
    )
    if page.next:
        typer.echo(f"More: --after {page.next}")


@app.command()
def show(
    case_id: Annotated[int, typer.Argument(metavar="ID", help="The number of case:ID.")],
    as_json: Json = False,
) -> None:
    """Show a case: its clock, its evidence, what happened to it."""
    case = selectors.case(case_id)
    if case is None:
        raise InputError.of("There is no case {case}.", case=case_id)
    entries = selectors.history(case_id)
    if as_json:
        history = [{"at": e.at.isoformat(), "actor": e.actor, "what": e.what} for e in entries]
        typer.echo(json.dumps(_as_json(case) | {"history": history}))
        return
    kind = kinds.kind(case.kind)
    typer.echo(f"case:{case.id} {kind.title['en']}: {case.subject} in {case.region or 'the nation'}")
    typer.echo(f"  {case.state}{f' ({case.outcome})' if case.outcome else ''}, queue of {case.owner_role}")
    unverified = "" if kind.basis.checked_on else " (unverified)"
    typer.echo(f"  due {_day(case.due_at)}: {kind.basis.title['en']}{unverified}")
    for item in json.loads(case.evidence):
        typer.echo(f"  evidence {item}")
    for entry in entries:
        typer.echo(f"  {entry.at.astimezone(WIB):%Y-%m-%d %H:%M} WIB  {entry.what}  {entry.actor}")


@app.command()
def escalate(as_json: Json = False) -> None:
    """Show every case whose time has passed to the role above as well."""
    count = services.escalate_due(now=datetime.now(UTC))
    typer.echo(json.dumps({"escalated": count}) if as_json else f"{count:,} cases escalated.")


def _day(at: datetime) -> str:
    return f"{at.astimezone(WIB):%Y-%m-%d}"


def _as_json(case: Case) -> dict[str, object]:
    return {
        "id": case.id,
        "kind": case.kind,
        "subject": case.subject,
        "region": case.region,
        "programme": case.programme,
        "people": case.people,
        "owner_role": case.owner_role,
        "officer_id": case.officer_id,
        "state": case.state,
        "outcome": case.outcome,
        "opened_at": case.opened_at.isoformat(),
        "due_at": case.due_at.isoformat(),
        "escalated": case.escalated_at is not None,
        "evidence": json.loads(case.evidence),
    }
