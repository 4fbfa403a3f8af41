"""Create volumes under altered permits, and check the agent's answers."""

from uuid import UUID

import grpc

from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, Refusal, refusal

FORBIDDEN = grpc.StatusCode.PERMISSION_DENIED
RETRYABLE = {"expired", "revoked_by_epoch", "stale_facts"}


def permitted(agent: AgentUnderTest, request: pb.EnsureVolumeRequest, **changes: object) -> pb.EnsureVolumeRequest:
    """Return the request with an altered permit."""
    request.permit.CopyFrom(agent.stub.permit_for(request, **changes))
    return request


def refused(agent: AgentUnderTest, **changes: object) -> str:
    """Return the code, without its prefix, of the refusal of a volume."""
    return code_of(agent, permitted(agent, specs.volume(), **changes))


def code_of(agent: AgentUnderTest, request: pb.EnsureVolumeRequest) -> str:
    error = refusal(lambda: agent.stub.bare.EnsureVolume(request))
    assert UUID(request.subject.id) not in agent.fake.volumes
    return permit_code(error)


def permit_code(found: Refusal) -> str:
    assert found.status is FORBIDDEN and found.code.startswith("agent.permit.")
    code = found.code.removeprefix("agent.permit.")
    assert found.is_retryable == (code in RETRYABLE)
    return code


def accepted(agent: AgentUnderTest, **changes: object) -> None:
    request = permitted(agent, specs.volume(), **changes)
    agent.stub.bare.EnsureVolume(request)
    assert UUID(request.subject.id) in agent.fake.volumes
