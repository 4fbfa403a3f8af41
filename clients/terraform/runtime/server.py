"""The process of a provider: Terraform starts it, reads one line from its standard output, and calls it by a socket.

With -debug a person starts it, for any number of Terraform's commands.
"""

import base64
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, TypeAlias

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.message_factory import GetMessageClass

from clients.terraform.runtime.protocol import tfplugin6_pb2 as pb
from clients.terraform.runtime.provider import Provider
from clients.terraform.runtime.service import Service

COOKIE = ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2")
MAX_MESSAGE_BYTES = 256 * 1024 * 1024
THREADS = 32
DEBUG = "-debug"  # what other providers call it
PARENT_INTERVAL_S = 1.0
GRACE_S = 10.0

Handler = Callable[[Any, grpc.ServicerContext], Any]
RpcMethod: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def serve(provider: Provider) -> int:
    """Serve until Terraform stops the provider or ends. Returns the exit status."""
    if DEBUG in sys.argv[1:]:
        return _debug(provider)
    if os.environ.get(COOKIE[0]) != COOKIE[1]:
        sys.stderr.write(f"This is a plugin: Terraform starts it, people do not, unless with {DEBUG}.\n")
        return 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; Terraform then calls StopProvider
    done = Event()
    with tempfile.TemporaryDirectory(prefix="tf-plugin-") as folder:
        key, certificate = _credentials()
        socket = Path(folder) / "plugin.sock"
        server = _server(provider, done)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        if not server.add_secure_port(f"unix:{socket}", grpc.ssl_server_credentials([(key, pem)])):
            sys.stderr.write("The plugin cannot listen on its socket.\n")
            return 1
        server.start()
        _shake_hands(socket, certificate)
        _wait(done)
        server.stop(GRACE_S).wait()
    return 0


def _debug(provider: Provider) -> int:
    """Serve until Ctrl-C or SIGTERM, or the end of the parent process.

    Prints the variable that makes Terraform call this process instead of one of its own.
    """
    done = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with tempfile.TemporaryDirectory(prefix="tf-plugin-") as folder:
        socket = Path(folder) / "plugin.sock"
        server = _server(provider, done)
        server.add_insecure_port(f"unix:{socket}")  # the folder excludes other users
        server.start()
        sys.stdout.write(f"TF_REATTACH_PROVIDERS='{json.dumps(_reattachment(provider, socket))}'\n")
        sys.stdout.flush()
        _wait(done)
        server.stop(GRACE_S).wait()
    return 0


def _reattachment(provider: Provider, socket: Path) -> dict[str, object]:
    """Return the reattachment data. `Test`: Terraform does not end the process."""
    address = {"Network": "unix", "String": str(socket)}
    handshake = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
    return {provider.source: handshake}


def _shake_hands(socket: Path, certificate: x509.Certificate) -> None:
    """Print the line that Terraform waits for. Standard output must contain nothing else."""
    encoded = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode().rstrip("=")
    sys.stdout.write(f"1|6|unix|{socket}|grpc|{encoded}\n")
    sys.stdout.flush()
    sys.stdout = sys.stderr


def _wait(done: Event) -> None:
    parent = os.getppid()
    while not done.wait(PARENT_INTERVAL_S):
        if os.getppid() != parent:
            return


def _credentials() -> tuple[bytes, x509.Certificate]:
    """Return the server's credentials; Terraform's own certificate has a curve that gRPC does not support.

    The permissions of the socket's folder exclude other users.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, certificate


def _server(provider: Provider, done: Event) -> grpc.Server:
    limits = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ]
    server = grpc.server(ThreadPoolExecutor(THREADS), options=limits)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("tfplugin6.Provider", _provider_methods(Service(provider))),
            grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": _shutdown(done)}),
            grpc.method_handlers_generic_handler("plugin.GRPCStdio", {"StreamStdio": _silence(done)}),
        )
    )
    return server


def _provider_methods(service: Service) -> dict[str, RpcMethod]:
    """Return the methods of the protocol that the service implements, by name."""
    methods = {}
    for method in pb.DESCRIPTOR.services_by_name["Provider"].methods:
        behaviour = getattr(service, method.name, None)
        if behaviour is None:
            continue
        make = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        methods[method.name] = make(
            _without_context(behaviour),
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
    return methods


def _without_context(behaviour: Callable[[Any], Any]) -> Handler:
    return lambda request, context: behaviour(request)


def _shutdown(done: Event) -> RpcMethod:
    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        done.set()
        return b""

    return grpc.unary_unary_rpc_method_handler(answer)


def _silence(done: Event) -> RpcMethod:
    """Stream nothing until the end: Terraform needs this stream open; the plugin has nothing to print there."""

    def answer(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        while context.is_active() and not done.wait(PARENT_INTERVAL_S):
            pass
        yield from ()

    return grpc.unary_stream_rpc_method_handler(answer)
