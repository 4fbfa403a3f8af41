"""The nodes as columns, so that a question about a hundred thousand of them is a few array operations.

A fleet is a value: it never changes, and what changed since gives another fleet that shares the columns that did not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .request import DIMENSIONS, Resources

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]
Positions = NDArray[np.intp]
Scores = NDArray[np.float64]


class NodeRow(NamedTuple):
    """`capacity` is what may be promised: (total - reserved) * ratio, floored."""

    id: str
    name: str
    zone: str
    capacity: Resources
    used: Resources
    is_ready: bool = True
    is_cordoned: bool = False
    traits: frozenset[str] = frozenset()


COLUMNS = ("zone_index", "capacity", "free", "is_ready", "is_cordoned", "traits")


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """The last axis of every column is the nodes: index i is node `ids[i]`. Nodes are ordered by id, so that the order
    of reading changes nothing.

    `capacity` and `free` have one row per resource (see DIMENSIONS), `traits` one per name in `trait_names`;
    `zone_index` points into `zone_ids`. `free` is negative where the operator has lowered a node's capacity below what
    it carries. Columns are read-only.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    positions: Mapping[str, int]
    zone_ids: tuple[str, ...]
    trait_names: tuple[str, ...]
    zone_index: Positions
    capacity: Counts
    free: Counts
    is_ready: Mask
    is_cordoned: Mask
    traits: Mask

    @classmethod
    def from_rows(cls, rows: Iterable[NodeRow]) -> Self:
        """Raises ValueError when two rows have the same id."""
        ordered = sorted(rows, key=lambda row: row.id)
        zone_ids = tuple(sorted({row.zone for row in ordered}))
        zones = {zone: index for index, zone in enumerate(zone_ids)}
        trait_names = tuple(sorted(set().union(*(row.traits for row in ordered))))
        capacity = _amounts([row.capacity for row in ordered])
        return cls._of(
            ids=tuple(row.id for row in ordered),
            names=tuple(row.name for row in ordered),
            zone_ids=zone_ids,
            trait_names=trait_names,
            columns={
                "zone_index": np.array([zones[row.zone] for row in ordered], dtype=np.intp),
                "capacity": capacity,
                "free": capacity - _amounts([row.used for row in ordered]),
                "is_ready": np.array([row.is_ready for row in ordered], dtype=np.bool_),
                "is_cordoned": np.array([row.is_cordoned for row in ordered], dtype=np.bool_),
                "traits": _trait_matrix(ordered, trait_names),
            },
        )

    @classmethod
    def _of(
        cls,
        *,
        ids: tuple[str, ...],
        names: tuple[str, ...],
        zone_ids: tuple[str, ...],
        trait_names: tuple[str, ...],
        columns: Mapping[str, NDArray[Any]],
    ) -> Self:
        positions = {node: position for position, node in enumerate(ids)}
        if len(positions) != len(ids):
            raise ValueError("Two rows have the same node id.")
        frozen = {name: _frozen(column) for name, column in columns.items()}
        return cls(ids, names, positions, zone_ids, trait_names, **frozen)

    def __len__(self) -> int:
        return len(self.ids)

    def mask_of(self, ids: Iterable[str]) -> Mask:
        """True for these nodes; ids that are not in the fleet are nowhere."""
        mask = np.zeros(len(self), dtype=np.bool_)
        mask[[self.positions[node] for node in ids if node in self.positions]] = True
        return mask

    def with_rows(self, rows: Iterable[NodeRow]) -> "Fleet":
        """The fleet with these rows in the place of those with the same ids, or beside the others.

        Cheap for a few rows, however large the fleet is, unless they bring a node, a zone or a trait that it lacks.
        """
        news = Fleet.from_rows(rows)
        if not len(news):
            return self
        known = all(node in self.positions for node in news.ids)
        if (
            known
            and set(self.zone_ids).issuperset(news.zone_ids)
            and set(self.trait_names).issuperset(news.trait_names)
        ):
            return self._overwritten(news._indexed_as(self.zone_ids, self.trait_names))
        zone_ids = tuple(sorted({*self.zone_ids, *news.zone_ids}))
        trait_names = tuple(sorted({*self.trait_names, *news.trait_names}))
        return self._indexed_as(zone_ids, trait_names)._merged(news._indexed_as(zone_ids, trait_names))

    def _indexed_as(self, zone_ids: tuple[str, ...], trait_names: tuple[str, ...]) -> "Fleet":
        """The same fleet over longer lists of zones and traits."""
        zones = np.array([zone_ids.index(zone) for zone in self.zone_ids], dtype=np.intp)
        traits = np.zeros((len(trait_names), len(self)), dtype=np.bool_)
        for name, row in zip(self.trait_names, self.traits, strict=True):
            traits[trait_names.index(name)] = row
        columns = self._columns() | {"zone_index": zones[self.zone_index], "traits": traits}
        return Fleet(self.ids, self.names, self.positions, zone_ids, trait_names, **columns)

    def _columns(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in COLUMNS}

    def _overwritten(self, news: "Fleet") -> "Fleet":
        """Copies only what differs: mostly what is free."""
        at = [self.positions[node] for node in news.ids]
        columns = self._columns()
        for name, column in columns.items():
            fresh = getattr(news, name)
            if not np.array_equal(column[..., at], fresh):
                columns[name] = changed = column.copy()
                changed[..., at] = fresh
                _frozen(changed)
        names = self.names
        if any(names[position] != name for position, name in zip(at, news.names, strict=True)):
            renamed = dict(zip(at, news.names, strict=True))
            names = tuple(renamed.get(position, name) for position, name in enumerate(names))
        return Fleet(self.ids, names, self.positions, self.zone_ids, self.trait_names, **columns)

    def _merged(self, news: "Fleet") -> "Fleet":
        """Both; where both know a node, `news` does."""
        kept = np.flatnonzero(~self.mask_of(news.ids))
        ids = [*_taken(self.ids, kept), *news.ids]
        names = [*_taken(self.names, kept), *news.names]
        order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.intp)
        columns = {
            name: np.concatenate([column[..., kept], getattr(news, name)], axis=-1)[..., order]
            for name, column in self._columns().items()
        }
        return Fleet._of(
            ids=_taken(ids, order),
            names=_taken(names, order),
            zone_ids=self.zone_ids,
            trait_names=self.trait_names,
            columns=columns,
        )


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    column.setflags(write=False)
    return column


def _taken(items: Sequence[str], at: Positions) -> tuple[str, ...]:
    return tuple(items[position] for position in at.tolist())


def _amounts(rows: list[Resources]) -> Counts:
    """One row per resource."""
    return np.ascontiguousarray(np.array(rows, dtype=np.int64).reshape(len(rows), len(DIMENSIONS)).T)


def _trait_matrix(rows: list[NodeRow], names: tuple[str, ...]) -> Mask:
    matrix = np.zeros((len(names), len(rows)), dtype=np.bool_)
    index = {name: number for number, name in enumerate(names)}
    for position, row in enumerate(rows):
        matrix[[index[name] for name in row.traits], position] = True
    return matrix
