"""The nodes as columns, so that a question about ten thousand of them is one array operation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .request import DIMENSIONS, Resources

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]
Scores = NDArray[np.float64]


class NodeRow(NamedTuple):
    """`capacity` is what may be promised: (total - reserved) * ratio, floored. `generation` is what the node's row
    had when it was read.
    """

    id: str
    name: str
    zone: str
    capacity: Resources
    used: Resources
    is_ready: bool = True
    is_cordoned: bool = False
    generation: int = 0
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Row i of every column is node `ids[i]`; rows are ordered by id, so that reading order changes nothing.

    `capacity` and `used` have one column per resource (see DIMENSIONS), `traits` one per name in
    `trait_names`; `zone_index` points into `zone_ids`. Columns are read-only.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    zone_ids: tuple[str, ...]
    zone_index: Counts
    capacity: Counts
    used: Counts
    is_ready: Mask
    is_cordoned: Mask
    generation: Counts
    trait_names: tuple[str, ...]
    traits: Mask
    positions: Mapping[str, int]

    @classmethod
    def from_rows(cls, rows: Iterable[NodeRow]) -> Self:
        """Raises ValueError when two rows have the same id."""
        ordered = sorted(rows, key=lambda row: row.id)
        positions = {row.id: position for position, row in enumerate(ordered)}
        if len(positions) != len(ordered):
            raise ValueError("Two rows have the same node id.")
        zone_ids = tuple(sorted({row.zone for row in ordered}))
        zones = {zone: index for index, zone in enumerate(zone_ids)}
        trait_names = tuple(sorted(set().union(*(row.traits for row in ordered))))
        return cls(
            ids=tuple(positions),
            names=tuple(row.name for row in ordered),
            zone_ids=zone_ids,
            zone_index=_column([zones[row.zone] for row in ordered], np.int64),
            capacity=_column([row.capacity for row in ordered], np.int64, width=len(DIMENSIONS)),
            used=_column([row.used for row in ordered], np.int64, width=len(DIMENSIONS)),
            is_ready=_column([row.is_ready for row in ordered], np.bool_),
            is_cordoned=_column([row.is_cordoned for row in ordered], np.bool_),
            generation=_column([row.generation for row in ordered], np.int64),
            trait_names=trait_names,
            traits=_trait_matrix(ordered, trait_names),
            positions=positions,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def free(self) -> Counts:
        """Negative where the operator has lowered a node's capacity below what it carries."""
        free: Counts = self.capacity - self.used
        return free

    def mask_of(self, ids: Iterable[str]) -> Mask:
        """True for these nodes; ids that are not in the fleet are nowhere."""
        mask = np.zeros(len(self), dtype=np.bool_)
        mask[[self.positions[node] for node in ids if node in self.positions]] = True
        return mask


def _column(values: list[Any], dtype: type[Any], *, width: int | None = None) -> NDArray[Any]:
    column = np.array(values, dtype=dtype)
    if width is not None:
        column = column.reshape(len(values), width)
    column.setflags(write=False)
    return column


def _trait_matrix(rows: list[NodeRow], names: tuple[str, ...]) -> Mask:
    matrix = np.zeros((len(rows), len(names)), dtype=np.bool_)
    columns = {name: index for index, name in enumerate(names)}
    for position, row in enumerate(rows):
        matrix[position, [columns[name] for name in row.traits]] = True
    matrix.setflags(write=False)
    return matrix
