"""Policy enforcement point: each call that gives a node data or work has a permit, and only the signer makes permits.

tests/workflows/test_permits.py tests the workflows' calls, and that the agent refuses calls without a permit.
"""

import ast
import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import get_type_hints

import controlplane
from agents.protocol import agent_pb2 as pb
from controlplane.nodes import agent_client
from controlplane.nodes.agent_client import CallAuthorization
from tests.workflows.test_permits import guarded_methods

ROOT = Path(controlplane.__file__).parent
METHODS = {method.name for method in pb.DESCRIPTOR.services_by_name["Agent"].methods}


def client_functions() -> dict[str, Callable[..., object]]:
    """The functions of agent_client that call an agent."""
    functions = inspect.getmembers(agent_client, inspect.isfunction)
    return {name: function for name, function in functions if hasattr(function, "__wrapped__")}


def test_guarded_client_functions_take_a_call_authorization() -> None:
    takes_grant = {
        name for name, function in client_functions().items() if CallAuthorization in get_type_hints(function).values()
    }
    ensures = {name for name in client_functions() if name.startswith("ensure_")}
    assert takes_grant == ensures - {
        "ensure_trust",
        "ensure_network",
        "ensure_port_rules",
        "ensure_metadata",
        "ensure_quarantine",
    }
    assert len(takes_grant) == len(guarded_methods())


@cache
def callers_by_name() -> Mapping[str, set[str]]:
    """Return the modules of ours that call something of a name, by that name."""
    result = defaultdict[str, set[str]](set)
    for file in ROOT.rglob("*.py"):
        module = file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                result[getattr(node.func, "attr", getattr(node.func, "id", ""))].add(module)
    return result


def callers(*names: str) -> set[str]:
    return set().union(*(callers_by_name()[name] for name in names))


def test_only_placement_makes_call_authorizations() -> None:
    of_roles = {"identity.service_accounts", "signin.openid.providers"}  # these grants are of another kind
    assert callers("CallAuthorization") - of_roles == {"placement.services"}
    assert callers("as_message") == {"nodes.agent_client", "storage_clusters.volume_calls"}


def test_only_step_permits_and_the_signer_handle_permits() -> None:
    assert callers("obtain_permit") == {"workflows.step_permits"}
    of_documents = {
        "signer.floors",
        "signer.segments",
        "signer.port_rules",
        "signer.announcements",
        "signer.instance_metadata",
    }
    assert callers("signing_key") == {"signer.permits", *of_documents}
    assert callers("cosigning_key") == {"signer.sentinel"}
    assert callers("denying_key") == {"nodes.management.commands.permit_deny", "signer.revoke_retired"}


def test_only_clients_and_the_watcher_open_agent_channels() -> None:
    of_nodes = {"nodes.channels", "nodes.guest_client", "watcher.streams"}
    of_storage_agents = {"storage_clusters.storage_client", "watcher.storage_receipts"}
    known = {*of_nodes, *of_storage_agents, "announcers.announcer_client"}
    assert callers("secure_channel", "insecure_channel", "AgentStub") == known


def test_stream_process_only_opens_consoles_and_tunnels() -> None:
    tree = ast.parse((ROOT / "nodes" / "guest_client.py").read_text())
    calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert calls & METHODS == {"OpenConsole", "OpenTcp"}


def test_watcher_makes_only_unguarded_calls() -> None:
    tree = ast.parse((ROOT / "watcher" / "streams.py").read_text())
    calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert calls & METHODS == {"Watch", "EnsureTrust", "RenewLease"}


def test_only_placement_writes_allocations() -> None:
    """Elsewhere they are read; a place that nobody decided would be one more door."""
    writes = {"create", "bulk_create", "update", "delete", "get_or_create", "update_or_create"}
    writers = {
        file.relative_to(ROOT).as_posix()
        for file in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in writes
        if "Allocation.objects" in ast.unparse(node.func)
    }
    assert writers == {"placement/services.py"}
