"""Our components give the HTML that GOV.UK Frontend gives: theirs is tested with screen readers, ours must not drift.

The oracle are the fixtures that come with govuk-frontend: options and the HTML for them. Left out in the comparison are
hooks for their JavaScript, which we do not use, and what we do not offer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.template import engines
from django.utils.translation import override
from markupsafe import Markup

Options = dict[str, Any]


def macro(called: str, /, *args: object, inner: str | None = None, **kwargs: object) -> str:
    """The HTML of a component, in English."""
    environment = engines["jinja"].env
    call = f"m.{called}(*args, **kwargs)"
    body = f"{{% call {call} %}}{inner}{{% endcall %}}" if inner is not None else f"{{{{ {call} }}}}"
    template = environment.from_string('{% import "components.html" as m %}' + body)
    with override("en"):
        return str(template.render(args=args, kwargs=kwargs))


class Shape(HTMLParser):
    """Tags with their attributes in order of name, and texts, without blanks that mean nothing."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[object] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = {
            name: " ".join(sorted((value or "").split())) if name == "class" else value
            for name, value in attrs
            if not name.startswith("data-")
        }
        self.parts.append((tag, sorted(kept.items())))

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if text := " ".join(data.split()):
            if self.parts and isinstance(self.parts[-1], list):
                self.parts[-1][0] += f" {text}"
            else:
                self.parts.append([text])


def shape(html: str) -> list[object]:
    return Shape(html).parts


def text(part: Any) -> str:
    """What an option says: HTML where the fixture gives HTML."""
    part = part or {}
    return Markup(part["html"]) if "html" in part else part.get("text", "")  # noqa: S704


def label_of(o: Options) -> str:
    return text(o.get("label"))


def choice(o: Options) -> Options:
    legend = (o.get("fieldset") or {}).get("legend") or {}
    return {
        "legend": text(legend),
        "hint": text(o.get("hint")),
        "error": text(o.get("errorMessage")),
        "id": o.get("idPrefix", ""),
        "items": [(i["value"], text(i), text(i.get("hint"))) for i in o["items"]],
        "heading": bool(legend.get("isPageHeading")),
        "inline": "inline" in o.get("classes", ""),
        "small": "small" in o.get("classes", ""),
    }


def radios(o: Options) -> str:
    checked = [i["value"] for i in o["items"] if i.get("checked")]
    return macro("radios", o["name"], value=(checked or [o.get("value", "")])[0], **choice(o))


def checkboxes(o: Options) -> str:
    chosen = choice(o)
    chosen.pop("inline")
    checked = [i["value"] for i in o["items"] if i.get("checked")]
    return macro("checkboxes", o["name"], values=checked or o.get("values", []), **chosen)


def field(name: str) -> Callable[[Options], str]:
    def made(o: Options) -> str:
        given: Options = {
            "hint": text(o.get("hint")),
            "error": text(o.get("errorMessage")),
            "id": o.get("id", ""),
        }
        given["heading"] = bool(o["label"].get("isPageHeading"))
        if name == "input":
            width = re.search(r"width-(\d+)", o.get("classes", ""))
            given |= {"width": int(width[1]) if width else 0, "type": o.get("type", "text")}
            given |= {key: o[key] for key in ("autocomplete", "inputmode", "spellcheck") if key in o}
            given |= {key: text(o.get(key)) for key in ("prefix", "suffix")}
        if name == "textarea" and "rows" in o:
            given["rows"] = o["rows"]
        if name == "select":
            chosen = [i["value"] for i in o.get("items", []) if i.get("selected")]
            given |= {"items": [(i["value"], i["text"]) for i in o.get("items", [])]}
            given["value"] = (chosen or [o.get("value", "no such")])[0]
        elif "value" in o:
            given["value"] = o["value"]
        return macro(name, o["name"], label_of(o), **given)

    return made


COMPONENTS: dict[str, tuple[Callable[[Options], str], tuple[str, ...]]] = {
    "input": (
        field("input"),
        ("default", "with hint text", "with error message", "with error and hint", "with width-2 class",
         "with width-20 class", "with label as page heading", "value", "zero value", "inputmode", "id", "custom type",
         "with autocomplete attribute", "with spellcheck disabled", "with prefix", "with suffix",
         "with prefix and suffix", "with prefix and suffix and error"),
    ),
    "textarea": (
        field("textarea"),
        ("default", "with hint", "with error message", "with default value", "with custom rows",
         "with label as page heading", "with hint and error message", "id"),
    ),
    "select": (field("select"), ("with hint text and error message", "hint")),
    "radios": (
        radios,
        ("inline", "with legend as page heading", "with fieldset and error message", "with very long option text",
         "small inline"),
    ),
    "checkboxes": (
        checkboxes,
        ("with hint", "with legend as a page heading", "small", "small with error", "small with hint"),
    ),
    "tag": (
        lambda o: macro("tag", o["text"], colour=o.get("classes", "").removeprefix("govuk-tag--")),
        ("default", "grey", "green", "red", "yellow", "html as text"),
    ),
    "warning-text": (lambda o: macro("warning", o["text"]), ("default", "html as text")),
    "inset-text": (lambda o: macro("inset", inner=o["text"]), ("default",)),
    "details": (
        lambda o: macro("details", o["summaryText"], open=o.get("open", False), inner=o["text"]),
        ("default", "html as text"),
    ),
    "back-link": (lambda o: macro("back_link", o.get("href", "#"), o.get("text", "")), ("default", "html as text")),
    "button": (
        lambda o: macro(
            "button", o["text"], href=o.get("href", ""), name=o.get("name", ""), value=o.get("value", ""),
            disabled=o.get("disabled", False), type=o.get("type", "submit"),
            kind="start" if o.get("isStartButton") else o.get("classes", "").removeprefix("govuk-button--")
        ),
        ("default", "disabled", "link", "start link", "secondary", "warning", "name", "value", "type"),
    ),
    "breadcrumbs": (
        lambda o: macro("breadcrumbs", [(i["text"], i.get("href", "")) for i in o["items"]]),
        ("default", "with one level", "with last breadcrumb as current page", "html as text"),
    ),
    "error-summary": (
        lambda o: macro("error_summary", [(i.get("href", "")[1:], i["text"]) for i in o["errorList"]], o["titleText"]),
        ("default", "without links", "mixed with and without links", "error list with html as text"),
    ),
    "summary-list": (
        lambda o: macro("summary_list", [*map(summary_row, o["rows"])]),
        ("default", "with actions", "with some actions", "key with html"),
    ),
    "task-list": (
        lambda o: macro("task_list", [*map(task, o["items"])]),
        ("default", "with hint text and additional states"),
    ),
    "notification-banner": (
        lambda o: macro(
            "banner", o["text"], kind=o.get("type", ""), title=o.get("titleText", ""), id="govuk-notification-banner"
        ),
        ("default", "custom title", "html as text"),
    ),
    "panel": (lambda o: macro("panel", o["titleHtml"], inner=o["html"]), ("default",)),
    "date-input": (
        lambda o: macro(
            "date_input", o.get("namePrefix", "date"), text(o["fieldset"]["legend"]), id=o["id"],
            hint=text(o.get("hint")),
            **{key.rpartition("-")[2]: value for key, value in o["values"].items()},
        ),
        ("with values and name prefix",),
    ),
}  # fmt: skip


def summary_row(row: Options) -> tuple[Any, ...]:
    items = (row.get("actions") or {}).get("items", [])
    actions = [(each["text"], each["href"], each.get("visuallyHiddenText", "")) for each in items]
    found = (text(row["key"]), text(row["value"]))
    return (*found, actions) if actions else found


def task(item: Options) -> Options:
    tag = item["status"].get("tag")
    made = {
        "title": text(item["title"]),
        "hint": text(item.get("hint")),
        "status": text(tag or item["status"]),
    }
    if tag:
        made["colour"] = tag.get("classes", "").removeprefix("govuk-tag--")
    return made | {key: item[key] for key in ("href",) if key in item}


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_it_gives_the_html_of_govuk_frontend(tools: Path, component: str) -> None:
    folder = tools / "node_modules" / "govuk-frontend" / "dist" / "govuk" / "components" / component
    fixtures = {
        each["name"]: each for each in json.loads((folder / "fixtures.json").read_text("utf-8"))["fixtures"]
    }
    make, names = COMPONENTS[component]
    for name in names:
        theirs = fixtures[name]["html"].replace('Breadcrumb"', 'You are here"')
        assert shape(make(fixtures[name]["options"])) == shape(theirs), name
