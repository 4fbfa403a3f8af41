"""BMCs by Redfish (the library sushy): power off and power state of nodes.

Connections only go to a BMC in settings.BMC_NETWORKS, at the address that an operator set, and only while it shows the
certificate that the operator named. No redirect and no link leads to another host, and no proxy of the environment is
used.
"""

import ipaddress
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sushy
from django.conf import settings
from requests.adapters import HTTPAdapter
from sushy import exceptions
from sushy.auth import BasicAuth
from sushy.connector import Connector
from sushy.resources.system.system import System

from andromede_core.documents.messages import Message
from controlplane.nodes.errors import BmcRefused, BmcUnreachable

log = logging.getLogger(__name__)

HTTPS_PORT = 443
CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """The access data of a BMC. `system_id`: empty for the only one."""

    address: str
    username: str
    password: str
    certificate_sha256: str
    system_id: str


def parse_address(text: str) -> tuple[Address, int]:
    """Parse IP[:PORT], with an IPv6 address in brackets where there is a port. Raises ValueError with the reason."""
    host, separator, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        number = int(port) if separator else HTTPS_PORT
    except ValueError as exc:
        raise ValueError(Message("it must be an IP address, with a port after a colon if it is not 443.")) from exc
    if not 1 <= number <= 65535:
        raise ValueError(Message("there is no such port."))
    if not any(address in network for network in settings.BMC_NETWORKS):
        raise ValueError(Message("it is in none of the management networks of this platform."))
    return address, number


class _Pinned(HTTPAdapter):
    """An adapter for a server with that certificate, whatever its issuer."""

    def __init__(self, certificate_sha256: str) -> None:
        self._fingerprint = certificate_sha256
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, assert_fingerprint=self._fingerprint, **kwargs)


def _connector(access: Access) -> Connector:
    address, port = parse_address(access.address)
    host = f"[{address}]" if address.version == 6 else str(address)
    url = f"https://{host}:{port}"
    connector = Connector(
        url,
        verify=False,  # the pinned certificate is the check, and no other adapter sends requests
        server_side_retries=1,
        server_side_retries_delay=1,
        default_request_timeout=READ_TIMEOUT_S,
        connect_timeout=CONNECT_TIMEOUT_S,
    )
    session = connector._session
    session.trust_env = False
    session.adapters.clear()
    session.mount(f"{url}/", _Pinned(access.certificate_sha256))
    return connector


@contextmanager
def _system(access: Access) -> Iterator[System]:
    """Connect to the BMC and return the node's system.

    Raises:
        BmcUnreachable: the BMC does not answer, or not now.
        BmcRefused: the certificate is another one, or the BMC refuses for good.
    """
    try:
        connector = _connector(access)
    except ValueError as exc:
        raise BmcRefused(reason=exc.args[0]) from exc
    try:
        root = sushy.Sushy(
            f"https://{access.address}",
            auth=BasicAuth(access.username, access.password),
            connector=connector,
        )
        yield root.get_system(f"/redfish/v1/Systems/{access.system_id}" if access.system_id else None)
    except exceptions.ConnectionError as exc:
        raise _unreachable(exc) from exc
    except exceptions.ServerSideError as exc:
        raise BmcUnreachable(reason=Message("it failed with status {status}", status=exc.status_code)) from exc
    except exceptions.AccessError as exc:
        raise BmcRefused(reason=Message("it rejects the user name or password")) from exc
    except exceptions.UnknownDefaultError as exc:
        raise BmcRefused(reason=Message("it has several systems; set which of them is the node")) from exc
    except exceptions.ResourceNotFoundError as exc:
        raise BmcRefused(reason=Message("it has no such system")) from exc
    except exceptions.SushyError as exc:
        log.warning("BMC %s: %s", access.address, exc)
        raise BmcRefused(reason=Message("it does not answer as Redfish demands")) from exc
    finally:
        connector.close()


def _unreachable(exc: exceptions.ConnectionError) -> BmcUnreachable | BmcRefused:
    log.warning("%s", exc)
    if "ingerprint" in str(exc):
        return BmcRefused(reason=Message("its certificate is not the configured one"))
    return BmcUnreachable(reason=Message("it does not answer"))


def power_state(access: Access) -> str:
    """Return "On", "Off", "PoweringOn", "PoweringOff", "Paused", or "Unknown". Raises as _system()."""
    with _system(access) as system:
        return _power_state(system)


def power_off(access: Access) -> str:
    """Cut the power, unless it is off; returns the state before. It takes the machine a moment. Raises as _system()."""
    with _system(access) as system:
        before = _power_state(system)
        if before != sushy.PowerState.OFF.value:
            system.reset_system(sushy.ResetType.FORCE_OFF)
        return before


def _power_state(system: System) -> str:
    return system.power_state.value if system.power_state is not None else "Unknown"
