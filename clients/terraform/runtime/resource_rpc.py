"""Calls about resources."""

import json
import time
from collections.abc import Callable

from clients.terraform.runtime import planning
from clients.terraform.runtime.diagnostics import DiagnosticReport, Failure, path_message
from clients.terraform.runtime.protocol import tfplugin6_pb2 as pb
from clients.terraform.runtime.provider import Plan, Resource, Work
from clients.terraform.runtime.rpc_base import RpcBase, read_private, reporting_failures, write_private
from clients.terraform.runtime.schema import conform
from clients.terraform.runtime.values import Values, decode, encode, is_known, without_unknown

IMPORTED = "imported"


class ResourceRpc(RpcBase):
    def ValidateResourceConfig(self, request: pb.ValidateResourceConfig.Request) -> pb.ValidateResourceConfig.Response:
        report, resource = DiagnosticReport(), self.resources[request.type_name]
        with reporting_failures(report):
            config = decode(request.config)
            planning.validate(self.schema_of(resource).attributes, config, report)
            resource.validate(config, report)
        return pb.ValidateResourceConfig.Response(diagnostics=report.messages())

    def UpgradeResourceState(self, request: pb.UpgradeResourceState.Request) -> pb.UpgradeResourceState.Response:
        report, resource = DiagnosticReport(), self.resources[request.type_name]
        response = pb.UpgradeResourceState.Response()
        with reporting_failures(report):
            state = _upgraded(resource, json.loads(request.raw_state.json), request.version)
            response.upgraded_state.CopyFrom(encode(conform(state, self.schema_of(resource).attributes)))
        response.diagnostics.extend(report.messages())
        return response

    def UpgradeResourceIdentity(
        self, request: pb.UpgradeResourceIdentity.Request
    ) -> pb.UpgradeResourceIdentity.Response:
        names, given = self.resources[request.type_name].identity, json.loads(request.raw_identity.json)
        return pb.UpgradeResourceIdentity.Response(
            upgraded_identity=_identity_message({name: given.get(name) for name in names})
        )

    def ReadResource(self, request: pb.ReadResource.Request) -> pb.ReadResource.Response:
        report, resource = DiagnosticReport(), self.resources[request.type_name]
        private, state = read_private(request.private), decode(request.current_state)
        response = pb.ReadResource.Response(new_state=request.current_state, private=request.private)
        response.new_identity.CopyFrom(request.current_identity)
        with reporting_failures(report):
            limit_s = resource.timeouts.of("read", state.get("timeouts"))
            values = resource.read(state, private, time.monotonic() + limit_s)
            response.private = write_private(private)
            if values is None:
                response.new_state.CopyFrom(encode(None))
            else:
                read = self._state(resource, {**state, **values, "timeouts": state.get("timeouts")})
                response.new_state.CopyFrom(encode(read))
                _identify(response.new_identity, resource, read)
        response.diagnostics.extend(report.messages())
        return response

    def PlanResourceChange(self, request: pb.PlanResourceChange.Request) -> pb.PlanResourceChange.Response:
        report, resource = DiagnosticReport(), self.resources[request.type_name]
        response = pb.PlanResourceChange.Response(planned_private=request.prior_private)
        response.planned_identity.CopyFrom(request.prior_identity)
        if decode(request.proposed_new_state) is None:
            response.planned_state.CopyFrom(encode(None))
            return response
        with reporting_failures(report):
            plan = self._plan(resource, request, report)
            response.planned_state.CopyFrom(encode(conform(plan.planned, plan.schema.attributes)))
            response.requires_replace.extend(path_message(path) for path in plan.replace)
            response.planned_private = write_private(plan.private)
        response.diagnostics.extend(report.messages())
        return response

    def _plan(self, resource: Resource, request: pb.PlanResourceChange.Request, report: DiagnosticReport) -> Plan:
        schema = self.schema_of(resource)
        attributes = schema.attributes
        config, prior = decode(request.config), decode(request.prior_state)
        planned = planning.proposed(attributes, config, prior)
        replace = [] if prior is None else [(name,) for name in planning.replacing(attributes, prior, planned)]
        plan = Plan(schema, config, prior, planned, read_private(request.prior_private), report, [*replace])
        resource.plan(plan)
        if prior is not None and set(plan.differing()) - {"timeouts"}:
            planning.forget_volatile(attributes, config, planned)
        return plan

    def ApplyResourceChange(self, request: pb.ApplyResourceChange.Request) -> pb.ApplyResourceChange.Response:
        report, resource = DiagnosticReport(), self.resources[request.type_name]
        prior, planned = decode(request.prior_state), decode(request.planned_state)
        verb = "delete" if planned is None else "create" if prior is None else "update"
        limit_s = resource.timeouts.of(verb, (planned or prior)["timeouts"])
        work = Work(
            config=decode(request.config) or {},
            prior=prior,
            planned=planned or {},
            private=read_private(request.planned_private),
            deadline=time.monotonic() + limit_s,
            report=report,
            state=dict(prior or {}),
        )
        act: Callable[[Work], None] = getattr(resource, verb)
        with reporting_failures(report):
            act(work)
        state = self._outcome(resource, verb, work)
        response = pb.ApplyResourceChange.Response(new_state=encode(state), private=write_private(work.private))
        if state is not None:
            _identify(response.new_identity, resource, state)
        response.diagnostics.extend(report.messages())
        return response

    def _outcome(self, resource: Resource, verb: str, work: Work) -> Values | None:
        """Return the state after an operation, also a failed one: an existing object is never forgotten."""
        is_failed = work.report.has_errors
        if verb == "delete":
            return self._state(resource, work.state) if is_failed else None
        if verb == "create" and is_failed and not work.is_saved:
            return None
        if verb == "update" and is_failed:
            return self._state(resource, work.state)
        return self._state(resource, planning.with_known_values(work.planned, work.state))

    def _state(self, resource: Resource, values: Values) -> Values:
        state: Values = without_unknown(conform(values, self.schema_of(resource).attributes))
        return state

    def ImportResourceState(self, request: pb.ImportResourceState.Request) -> pb.ImportResourceState.Response:
        report, resource = DiagnosticReport(), self.resources[request.type_name]
        response = pb.ImportResourceState.Response()
        with reporting_failures(report):
            identity = decode(request.identity.identity_data)
            values = resource.import_by_identity(identity) if identity else resource.import_by_id(request.id)
            imported = pb.ImportResourceState.ImportedResource(
                type_name=request.type_name,
                state=encode(self._state(resource, values)),
                private=write_private({IMPORTED: True}),
            )
            if identity:
                imported.identity.CopyFrom(request.identity)
            response.imported_resources.append(imported)
        response.diagnostics.extend(report.messages())
        return response

    def MoveResourceState(self, request: pb.MoveResourceState.Request) -> pb.MoveResourceState.Response:
        report, resource = DiagnosticReport(), self.resources[request.target_type_name]
        response = pb.MoveResourceState.Response()
        with reporting_failures(report):
            state = resource.moved_from(request.source_type_name, json.loads(request.source_state.json))
            if state is None:
                raise Failure(f"A {request.source_type_name} cannot become a {request.target_type_name}")
            moved = self._state(resource, state)
            response.target_state.CopyFrom(encode(moved))
            response.target_private = request.source_private
            _identify(response.target_identity, resource, moved)
        response.diagnostics.extend(report.messages())
        return response


def _upgraded(resource: Resource, state: Values, version: int) -> Values:
    """Upgrade a state of an older provider. Terraform itself refuses states of a newer one."""
    for number in range(version, resource.schema.version):
        state = resource.upgrades[number](state)
    return state


def _identify(message: pb.ResourceIdentityData, resource: Resource, state: Values) -> None:
    if resource.identity:
        identity = resource.identity_of(state)
        if is_known(identity):
            message.CopyFrom(_identity_message(identity))


def _identity_message(identity: Values) -> pb.ResourceIdentityData:
    return pb.ResourceIdentityData(identity_data=encode(identity))
