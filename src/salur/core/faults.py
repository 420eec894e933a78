"""What is wrong with an input, said in a sentence: which file, which line, what was expected, what to do.

A fault keeps its English template apart from its values, so that a face can say it in another language
(`translate` is any function from an English template to its translation, for example `gettext`).

>>> fault = Fault.of("The fact {name} is not declared; declare it in {file}.", name="decile", file="facts.toml")
>>> print(fault)
The fact decile is not declared; declare it in facts.toml.
>>> print(Fault.of("Expected {n} columns.", n=3).at("people.csv", line=7))
people.csv:7: Expected 3 columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. `line` counts from 1; 0 means that the fault concerns the whole file."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    file: str = ""
    line: int = 0

    @classmethod
    def of(cls, template: str, **values: object) -> Fault:
        return cls(template, values)

    def at(self, file: str | Path, line: int = 0) -> Fault:
        return replace(self, file=str(file), line=line)

    def sentence(self, translate: Callable[[str], str] = str) -> str:
        """The sentence without its place. A value that is itself a fault is a phrase: it is translated too."""
        values = {
            name: value.sentence(translate) if isinstance(value, Fault) else _shown(value)
            for name, value in self.values.items()
        }
        return translate(self.template).format(**values)

    def text(self, translate: Callable[[str], str] = str) -> str:
        """The sentence with its place before it."""
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return str(_shown(place)) + self.sentence(translate)

    def __str__(self) -> str:
        return self.text()


def _shown(value: object) -> object:
    """The value as a screen can take it: what an input brings along must not steer a terminal, nor break it.

    >>> print(_shown("a\\x1b[2J\\ud800"))
    a\\x1b[2J\\ud800
    """
    if isinstance(value, int | float):
        return value
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class InputError(Exception):
    """An input that cannot be used. Carries every fault found, in the order of the file.

    >>> str(InputError.of("Nothing in {file}.", file="a.toml"))
    'Nothing in a.toml.'
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def of(cls, template: str, **values: object) -> Self:
        return cls([Fault.of(template, **values)])

    @classmethod
    def at(cls, file: str | Path, template: str, /, line: int = 0, **values: object) -> Self:
        return cls([Fault.of(template, **values).at(file, line)])
