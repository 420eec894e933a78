"""The sentences of errors and pages in Indonesian: which language a command speaks, and how templates are found.

The code and the pages hold English templates. Their translations are in `salur/locale/id/LC_MESSAGES/salur.po`,
GNU gettext's format, which is read only where Indonesian is wanted (`salur.web.words`). After a change of sentences run

    python -m salur.commands.words

It adds the new templates without a translation, drops those that are gone and keeps all others;
`tests/test_words.py` fails until the catalogue is complete. Not for the sentences of decisions: those are in rulebooks
and in `salur/core/rules/sentences.toml`, in both languages.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from salur.web import words
from salur.web.words import CATALOGUE, Language, translations

PACKAGE = Path(__file__).resolve().parents[1]
PAGE_WORDS = ("gettext", "html", "later")
_INDONESIAN = re.compile(r"id(?![a-z])", re.IGNORECASE)  # id, id_ID.UTF-8; not ido
_HEADER = """\
# The sentences of Salur's errors and pages in Indonesian.
# Brought up to date by `python -m salur.commands.words`; translations are written by hand.
msgid ""
msgstr ""
"Project-Id-Version: salur\\n"
"Language: id\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


def language(environment: Mapping[str, str]) -> Language:
    """SALUR_LANG if it is set, otherwise the language of the system's messages; English if it is neither.

    >>> language({"SALUR_LANG": "id", "LANG": "en_GB.UTF-8"}), language({"LANG": "id_ID.UTF-8"}), language({})
    ('id', 'id', 'en')
    """
    for name in ("SALUR_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):  # the system's order: the first that is set
        if wanted := environment.get(name):
            return "id" if _INDONESIAN.match(wanted) else "en"
    return "en"


def translator(wanted: Language | None = None) -> Callable[[str], str]:
    """From an English template to the one to show; without a language, the one that the environment asks for."""
    return words.translator(wanted or language(os.environ))


def update(file: Path = CATALOGUE, package: Path = PACKAGE) -> list[str]:
    """Write the catalogue anew for the templates of the code; returns those that still need a translation."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    known = translations(file) if file.exists() else {}
    catalogue = Catalog(locale="id")
    found = templates(package)
    for template in sorted(found):
        places = [(place, 0) for place in sorted(found[template])]
        message = catalogue.add(template, known.get(template, ""), places)
        message.flags = {"python-brace-format"} if "{" in template else set()
    with file.open("wb") as stream:
        stream.write(_HEADER.encode())
        write_po(stream, catalogue, width=110, omit_header=True, sort_by_file=True, include_lineno=False)
    return sorted(found.keys() - {template for template, said in known.items() if said})


# ---- the templates of the code ---------------------------------------------------------------------------
#
# In a file that imports Fault or InputError, whatever has a parameter or field called `template` takes one: a
# reader's own `fault` or `refuse`, as Fault.of and InputError.at do. What stands there in a call must be a plain text,
# one of two, a constant of the module, or a `template` handed on. Anything else, such as an f-string, could not be
# translated and is refused.


def templates(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Every English template under a package, of faults and of pages, and the files that use it.

    Raises ValueError with file and line for a template that cannot be read from the code.
    """
    sources = [_Source.of(path, package) for path in sorted(package.rglob("*.py"))]
    shared: dict[str, int] = {}
    elsewhere: dict[str, int] = {}
    for source in sources:
        shared |= source.classes
        elsewhere |= source.functions
    found: dict[str, set[str]] = {}
    for source in sources:
        for template in source.templates(shared, elsewhere):
            found.setdefault(template, set()).add(source.name)
    for name, template in chain(_in_code(sources), _in_pages(package)):
        found.setdefault(template, set()).add(name)
    return found


# ---- the sentences of pages --------------------------------------------------------------------------------


def _in_code(sources: Iterable[_Source]) -> Iterator[tuple[str, str]]:
    """What is given to `gettext`, `html` and `later` of salur.web.words, whatever they are called in a file."""
    for source in sources:
        called = {
            alias.asname or alias.name
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ImportFrom) and node.module == "salur.web.words"
            for alias in node.names
            if alias.name in PAGE_WORDS
        }
        for node in ast.walk(source.tree):
            match node:
                case ast.Call(ast.Name(name), [first, *_]) if name in called:
                    yield from ((source.name, template) for template in source.read(first))


def _in_pages(package: Path) -> Iterator[tuple[str, str]]:
    """What is given to `_` and `html` in the templates of the faces."""
    import jinja2
    from jinja2 import nodes

    environment = jinja2.Environment(autoescape=True)
    for path in sorted(p for room in words.WITH_PAGES for p in package.glob(f"{room}/templates/**/*.html")):
        name = f"src/{path.relative_to(package.parent).as_posix()}"
        for call in environment.parse(path.read_text("utf-8")).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in ("_", "html"):
                if not (call.args and isinstance(call.args[0], nodes.Const)):
                    raise ValueError(
                        f"{name}:{call.lineno}: a sentence must be a plain text, so that it can be translated."
                    )
                yield name, str(call.args[0].value)


# ---- where a fault takes its template ------------------------------------------------------------------------


@dataclass
class _Source:
    """One file: which classes and functions take a template, and as which argument."""

    name: str
    tree: ast.Module
    speaks_of_faults: bool
    classes: dict[str, int] = field(default_factory=dict)  # Refused, Fault.of; known wherever imported
    functions: dict[str, int] = field(default_factory=dict)  # fault, refuse; known by their bare name
    aliases: dict[str, str] = field(default_factory=dict)  # what a class is called here
    texts: dict[str, str] = field(default_factory=dict)  # constants of the module

    @classmethod
    def of(cls, path: Path, package: Path) -> _Source:
        text = path.read_text("utf-8")
        name = f"src/{path.relative_to(package.parent).as_posix()}"
        source = cls(name, ast.parse(text), path.stem == "faults" or "core.faults import" in text)
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                source._read_class(node)
            elif isinstance(node, ast.FunctionDef) and not _makes_its_class(node):
                source._take(source.functions, node.name, node)
            elif isinstance(node, ast.ImportFrom):
                source.aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
        for statement in source.tree.body:
            match statement:
                case ast.Assign([ast.Name(name)], ast.Constant(str(text))):
                    source.texts[name] = text
        return source

    def _read_class(self, node: ast.ClassDef) -> None:
        self._take(self.classes, node.name, node)
        if any(isinstance(base, ast.Name) and base.id == "InputError" for base in node.bases):
            self.classes |= {f"{node.name}.of": 0, f"{node.name}.at": 1}
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and _makes_its_class(part):
                name = node.name if part.name == "__init__" else f"{node.name}.{part.name}"
                self._take(self.classes, name, part)

    def _take(self, takers: dict[str, int], name: str, node: ast.ClassDef | ast.FunctionDef) -> None:
        if self.speaks_of_faults and "template" in (parameters := _parameters(node)):
            takers[name] = parameters.index("template")

    def templates(self, classes: Mapping[str, int], elsewhere: Mapping[str, int]) -> Iterator[str]:
        for node in ast.walk(self.tree):
            match node:
                case ast.Call(ast.Attribute(ast.Name(owner), name)) if (
                    full := f"{self.aliases.get(owner, owner)}.{name}"
                ) in classes:
                    yield from self._argument(node, classes[full])
                case ast.Call(ast.Name(name)) if self.aliases.get(name, name) in classes:
                    yield from self._argument(node, classes[self.aliases.get(name, name)])
                case ast.Call(ast.Name(name) | ast.Attribute(_, name)) if name in self.functions:
                    yield from self._argument(node, self.functions[name])
                case ast.Call(ast.Name(name) | ast.Attribute(_, name), arguments) if name in elsewhere:
                    # Perhaps another thing of that name: only a sentence counts.
                    for argument in arguments[elsewhere[name] :][:1]:
                        if isinstance(argument, ast.Constant) and " " in str(argument.value):
                            yield from self.read(argument)
                case ast.Assign([ast.Name("template")], value) if self.speaks_of_faults:
                    if not isinstance(value, ast.Call):  # a call makes the template of a page
                        yield from self.read(value)
                case ast.For(ast.Tuple(targets), ast.Tuple(rows) | ast.List(rows)) if self.speaks_of_faults:
                    for position, target in enumerate(targets):
                        if isinstance(target, ast.Name) and target.id == "template":
                            for row in rows:
                                assert isinstance(row, ast.Tuple)  # noqa: S101
                                yield from self.read(row.elts[position])

    def _argument(self, call: ast.Call, position: int) -> Iterator[str]:
        named = [keyword.value for keyword in call.keywords if keyword.arg == "template"]
        for argument in [*call.args[position:], *named][:1]:
            yield from self.read(argument)

    def read(self, node: ast.expr) -> Iterator[str]:
        match node:
            case ast.Constant(str(text)):
                yield text
            case ast.IfExp(_, first, second):
                yield from self.read(first)
                yield from self.read(second)
            case ast.Name(name) if name in self.texts:
                yield self.texts[name]
            case ast.Name("template") | ast.Attribute(_, "template"):
                return
            case _:
                raise ValueError(
                    f"{self.name}:{node.lineno}: a template must be a plain text, so that it can be translated; "
                    f"found {ast.unparse(node)}."
                )


def _makes_its_class(function: ast.FunctionDef) -> bool:
    """Whether it is called by the name of its class: `Refused(…)`, `Fault.of(…)`."""
    marks = {mark.id for mark in function.decorator_list if isinstance(mark, ast.Name)}
    return function.name == "__init__" or "classmethod" in marks


def _parameters(node: ast.ClassDef | ast.FunctionDef) -> list[str]:
    """What a call gives by position: the fields of a data class, the parameters of a function without self."""
    if isinstance(node, ast.ClassDef):
        parts = [part.target for part in node.body if isinstance(part, ast.AnnAssign)]
        return [target.id for target in parts if isinstance(target, ast.Name)]
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


if __name__ == "__main__":
    missing = update()
    sys.stdout.write(f"{len(translations())} sentences; {len(missing)} without a translation.\n")
    sys.stdout.writelines(f"  {template}\n" for template in missing)
