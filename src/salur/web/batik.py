"""The border of masthead and footer: kawung, one of the oldest batik patterns, four petals around a seed, as SVG."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup

HEIGHT, STEP = 18, 28  # pixels of the border; units of one repeat of the pattern
_PETALS = ((7, 7, -45), (21, 7, 45), (7, 21, 45), (21, 21, -45))
_SEEDS = ((14, 14), (0, 0), (STEP, 0), (0, STEP), (STEP, STEP))
_BORDER = Markup(
    '<svg class="batik" aria-hidden="true" focusable="false" width="100%" height="{height}"><defs><pattern id="{id}" '
    'width="{step}" height="{step}" patternUnits="userSpaceOnUse" patternTransform="scale({scale:.2f})">'
    '<g class="petal">{petals}</g>{seeds}</pattern></defs>'
    '<rect width="100%" height="{height}" fill="url(#{id})"/></svg>'
)
_PETAL = Markup('<ellipse cx="{0}" cy="{1}" rx="3.6" ry="8.4" transform="rotate({2} {0} {1})"/>')
_SEED = Markup('<circle class="seed" cx="{}" cy="{}" r="1.5"/>')


@cache
def kawung(id_: str) -> Markup:
    """The border; each on a page needs an id of its own."""
    return _BORDER.format(
        id=id_,
        height=HEIGHT,
        step=STEP,
        scale=HEIGHT / STEP,
        petals=Markup().join(_PETAL.format(*petal) for petal in _PETALS),
        seeds=Markup().join(_SEED.format(*seed) for seed in _SEEDS),
    )
