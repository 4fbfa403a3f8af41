"""Nodes as columns, so that a query over a hundred thousand of them is a few array operations.

A fleet is a value: it never changes. An update returns another fleet that shares the unchanged columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from andromede_core.permits.trust_documents import ANY
from andromede_core.placement.request import DIMENSIONS, Resources

T = TypeVar("T")
Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]
Positions = NDArray[np.intp]
Scores = NDArray[np.float64]


class NodeRow(NamedTuple):
    """A node as read from the database.

    `capacity` is the allocatable amount: (total - reserved) * ratio, floored. `cleared`: the classifications that its
    charter lets it hold, sorted (ANY: all); empty while it has no valid charter.
    """

    id: str
    name: str
    zone: str
    capacity: Resources
    used: Resources
    is_ready: bool = True
    is_cordoned: bool = False
    traits: frozenset[str] = frozenset()
    is_attested: bool = True
    cleared: tuple[str, ...] = (ANY,)


class Dictionary(NamedTuple):
    """The names behind the numbers in the columns, each once and sorted."""

    zones: tuple[str, ...]
    traits: tuple[str, ...]
    clearances: tuple[tuple[str, ...], ...]

    def has(self, other: "Dictionary") -> bool:
        return all(set(ours).issuperset(theirs) for ours, theirs in zip(self, other, strict=True))

    def joined(self, other: "Dictionary") -> "Dictionary":
        return Dictionary(
            tuple(sorted({*self.zones, *other.zones})),
            tuple(sorted({*self.traits, *other.traits})),
            tuple(sorted({*self.clearances, *other.clearances})),
        )


COLUMNS = (
    "zone_index",
    "capacity",
    "free",
    "is_ready",
    "is_cordoned",
    "traits",
    "is_attested",
    "clearance_index",
)


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """The nodes. The last axis of every column is the nodes: index i is node `ids[i]`.

    Nodes are ordered by id, so that the order of reading changes nothing.

    `capacity` and `free` have one row per resource (see DIMENSIONS), `traits` one per name in `dictionary.traits`;
    `zone_index` and `clearance_index` point into `dictionary.zones` and `dictionary.clearances`. `free` is negative
    where the operator has lowered a node's capacity below what it carries. Columns are read-only.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    positions: Mapping[str, int]
    dictionary: Dictionary
    zone_index: Positions
    capacity: Counts
    free: Counts
    is_ready: Mask
    is_cordoned: Mask
    traits: Mask
    is_attested: Mask
    clearance_index: Positions

    @classmethod
    def from_rows(cls, rows: Iterable[NodeRow]) -> Self:
        """Build a fleet. Raises ValueError when two rows have the same id."""
        ordered = sorted(rows, key=lambda row: row.id)
        dictionary = Dictionary(
            zones=tuple(sorted({row.zone for row in ordered})),
            traits=tuple(sorted(set().union(*(row.traits for row in ordered)))),
            clearances=tuple(sorted({row.cleared for row in ordered})),
        )
        capacity = _amounts([row.capacity for row in ordered])
        return cls._of(
            ids=tuple(row.id for row in ordered),
            names=tuple(row.name for row in ordered),
            dictionary=dictionary,
            columns={
                "zone_index": _index([row.zone for row in ordered], dictionary.zones),
                "capacity": capacity,
                "free": capacity - _amounts([row.used for row in ordered]),
                "is_ready": _flags([row.is_ready for row in ordered]),
                "is_cordoned": _flags([row.is_cordoned for row in ordered]),
                "traits": _trait_matrix(ordered, dictionary.traits),
                "is_attested": _flags([row.is_attested for row in ordered]),
                "clearance_index": _index([row.cleared for row in ordered], dictionary.clearances),
            },
        )

    @classmethod
    def _of(
        cls,
        *,
        ids: tuple[str, ...],
        names: tuple[str, ...],
        dictionary: Dictionary,
        columns: Mapping[str, NDArray[Any]],
    ) -> Self:
        positions = {node: position for position, node in enumerate(ids)}
        if len(positions) != len(ids):
            raise ValueError("Two rows have the same node id.")
        frozen = {name: _frozen(column) for name, column in columns.items()}
        return cls(ids, names, positions, dictionary, **frozen)

    def __len__(self) -> int:
        return len(self.ids)

    def mask_of(self, ids: Iterable[str]) -> Mask:
        """Return True for these nodes; ids that are not in the fleet are ignored."""
        mask = np.zeros(len(self), dtype=np.bool_)
        mask[[self.positions[node] for node in ids if node in self.positions]] = True
        return mask

    def with_allocated(self, node: str, amounts: Resources) -> "Fleet":
        """Return the fleet in which this node carries so much more."""
        free = self.free.copy()
        free[:, self.positions[node]] -= np.array(amounts, dtype=np.int64)
        return Fleet(self.ids, self.names, self.positions, self.dictionary, **self._columns() | {"free": _frozen(free)})

    def with_rows(self, rows: Iterable[NodeRow]) -> "Fleet":
        """Return the fleet with these rows in the place of those with the same ids, or added to the others.

        Cheap for a few rows, however large the fleet is, unless they bring a node or a name that it lacks.
        """
        update = Fleet.from_rows(rows)
        if not len(update):
            return self
        if self.dictionary.has(update.dictionary) and all(node in self.positions for node in update.ids):
            return self._overwritten(update._read_by(self.dictionary))
        dictionary = self.dictionary.joined(update.dictionary)
        return self._read_by(dictionary)._merged(update._read_by(dictionary))

    def _read_by(self, dictionary: Dictionary) -> "Fleet":
        """Return the same fleet, its columns written for a longer dictionary."""
        traits = np.zeros((len(dictionary.traits), len(self)), dtype=np.bool_)
        for name, row in zip(self.dictionary.traits, self.traits, strict=True):
            traits[dictionary.traits.index(name)] = row
        columns = self._columns() | {
            "zone_index": _index(self.dictionary.zones, dictionary.zones)[self.zone_index],
            "traits": traits,
            "clearance_index": _index(self.dictionary.clearances, dictionary.clearances)[self.clearance_index],
        }
        return Fleet(self.ids, self.names, self.positions, dictionary, **columns)

    def _columns(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in COLUMNS}

    def _overwritten(self, update: "Fleet") -> "Fleet":
        """Copy only the columns that differ: mostly `free`."""
        at = [self.positions[node] for node in update.ids]
        columns = self._columns()
        for name, column in columns.items():
            fresh = getattr(update, name)
            if not np.array_equal(column[..., at], fresh):
                columns[name] = changed = column.copy()
                changed[..., at] = fresh
                _frozen(changed)
        names = self.names
        if any(names[position] != name for position, name in zip(at, update.names, strict=True)):
            renamed = dict(zip(at, update.names, strict=True))
            names = tuple(renamed.get(position, name) for position, name in enumerate(names))
        return Fleet(self.ids, names, self.positions, self.dictionary, **columns)

    def _merged(self, update: "Fleet") -> "Fleet":
        """Merge both; where both have a node, `update` wins."""
        kept = np.flatnonzero(~self.mask_of(update.ids))
        ids = [*_taken(self.ids, kept), *update.ids]
        names = [*_taken(self.names, kept), *update.names]
        order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.intp)
        columns = {
            name: np.concatenate([column[..., kept], getattr(update, name)], axis=-1)[..., order]
            for name, column in self._columns().items()
        }
        return Fleet._of(
            ids=_taken(ids, order),
            names=_taken(names, order),
            dictionary=self.dictionary,
            columns=columns,
        )


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    column.setflags(write=False)
    return column


def _taken(items: Sequence[str], at: Positions) -> tuple[str, ...]:
    return tuple(items[position] for position in at.tolist())


def _flags(values: list[bool]) -> Mask:
    return np.array(values, dtype=np.bool_)


def _index(values: Sequence[T], names: tuple[T, ...]) -> Positions:
    """Return the position of each value among the names."""
    positions = {name: position for position, name in enumerate(names)}
    return np.array([positions[value] for value in values], dtype=np.intp)


def _amounts(rows: list[Resources]) -> Counts:
    """Return one row per resource."""
    return np.ascontiguousarray(np.array(rows, dtype=np.int64).reshape(len(rows), len(DIMENSIONS)).T)


def _trait_matrix(rows: list[NodeRow], names: tuple[str, ...]) -> Mask:
    matrix = np.zeros((len(names), len(rows)), dtype=np.bool_)
    index = {name: number for number, name in enumerate(names)}
    for position, row in enumerate(rows):
        matrix[[index[name] for name in row.traits], position] = True
    return matrix
