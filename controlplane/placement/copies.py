"""Copies of data in the place of another consumer, such as snapshots of volumes.

They have a location like all data, and no allocation: the apps that have them register them here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet


@dataclass(frozen=True)
class CopySource:
    """A kind of copies. `rows`: those that exist, with their project; `node`: the lookup of their consumer's node."""

    kind: str
    rows: Callable[[], QuerySet[Any]]
    node: str


copy_sources: list[CopySource] = []
