"""Concurrent transactions of which one writes a port and the other one the selector that selects it."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from controlplane.network.models import PortSecurityGroup
from controlplane.network.ports import NewPort, port_create
from controlplane.network.security_groups import default_group, security_group_create
from tests.services.threads import until_one_waits_for_a_lock
from tests.world import Cloud

Write = Callable[[Cloud], object]
LABELS = {"env": "prod"}


def port_in_the_default_group(cloud: Cloud) -> None:
    port_create(cloud.tenant.actor, NewPort(cloud.network, labels=LABELS))


def port_in_a_chosen_group(cloud: Cloud) -> None:
    groups = [default_group(cloud.tenant.project)]
    port_create(cloud.tenant.actor, NewPort(cloud.network, labels=LABELS, security_groups=groups))


def selector(cloud: Cloud) -> None:
    security_group_create(cloud.tenant.actor, cloud.tenant.project, name="prod", selector="env=prod")


@pytest.mark.parametrize("port", [port_in_the_default_group, port_in_a_chosen_group])
@pytest.mark.parametrize("is_port_first", [True, False])
def test_second_of_port_and_selector_finds_the_first(shared_cloud: Cloud, port: Write, is_port_first: bool) -> None:
    default_group(shared_cloud.tenant.project)
    first, second = (port, selector) if is_port_first else (selector, port)

    def write_second() -> None:
        try:
            second(shared_cloud)
        finally:
            connection.close()

    thread = threading.Thread(target=write_second)
    with transaction.atomic():
        first(shared_cloud)
        thread.start()
        until_one_waits_for_a_lock()
    thread.join()
    assert PortSecurityGroup.objects.filter(group__name="prod", is_selected=True).count() == 1
