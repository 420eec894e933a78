"""Our frame around pages that packages bring in Django's own templates: `{% frame %} … {% endframe %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.base import NodeList, Parser, Token
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


class Frame(template.Node):
    """Puts the parts between its tags into layout.html: title, head, content, scripts, in this order."""

    PARTS = ("title", "head", "content", "scripts")
    child_nodelists = PARTS

    def __init__(self, parts: dict[str, NodeList]) -> None:
        for name, nodes in parts.items():
            setattr(self, name, nodes)

    def render(self, context: Any) -> SafeString:
        request = context.get("request")
        values = {name: mark_safe(getattr(self, name).render(context).strip()) for name in self.PARTS}  # noqa: S308
        given = {"request": request, **values}
        return SafeString(render_to_string("wrapped.html", given, request=request, using="jinja"))


@register.tag
def frame(parser: Parser, token: Token) -> Frame:
    """`{% frame %}title{% head %}…{% content %}…{% scripts %}…{% endframe %}`"""
    parts = {}
    for name, following in zip(Frame.PARTS, (*Frame.PARTS[1:], "endframe"), strict=True):
        parts[name] = parser.parse((following,))
        parser.delete_first_token()
    return Frame(parts)
