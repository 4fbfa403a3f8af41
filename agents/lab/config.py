"""Configuration of a node's libvirt: the differences from Debian's, with reasons."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

from agents.lab import pki

HOST_LIBVIRT = Path("/etc/libvirt")
NODE_PKI = "/etc/libvirt/pki"
POOL = "pool"  # in the shared folder


def write_libvirt(folder: Path, *, name: str, address: str, shared: Path, authority: Path) -> None:
    """Write a node's /etc/libvirt into `folder`: three files, the machine's packet filters, and certificates.

    `shared`: the folder that all nodes have. Repeating it changes nothing but the two files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "nwfilter").exists():
        shutil.copytree(HOST_LIBVIRT / "nwfilter", folder / "nwfilter")
    if not (folder / "pki" / "cacert.pem").exists():
        pki.issue(folder / "pki", name=name, address=address, authority=authority)
    _write_settings(folder / "libvirtd.conf", _daemon(folder, address))
    _write_settings(folder / "qemu.conf", _qemu(address, shared))


def _daemon(folder: Path, address: str) -> dict[str, object]:
    return {
        # With the machine's UUID, which they would all show, nodes refuse to migrate guests to each other.
        "host_uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, str(folder))),
        # No polkit in a node: the sockets themselves keep everybody but root out.
        "auth_unix_rw": "none",
        "auth_unix_ro": "none",
        "unix_sock_rw_perms": "0700",
        "unix_sock_ro_perms": "0700",
        "listen_tls": 1,
        "listen_addr": address,
        "ca_file": f"{NODE_PKI}/cacert.pem",
        "cert_file": f"{NODE_PKI}/servercert.pem",
        "key_file": f"{NODE_PKI}/serverkey.pem",
    }


def _qemu(address: str, shared: Path) -> dict[str, object]:
    return {
        "user": "root",
        "group": "root",
        "security_driver": "none",
        # Ownership marks would make nodes refuse the files that other nodes have used.
        "remember_owner": 0,
        "migration_address": address,
        "migration_host": address,
        "shared_filesystems": [str(shared)],
        "default_tls_x509_cert_dir": f"{NODE_PKI}/qemu",
        "default_tls_x509_verify": 1,
    }


def _write_settings(path: Path, settings: dict[str, object]) -> None:
    """Write the settings: libvirt's strings, numbers and lists are written as JSON writes them."""
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
