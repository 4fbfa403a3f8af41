"""Copies of data beside the allocation of another consumer, such as snapshots beside their volume.

They are data with a location like all other, and no rows of placement: the apps that have them register them here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet


@dataclass(frozen=True)
class CopySource:
    """A kind of copies. `rows`: those that exist, with their project; `node`: the lookup of what they are beside."""

    kind: str
    rows: Callable[[], QuerySet[Any]]
    node: str


copy_sources: list[CopySource] = []
