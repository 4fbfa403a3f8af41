"""A reader of the feed that continues from a cursor gets each event once, however transactions end."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from controlplane.events import cursors, selectors, services
from controlplane.events.errors import CursorExpired
from controlplane.events.models import Event, Head
from controlplane.events.selectors import EventFilter
from controlplane.events.services import publish_event
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from tests.services.events.writers import writers
from tests.services.threads import at_once, split
from tests.world import make_tenant


class Reader:
    """A reader that follows the feed."""

    def __init__(self, actor: Actor = SYSTEM, event_filter: EventFilter | None = None, *, limit: int = 200) -> None:
        self.actor, self.event_filter, self.limit = actor, event_filter or EventFilter(), limit
        self.position = selectors.start(None)
        self.read: list[UUID] = []

    def go_on(self) -> list[UUID]:
        """Read one page."""
        chapter = selectors.read(self.actor, self.event_filter, after=self.position, limit=self.limit)
        self.position = chapter.position
        self.read += [event.resource_id for event in chapter.events]
        return [event.resource_id for event in chapter.events]

    def go_to_the_end(self) -> list[UUID]:
        while self.go_on():
            pass
        return self.read


@pytest.mark.django_db(transaction=True)
def test_event_committed_late_is_delivered_late() -> None:
    """The first to write commits last: by number it lies behind a place that was read already."""
    reader = Reader()
    with writers(2) as (early, late):
        first = early.emit()
        second = late.emit()
        late.commit()
        assert reader.go_on() == [second]
        assert reader.go_on() == []
        early.commit()
        assert reader.go_on() == [first]
    numbers = dict(Event.objects.values_list("resource_id", "number"))
    assert numbers[first] < numbers[second], "a feed by number would have lost the first"


@pytest.mark.django_db(transaction=True)
def test_rolled_back_event_is_never_delivered() -> None:
    reader = Reader()
    with writers(1) as (writer,):
        writer.emit()
        writer.roll_back()
        committed = writer.emit()
        writer.commit()
    assert reader.go_to_the_end() == [committed]


@pytest.mark.django_db(transaction=True)
def test_position_is_visible_only_after_all_earlier_ones() -> None:
    """A reader and somebody who gives places meet: who has read the head has all that is below it."""
    with writers(2) as (first, second):
        for writer in (first, second):
            writer.emit()
            writer.commit()
        with transaction.atomic():
            head = services.head_locked()
            assert head.position == 0
            placed = Event.objects.order_by("number").first()
            assert placed is not None
            Event.objects.filter(pk=placed.pk).update(position=1)
            Head.objects.filter(pk=1).update(position=1)
            (visible,) = at_once([lambda: list(Event.objects.filter(position__isnull=False))])
            assert visible == [], "not before the commit"
    assert len(Reader().go_to_the_end()) == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["emit", "commit", "roll_back"]), st.integers(0, 2)),
        st.tuples(st.just("read"), st.integers(0, 1)),
    ),
    max_size=30,
)


@pytest.mark.django_db(transaction=True)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_readers_get_each_event_exactly_once(steps: list[tuple[str, int]]) -> None:
    """Any order of writes, commits, rollbacks and reads, by three transactions and two readers."""
    Event.objects.all().delete()
    Head.objects.all().delete()
    committed: list[UUID] = []
    readers = [Reader(limit=1), Reader(limit=3)]
    with writers(3) as open_ones:
        for what, whose in steps:
            match what:
                case "read":
                    readers[whose].go_on()
                case "emit":
                    open_ones[whose].emit()
                case "commit":
                    committed += open_ones[whose].commit()
                case "roll_back":
                    open_ones[whose].roll_back()
        for writer in open_ones:
            committed += writer.commit()
    for reader in readers:
        assert sorted(reader.go_to_the_end()) == sorted(committed)
    assert readers[0].read == readers[1].read, "and all in the same order"


@pytest.mark.django_db(transaction=True)
def test_concurrent_writers_assign_distinct_positions() -> None:
    for _ in range(50):
        publish_event(None, "network.created", new_id(), project_id=None)
    _, failed = split(at_once([services.assign_positions] * 6))
    assert failed == []
    assert list(Event.objects.order_by("number").values_list("position", flat=True)) == list(range(1, 51))
    assert Head.objects.get().position == 50


@pytest.mark.django_db
def test_cause_precedes_its_effect() -> None:
    resource_ids = [new_id() for _ in range(5)]
    for resource_id in resource_ids:
        publish_event(None, "network.created", resource_id, project_id=None)
    assert Reader(limit=2).go_to_the_end() == resource_ids


@pytest.mark.django_db
def test_reader_sees_only_its_own_events() -> None:
    alpha, beta = make_tenant("alpha"), make_tenant("beta")
    mine, of_others, of_platform, of_organization = (new_id() for _ in range(4))
    publish_event(None, "network.created", mine, project_id=alpha.project.pk)
    publish_event(None, "network.created", of_others, project_id=beta.project.pk)
    publish_event(None, "node.ready", of_platform, project_id=None)
    publish_event(
        None,
        "policy.changed",
        of_organization,
        project_id=None,
        organization_id=alpha.project.organization_id,
    )
    assert Reader(alpha.actor).go_to_the_end() == [mine, of_organization]
    assert Reader(beta.actor).go_to_the_end() == [of_others]
    assert Reader(SYSTEM).go_to_the_end() == [mine, of_others, of_platform, of_organization]
    assert Reader(SYSTEM, EventFilter(project=beta.project)).go_to_the_end() == [of_others]
    assert Reader(SYSTEM, EventFilter(kinds=["node.ready"])).go_to_the_end() == [of_platform]
    assert Reader(alpha.actor, EventFilter(resource_id=of_others)).go_to_the_end() == []
    assert Reader(alpha.actor, EventFilter(resource_id=mine)).go_to_the_end() == [mine]


@pytest.mark.django_db
def test_cursor_advances_over_events_of_others() -> None:
    """Otherwise the cursor of a quiet project would one day be older than all that is kept."""
    tenant = make_tenant()
    reader = Reader(tenant.actor)
    publish_event(None, "node.ready", new_id(), project_id=None)
    assert reader.go_on() == []
    assert reader.position == Head.objects.get().position == 1


@pytest.mark.django_db
def test_expired_cursor_is_refused_with_the_oldest_one() -> None:
    for _ in range(3):
        publish_event(None, "network.created", new_id(), project_id=None)
    services.assign_positions()
    Event.objects.filter(position__lte=2).update(created_at=clock.now() - timedelta(days=31))
    before, behind = cursors.encode(1), cursors.encode(2)
    assert services.delete_expired() == 2
    assert services.delete_expired() == 0
    assert list(Event.objects.values_list("position", flat=True)) == [3]
    with pytest.raises(CursorExpired) as caught:
        selectors.start(before)
    assert caught.value.facts["oldest"] == behind
    assert selectors.start(behind) == selectors.start(None) == 2
    assert selectors.start("now") == 3


@pytest.mark.django_db
def test_positions_continue_after_all_events_expired() -> None:
    publish_event(None, "network.created", new_id(), project_id=None)
    services.assign_positions()
    Event.objects.update(created_at=clock.now() - timedelta(days=31))
    services.delete_expired()
    assert selectors.start(None) == selectors.start("now") == 1
    publish_event(None, "network.created", new_id(), project_id=None)
    services.assign_positions()
    assert Event.objects.get().position == 2


@pytest.mark.django_db
def test_event_without_a_position_does_not_expire() -> None:
    publish_event(None, "network.created", new_id(), project_id=None)
    Event.objects.update(created_at=clock.now() - timedelta(days=31))
    assert services.delete_expired() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("cursor", ["", "x", "a" * 22, "é" * 22, cursors.encode(1)[:-1], cursors.encode(99)])
def test_invalid_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorExpired):
        selectors.start(cursor)


def test_cursors_reveal_no_counts() -> None:
    texts = [cursors.encode(position) for position in range(200)]
    assert [cursors.decode(text) for text in texts] == list(range(200))
    assert len({text[:4] for text in texts}) > 190, "neighbours do not look alike"


@pytest.mark.django_db
def test_read_costs_three_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(20):
        publish_event(None, "network.created", new_id(), project_id=None)
    services.assign_positions()
    with django_assert_num_queries(3):
        assert len(selectors.read(SYSTEM, EventFilter(), after=0, limit=10).events) == 10
