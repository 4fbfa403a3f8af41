"""Check that a domain of libvirt is the one that the agent would define itself. Pure.

A guest that arrives from another node brings its definition, and that node may be compromised. So the definition is
compared with the agent's own. libvirt completes a definition (addresses, aliases, implicit devices): `domain_rules`
lists each element and attribute that it may add, with their permitted values. Everything else must equal the agent's
own definition; an element that is not listed is refused.

Guests move between releases of the agent. A change of the output of `domain_xml.domain` must let guests with the
definition of the previous release pass here.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from agents.node import domain_xml
from agents.node.adapters.interfaces import RBD, GuestSpec
from agents.node.domain_rules import Rule, Rules, rules

KIB_PER_MIB = 1024
DOCTYPE = "<!DOCTYPE"


class ForeignDomain(ValueError):
    """The domain is not the one that the agent would define. The text names the difference."""


class _Form(NamedTuple):
    """An element without libvirt's additions, with its children in one order: equal forms mean the same."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    text: str
    children: "tuple[_Form, ...]"


def read(text: str) -> ET.Element:
    """Parse the XML of a domain.

    Raises:
        ForeignDomain: it is no domain, or has a document type, whose entities could grow without end.
    """
    if DOCTYPE in text:
        raise ForeignDomain("the guest's XML has a document type")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as exc:
        raise ForeignDomain(f"the guest's XML cannot be read: {exc}") from exc
    guest_id(root)
    for disk in root.iterfind("devices/disk"):
        _move_auth(disk)
    return root


def _move_auth(disk: ET.Element) -> None:
    """Move the client of a disk to where the agent defines it: libvirt has that of a mirrored one in the source."""
    source = disk.find("source")
    auth = source.find("auth") if source is not None else None
    if source is not None and auth is not None and disk.find("auth") is None:
        source.remove(auth)
        disk.append(auth)


def guest_id(root: ET.Element) -> UUID:
    """Return the guest's id.

    Raises:
        ForeignDomain: it has no UUID.
    """
    texts = [element.text or "" for element in root.iterfind("uuid")] if root.tag == "domain" else []
    try:
        (text,) = texts
        return UUID(text.strip())
    except ValueError as exc:
        raise ForeignDomain("the guest's XML has no UUID") from exc


def use_own_clients(guest: GuestSpec, root: ET.Element) -> None:
    """Let the guest open its disks in Ceph clusters as this node may: the source had clients of its own.

    Nothing else changes: a disk with another image stays as it is, and is refused by `check`.
    """
    own = domain_xml.plugged_disks(domain_xml.domain(guest, virt_type="qemu"))
    for source, element in domain_xml.disks_of(root).items():
        if source.startswith(RBD) and source in own:
            domain_xml.replace_client(element, own[source])


def printed(root: ET.Element) -> str:
    """Serialise the domain for libvirt: the result contains nothing that the parsed XML does not show."""
    return ET.tostring(root, encoding="unicode")


def check(guest: GuestSpec, root: ET.Element, *, is_prepared: bool = False, may_share_user: bool = False) -> None:
    """Check the domain against the agent's own definition.

    `is_prepared`: libvirt has prepared the start and added its own choices (socket paths, labels), which are refused in
    a definition from elsewhere. A backing chain of the guest's own images is accepted. `may_share_user`: an older agent
    without users per guest may have started the guest, whose domain then names no user.

    Raises:
        ForeignDomain: the domain is not the one that the agent would define for this guest.
    """
    if may_share_user and root.find("seclabel[@model='dac'][@type='static']") is None:
        guest = replace(guest, user=None)
    virt_type = root.get("type")
    if virt_type not in ("kvm", "qemu"):
        raise ForeignDomain(f"its hypervisor is {virt_type!r}")
    added = rules(guest, is_prepared=is_prepared)
    own = ET.fromstring(domain_xml.domain(guest, virt_type="kvm" if virt_type == "kvm" else "qemu"))
    _compare(_form(own, "", added), _form(root, "", added), "")


def _form(element: ET.Element, path: str, added: Rules) -> _Form:
    attributes, text = dict(element.attrib), (element.text or "").strip()
    if attributes.get("unit") == "MiB" and text.isdecimal():
        attributes["unit"], text = "KiB", str(int(text) * KIB_PER_MIB)
    kept = [(name, value) for name, value in attributes.items() if not added.adds_attribute(path, name, value)]
    children = [_form(child, _below(path, child), added) for child in _own_children(element, path, added)]
    return _Form(element.tag, tuple(sorted(kept)), text, tuple(sorted(children)))


def _own_children(element: ET.Element, path: str, added: Rules) -> Iterator[ET.Element]:
    """Return the children that no rule explains; each rule applies as often as it may."""
    seen: Counter[Rule] = Counter()
    for child in element:
        rule = added.rule_for(child, _below(path, child))
        if rule is None or seen[rule] >= rule.times:
            yield child
        else:
            seen[rule] += 1


def _below(path: str, child: ET.Element) -> str:
    return f"{path}/{child.tag}" if path else child.tag


def _compare(own: _Form, other: _Form, path: str) -> None:
    if own.attributes != other.attributes or own.text != other.text:
        raise ForeignDomain(f"<{path or 'domain'}> has other values")
    surplus = Counter(other.children) - Counter(own.children)
    missing = Counter(own.children) - Counter(other.children)
    for form in surplus:
        twins = [each for each in missing if each.tag == form.tag]
        below = f"{path}/{form.tag}" if path else form.tag
        if len(twins) != 1:
            raise ForeignDomain(f"<{below}> is not of its definition")
        _compare(twins[0], form, below)
    for form in missing:
        raise ForeignDomain(f"<{path}/{form.tag}> is missing")
