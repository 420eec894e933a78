"""A rulebook as a page that people read: Markdown, in one language.

What you get, who gets it, each condition with its law and what to do when it is not met, every dated value
with its source. What nobody has checked against the text of the law is shown as unverified.
"""

from __future__ import annotations

from salur.core.population.catalogue import Value
from salur.core.rules.aloud import Words
from salur.core.rules.rulebook import Component, Parameter, Rulebook

WORDS = {
    "gets": ("Yang diterima", "What is delivered"),
    "who": ("Siapa yang berhak", "Who is entitled"),
    "values": ("Nilai dan tanggal berlakunya", "Values and the dates from which they hold"),
    "quota": ("Tempat", "Places"),
    "law": ("Dasar hukum", "Legal basis"),
    "from": ("Berlaku sejak", "From"),
    "value": ("Nilai", "Value"),
    "source": ("Sumber", "Source"),
    "unverified": ("belum diperiksa", "unverified"),
    "checked": ("diperiksa {date}", "checked {date}"),
    "rule": ("Aturan", "Rule"),
    "basis": ("Dasar", "Basis"),
    "remedy": ("Bila tidak terpenuhi", "If it is not met"),
    "each": ("untuk setiap anggota dengan", "for each member with"),
    "when": ("bila", "when"),
    "most": ("paling banyak {n}", "at most {n}"),
    "limit": ("Paling banyak {n} komponen untuk satu unit.", "At most {n} components for one unit."),
    "one": ("Satu komponen untuk satu anggota.", "One component for one member."),
    "places": (
        "{n} per {by}, menurut {rank} (terkecil lebih dulu).",
        "{n} per {by}, by {rank} (smallest first).",
    ),
    "version": ("Versi", "Version"),
}
AREAS = {
    "nation": ("negara", "nation"),
    "province": ("provinsi", "province"),
    "regency": ("kabupaten/kota", "regency"),
}


def page(rulebook: Rulebook, language: str) -> str:
    """The whole page as Markdown."""
    writer = _Page(rulebook, language)
    return "\n".join(writer.lines()).rstrip() + "\n"


class _Page:
    def __init__(self, rulebook: Rulebook, language: str) -> None:
        self.book, self.language, self.words = rulebook, language, Words(language)

    def w(self, key: str, **values: object) -> str:
        return WORDS[key][self.language == "en"].format(**values)

    def lines(self) -> list[str]:
        book = self.book
        out = [f"# {book.title[self.language]}", ""]
        if book.about:
            out += [book.about[self.language], ""]
        out += [f"## {self.w('gets')}", ""]
        out += [f"- {self.component(component)}" for component in book.components]
        if isinstance(book.slots, int | str):
            out.append(f"- {self.w('limit', n=self.number(book.slots))}")
        if book.one_per_member:
            out.append(f"- {self.w('one')}")
        out += ["", f"## {self.w('who')}", ""]
        for number, criterion in enumerate(book.criteria, start=1):
            out += [f"{number}. **{criterion.says[self.language]}**",
                    f"   {self.w('rule')}: `{criterion.require}`. "
                    f"{self.w('basis')}: {self.basis(criterion.basis)}."]  # fmt: skip
            if criterion.remedy:
                out.append(f"   {self.w('remedy')}: {criterion.remedy[self.language]}")
        if book.quota:
            quota = book.quota
            rank = book.catalogue.facts[quota.rank].label[self.language]
            area = AREAS[quota.by][self.language == "en"]
            places = [(None, quota.places)] if isinstance(quota.places, str) else list(quota.places.items())
            out += ["", f"## {self.w('quota')}", ""]
            for code, number_ in places:
                name = f"{area} {code}" if code else area
                out.append(f"- {self.w('places', n=self.number(number_), by=name, rank=rank)}")
        if book.parameters:
            out += ["", f"## {self.w('values')}", "",
                    f"| | {self.w('from')} | {self.w('value')} | {self.w('source')} |",
                    "|---|---|---:|---|"]  # fmt: skip
        for parameter in book.parameters.values():
            out += self.values(parameter)
        out += ["", f"## {self.w('law')}", ""]
        out += [f"- {self.basis(id_)}" for id_ in book.basis]
        return [*out, "", f"{self.w('version')} `{book.sha256}`"]

    def component(self, component: Component) -> str:
        parts = [f"**{component.title[self.language]}**"]
        if component.amount:
            parts.append(self.latest(component.amount))
        elif component.measure:
            parts.append(component.measure[self.language])
        if component.kind != "always":
            parts.append(f"{self.w(component.kind)} `{component.condition}`")
        if component.most is not None:
            parts.append(self.w("most", n=self.number(component.most)))
        return ", ".join(parts) + "."

    def number(self, value: int | str) -> str:
        if isinstance(value, str):
            latest = self.book.parameters[value].values[-1].value
            return self.value(latest)
        return self.value(value)

    def latest(self, name: str) -> str:
        value = self.book.parameters[name].values[-1].value
        return self.words.money(value) if type(value) is int else str(value)

    def values(self, parameter: Parameter) -> list[str]:
        label = parameter.label[self.language] if parameter.label else f"`{parameter.name}`"
        money = parameter.name in {component.amount for component in self.book.components}
        rows = []
        for dated in parameter.values:
            shown = (
                self.words.money(dated.value)
                if money and type(dated.value) is int
                else self.value(dated.value)
            )
            rows.append(f"| {label} | {self.words.day(dated.start)} | {shown} | {self.basis(dated.basis)} |")
            label = ""
        return rows

    def value(self, value: Value) -> str:
        if type(value) is int:
            return f"{value:,}" if self.language == "en" else f"{value:,}".replace(",", ".")
        return str(value)

    def basis(self, id_: str) -> str:
        basis = self.book.basis[id_]
        checked = (
            self.w("checked", date=self.words.day(basis.checked_on))
            if basis.checked_on
            else self.w("unverified")
        )
        title = f"[{basis.title}]({basis.link})" if basis.link else basis.title
        return f"{title} ({checked})"
