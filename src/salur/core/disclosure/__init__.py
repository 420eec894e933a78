"""Small-group protection: what may be published of a table of people, so that no figure tells on somebody.

A table counts people by region (nation, province, regency, district) and by outcome, with the money that goes to
them. `protect` gives the rows that may be published at every level, and the grouping to hand to the next cycle. The
rule, its proof and its limits are in `docs/disclosure.md`.
"""

from salur.core.disclosure.grouping import Grouping
from salur.core.disclosure.protect import SMALL, Cell, Figure, Row, Table, protect

__all__ = ["SMALL", "Cell", "Figure", "Grouping", "Row", "Table", "protect"]
