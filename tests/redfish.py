"""A BMC for the tests: the emulator of sushy-tools, which speaks Redfish over TLS and has one machine in memory."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bcrypt
import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from scripts.polling import wait_until
from tests.limits import PATIENCE_S
from tests.ports import free_port

USERNAME, PASSWORD = "fencer", "correct horse battery staple"
SYSTEM_ID = "27946b59-9e44-4fa7-8e91-f3527a1ef094"
# The emulator's machine takes up to eleven seconds for a command; here it takes none.
CONFIG = """
import random
random.randint = lambda low, high: 0
SUSHY_EMULATOR_FAKE_DRIVER = True
SUSHY_EMULATOR_AUTH_FILE = {auth!r}
SUSHY_EMULATOR_STATE_DIR = {state!r}
SUSHY_EMULATOR_FAKE_SYSTEMS = [{{
    "uuid": {system!r}, "name": "node", "power_state": "On", "external_notifier": False, "nics": [],
}}]
"""


@dataclass(frozen=True)
class Emulator:
    address: str
    certificate_sha256: str

    @property
    def access(self) -> dict[str, str]:
        """Return the access data, as an operator would enter them."""
        return {
            "address": self.address,
            "username": USERNAME,
            "password": PASSWORD,
            "certificate_sha256": self.certificate_sha256,
        }

    def power(self) -> str:
        return str(self._ask("GET", "").json()["PowerState"])

    def press(self, reset: str) -> None:
        """Change the machine's power, as another program does; at once."""
        self._ask("POST", "/Actions/ComputerSystem.Reset", {"ResetType": reset})
        wanted = "On" if reset == "On" else "Off"
        wait_until(lambda: self.power() == wanted, every_s=0.02, or_else=lambda: f"it is {self.power()}")

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> httpx.Response:
        url = f"https://{self.address}/redfish/v1/Systems/{SYSTEM_ID}{path}"
        with httpx.Client(verify=False, auth=(USERNAME, PASSWORD), trust_env=False) as client:
            return client.request(method, url, json=body).raise_for_status()


@contextmanager
def emulated(folder: Path) -> Iterator[Emulator]:
    certificate, key = _certificate(folder)
    auth, state = folder / "htpasswd", folder / "state"
    auth.write_bytes(USERNAME.encode() + b":" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)) + b"\n")
    state.mkdir()
    config = folder / "emulator.conf"
    config.write_text(CONFIG.format(auth=str(auth), state=str(state), system=SYSTEM_ID))
    port = free_port()
    program = Path(sys.executable).with_name("sushy-emulator")
    options = ["--config", str(config), "--interface", "127.0.0.1", "--port", str(port)]
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [str(program), *options, "--ssl-certificate", str(certificate), "--ssl-key", str(key)],
            stdout=log,
            stderr=log,
        )
    digest = hashlib.sha256(x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER))
    emulator = Emulator(f"127.0.0.1:{port}", digest.hexdigest())
    try:
        _wait_for(emulator, folder / "emulator.log")
        yield emulator
    finally:
        process.kill()
        process.wait()


def _wait_for(emulator: Emulator, log: Path) -> None:
    def answers() -> bool:
        try:
            emulator.power()
        except httpx.HTTPError:
            return False
        return True

    wait_until(answers, limit_s=PATIENCE_S, or_else=lambda: log.read_text()[-2000:])


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Return a self-signed certificate, as BMCs have."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bmc")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    certificate, private = folder / "bmc.crt", folder / "bmc.key"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private
