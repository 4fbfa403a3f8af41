"""Zones on the map of Europe, frontend/src/europe.svg, in its projection."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

# Same values as in frontend/tools/europe.mjs.
SIDE = 1000
CENTRE_LON, CENTRE_LAT = math.radians(10), math.radians(53)
SCALE = 1480
# Markers closer to each other than this are spread around their common location.
MARK_DISTANCE = 44
# Labels of markers: width of a letter, height of a line, and distance above or below the marker.
LETTER, LINE, MARGIN = 11, 26, 26
PLACE = "location.urban_area"


@dataclass(frozen=True)
class ZoneMark:
    """The position of a zone's marker. `place`: the label of the first of several at one location, drawn at `words`."""

    zone: str
    x: float
    y: float
    place: str = ""
    words: tuple[float, float] = (0, 0)


def projected(lat: float, lon: float) -> tuple[float, float]:
    """Project coordinates by Lambert's azimuthal equal-area projection, in pixels of the map."""
    phi, turn = math.radians(lat), math.radians(lon) - CENTRE_LON
    nearness = math.sin(CENTRE_LAT) * math.sin(phi) + math.cos(CENTRE_LAT) * math.cos(phi) * math.cos(turn)
    stretch = SCALE * math.sqrt(2 / (1 + nearness)) if nearness > -1 else math.inf
    x = math.cos(phi) * math.sin(turn)
    y = math.cos(CENTRE_LAT) * math.sin(phi) - math.sin(CENTRE_LAT) * math.cos(phi) * math.cos(turn)
    return SIDE / 2 + stretch * x, SIDE / 2 - stretch * y


def zone_marks(zones: Iterable[Mapping[str, Any]]) -> list[ZoneMark]:
    """Return the markers of zones with coordinates on the map."""
    groups: list[list[tuple[Mapping[str, Any], float, float]]] = []
    for zone in zones:
        lat, lon = zone["facts"].get("location.lat"), zone["facts"].get("location.lon")
        x, y = projected(lat, lon) if lat is not None and lon is not None else (math.inf, math.inf)
        if not (0 <= x <= SIDE and 0 <= y <= SIDE):
            continue
        near = (group for group in groups if math.hypot(group[0][1] - x, group[0][2] - y) < MARK_DISTANCE)
        group = next(near, None)
        if group is None:
            groups.append(group := [])
        group.append((zone, x, y))
    marks = [list(_spread_marks(group)) for group in groups]
    return [spot for group in _place_labels(marks) for spot in group]


def _spread_marks(group: list[tuple[Mapping[str, Any], float, float]]) -> Iterable[ZoneMark]:
    """Spread markers in a ring around their common location."""
    number = len(group)
    middle_x, middle_y = sum(x for _, x, _ in group) / number, sum(y for _, _, y in group) / number
    away = MARK_DISTANCE / 2 / math.sin(math.pi / number) if number > 1 else 0
    for index, (zone, _, _) in enumerate(group):
        angle = 2 * math.pi * index / number
        x, y = middle_x - away * math.cos(angle), middle_y - away * math.sin(angle)
        yield ZoneMark(zone["id"], round(x, 1), round(y, 1), "" if index else str(zone["facts"].get(PLACE, "")))


def _place_labels(groups: list[list[ZoneMark]]) -> list[list[ZoneMark]]:
    """Place labels above the markers, or below if there is no space."""
    taken = [(spot.x, spot.y, MARK_DISTANCE / 2) for group in groups for spot in group]
    worded = []
    for first, *others in groups:
        heights = [spot.y for spot in (first, *others)]
        x = round(sum(spot.x for spot in (first, *others)) / (1 + len(others)), 1)
        half = len(first.place) * LETTER / 2
        for y in (min(heights) - MARGIN, max(heights) + MARGIN + LINE / 2, min(heights) - MARGIN):
            if all(abs(other_x - x) > half + other or abs(other_y - y) > LINE - 1 for other_x, other_y, other in taken):
                break
        taken.append((x, y, half))
        worded.append([replace(first, words=(x, round(y, 1))), *others])
    return worded
