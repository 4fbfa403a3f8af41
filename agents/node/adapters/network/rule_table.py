"""Tables of nftables as values, and the statements that turn one into another, element by element. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Elements:
    """A set, or a map if its elements have verdicts or other data.

    `declaration`: its properties, as nftables spells them. `entries`: the data by key; "" in a set.
    """

    declaration: str
    entries: Mapping[str, str] = field(default_factory=dict)
    is_map: bool = False

    @property
    def kind(self) -> str:
        return "map" if self.is_map else "set"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain. `hook`: of a base chain, as nftables spells it."""

    rules: tuple[str, ...]
    hook: str = ""


@dataclass(frozen=True, slots=True)
class NamedObject:
    """A limit or counter that rules name. `definition`: within the braces, as nftables spells it."""

    kind: str
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `name`: with its family."""

    name: str
    sets: Mapping[str, Elements]
    chains: Mapping[str, Chain]
    objects: Mapping[str, NamedObject] = field(default_factory=dict)


def removal(name: str) -> str:
    """Return the statements that remove the table, also if it does not exist."""
    return f"table {name} {{\n}}\ndelete table {name}\n"


def whole(tables: Iterable[Table]) -> str:
    """Return the statements that replace the tables, whatever they are now."""
    return "".join(removal(table.name) + _changes(Table(table.name, {}, {}), table) for table in tables)


def changes(before: Sequence[Table], after: Sequence[Table]) -> str:
    """Return the statements that turn the tables `before` into `after`, for one transaction; empty if they are equal.

    A set that stays gets and loses elements, and a chain whose rules differ gets new rules; the rest stays untouched.
    """
    known = {table.name: table for table in before}
    kept_names = {table.name for table in after}
    gone = "".join(removal(table.name) for table in before if table.name not in kept_names)
    return gone + "".join(
        _changes(known[table.name], table) if table.name in known else whole([table]) for table in after
    )


def _changes(before: Table, after: Table) -> str:
    """Statements in an order in which each finds what it refers to: first all parts, then what refers to them."""
    lines = [
        *_new_parts(before, after),
        *_element_changes(before, after),
        *_chain_changes(before, after),
        *_removals(before, after),
    ]
    head = [f"add table {after.name}"] if lines and not before.chains else []
    return "".join(f"{line}\n" for line in (*head, *lines))


def _new_parts(before: Table, after: Table) -> Iterator[str]:
    for name, each in after.objects.items():
        if name not in before.objects:
            yield f"add {each.kind} {after.name} {name} {{ {each.definition} }}"
    for name, elements in after.sets.items():
        if name not in before.sets:
            yield f"add {elements.kind} {after.name} {name} {{ {elements.declaration} }}"
    for name, chain in after.chains.items():
        if name not in before.chains:
            yield f"add chain {after.name} {name}{f' {{ {chain.hook} }}' if chain.hook else ''}"


def _element_changes(before: Table, after: Table) -> Iterator[str]:
    """Deletions come first: an interval that grows would overlap with its former self."""
    for name, elements in after.sets.items():
        old = before.sets[name].entries if name in before.sets else {}
        gone = [key for key, data in old.items() if elements.entries.get(key) != data]
        new = [key for key, data in elements.entries.items() if old.get(key) != data]
        if gone:
            yield f"delete element {after.name} {name} {{ {', '.join(gone)} }}"
        if new:
            data = elements.entries
            texts = (f"{key} : {data[key]}" if data[key] else key for key in new)
            yield f"add element {after.name} {name} {{ {', '.join(texts)} }}"


def _chain_changes(before: Table, after: Table) -> Iterator[str]:
    for name, chain in after.chains.items():
        old = before.chains[name].rules if name in before.chains else ()
        if old == chain.rules:
            continue
        if old:
            yield f"flush chain {after.name} {name}"
        for rule in chain.rules:
            yield f"add rule {after.name} {name} {rule}"


def _removals(before: Table, after: Table) -> Iterator[str]:
    chains = [name for name in before.chains if name not in after.chains]
    sets = [name for name in before.sets if name not in after.sets]
    objects = [name for name in before.objects if name not in after.objects]
    for name in chains:
        yield f"flush chain {after.name} {name}"
    for name in chains:
        yield f"delete chain {after.name} {name}"
    for name in sets:
        yield f"delete {before.sets[name].kind} {after.name} {name}"
    for name in objects:
        yield f"delete {before.objects[name].kind} {after.name} {name}"
