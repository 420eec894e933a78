"""Region codes of the Ministry of Home Affairs (Kemendagri): four levels told apart by the length.

`35` province · `35.10` regency or city · `35.10.01` district · `35.10.01.2001` village. A code begins with
the code of its parent.
"""

from __future__ import annotations

import re
from enum import IntEnum

CODE_LENGTH_MOST = 13
_CODE = re.compile(r"[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{4})?)?)?")


class Level(IntEnum):
    PROVINCE = 1
    REGENCY = 2
    DISTRICT = 3
    VILLAGE = 4

    @property
    def code_length(self) -> int:
        """
        >>> [level.code_length for level in Level]
        [2, 5, 8, 13]
        """
        return (2, 5, 8, 13)[self - 1]

    @property
    def title(self) -> str:
        """
        >>> Level.REGENCY.title
        'regency or city'
        """
        return ("province", "regency or city", "district", "village")[self - 1]


def is_code(text: str) -> bool:
    """
    >>> is_code("35.10.01"), is_code("35.1"), is_code("35.10.01.2001 ")
    (True, False, False)
    """
    return _CODE.fullmatch(text) is not None


def level_of(code: str) -> Level:
    """
    >>> level_of("35.10").title
    'regency or city'
    """
    return Level(code.count(".") + 1)


def parent_of(code: str) -> str:
    """The code of the parent; empty for a province.

    >>> parent_of("35.10.01.2001"), parent_of("35")
    ('35.10.01', '')
    """
    return code.rpartition(".")[0]
