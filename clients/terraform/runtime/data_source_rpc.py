"""Calls about data sources, lists, actions, ephemeral resources and functions."""

import json
from collections.abc import Iterator

from clients.terraform.runtime import planning
from clients.terraform.runtime.diagnostics import DiagnosticReport
from clients.terraform.runtime.protocol import tfplugin6_pb2 as pb
from clients.terraform.runtime.provider import Found, Function, Resource
from clients.terraform.runtime.rpc_base import RpcBase, read_private, reporting_failures, write_private
from clients.terraform.runtime.schema import conform
from clients.terraform.runtime.values import decode, encode, without_unknown


class DataSourceRpc(RpcBase):
    def ValidateDataResourceConfig(
        self, request: pb.ValidateDataResourceConfig.Request
    ) -> pb.ValidateDataResourceConfig.Response:
        report, source = DiagnosticReport(), self.data_sources[request.type_name]
        with reporting_failures(report):
            config = decode(request.config)
            planning.validate(source.schema.attributes, config, report)
            source.validate(config, report)
        return pb.ValidateDataResourceConfig.Response(diagnostics=report.messages())

    def ReadDataSource(self, request: pb.ReadDataSource.Request) -> pb.ReadDataSource.Response:
        report, source = DiagnosticReport(), self.data_sources[request.type_name]
        response = pb.ReadDataSource.Response()
        with reporting_failures(report):
            config = decode(request.config)
            defaults = planning.proposed(source.schema.attributes, config, None)
            values = {**defaults, **source.read(defaults, report)}
            response.state.CopyFrom(encode(without_unknown(conform(values, source.schema.attributes))))
        response.diagnostics.extend(report.messages())
        return response

    def ValidateListResourceConfig(
        self, request: pb.ValidateListResourceConfig.Request
    ) -> pb.ValidateListResourceConfig.Response:
        report = DiagnosticReport()
        with reporting_failures(report):
            planning.validate(self.listed[request.type_name].list_schema.attributes, decode(request.config), report)
        return pb.ValidateListResourceConfig.Response(diagnostics=report.messages())

    def ListResource(self, request: pb.ListResource.Request) -> Iterator[pb.ListResource.Event]:
        report, resource = DiagnosticReport(), self.listed[request.type_name]
        with reporting_failures(report):
            config, with_state = decode(request.config) or {}, request.include_resource_object
            for item in resource.list(config, limit=request.limit, with_state=with_state):
                yield self._found(resource, item)
        if report.diagnostics:
            yield pb.ListResource.Event(diagnostic=report.messages())

    def _found(self, resource: Resource, item: Found) -> pb.ListResource.Event:
        event = pb.ListResource.Event(display_name=item.name)
        event.identity.identity_data.CopyFrom(encode(item.identity))
        if item.state is not None:
            state = without_unknown(conform(item.state, self.schema_of(resource).attributes))
            event.resource_object.CopyFrom(encode(state))
        return event

    def ValidateActionConfig(self, request: pb.ValidateActionConfig.Request) -> pb.ValidateActionConfig.Response:
        report = DiagnosticReport()
        with reporting_failures(report):
            planning.validate(self.actions[request.type_name].schema.attributes, decode(request.config), report)
        return pb.ValidateActionConfig.Response(diagnostics=report.messages())

    def PlanAction(self, request: pb.PlanAction.Request) -> pb.PlanAction.Response:
        return pb.PlanAction.Response()

    def InvokeAction(self, request: pb.InvokeAction.Request) -> Iterator[pb.InvokeAction.Event]:
        report, action = DiagnosticReport(), self.actions[request.action_type]
        with reporting_failures(report):
            config = planning.proposed(action.schema.attributes, decode(request.config), None)
            for line in action.invoke(config, report):
                yield pb.InvokeAction.Event(progress=pb.InvokeAction.Event.Progress(message=line))
        yield pb.InvokeAction.Event(completed=pb.InvokeAction.Event.Completed(diagnostics=report.messages()))

    def ValidateEphemeralResourceConfig(
        self, request: pb.ValidateEphemeralResourceConfig.Request
    ) -> pb.ValidateEphemeralResourceConfig.Response:
        report = DiagnosticReport()
        with reporting_failures(report):
            planning.validate(self.ephemeral[request.type_name].schema.attributes, decode(request.config), report)
        return pb.ValidateEphemeralResourceConfig.Response(diagnostics=report.messages())

    def OpenEphemeralResource(self, request: pb.OpenEphemeralResource.Request) -> pb.OpenEphemeralResource.Response:
        report, resource = DiagnosticReport(), self.ephemeral[request.type_name]
        response = pb.OpenEphemeralResource.Response()
        with reporting_failures(report):
            config = planning.proposed(resource.schema.attributes, decode(request.config), None)
            values, private = resource.open(config)
            opened = conform({**config, **values}, resource.schema.attributes)
            response.result.CopyFrom(encode(without_unknown(opened)))
            response.private = write_private(private)
        response.diagnostics.extend(report.messages())
        return response

    def RenewEphemeralResource(self, request: pb.RenewEphemeralResource.Request) -> pb.RenewEphemeralResource.Response:
        """Refuse: open() never requests a renewal."""
        return pb.RenewEphemeralResource.Response(private=request.private)

    def CloseEphemeralResource(self, request: pb.CloseEphemeralResource.Request) -> pb.CloseEphemeralResource.Response:
        report = DiagnosticReport()
        with reporting_failures(report):
            self.ephemeral[request.type_name].close(read_private(request.private))
        return pb.CloseEphemeralResource.Response(diagnostics=report.messages())

    def GetFunctions(self, request: pb.GetFunctions.Request) -> pb.GetFunctions.Response:
        return pb.GetFunctions.Response(
            functions={name: self.function_message(function) for name, function in self.functions.items()}
        )

    def CallFunction(self, request: pb.CallFunction.Request) -> pb.CallFunction.Response:
        report, function = DiagnosticReport(), self.functions[request.name]
        response = pb.CallFunction.Response()
        with reporting_failures(report):
            response.result.CopyFrom(encode(function.call(*map(decode, request.arguments))))
        if report.has_errors:
            remark = report.diagnostics[0]
            response.error.text = f"{remark.summary}. {remark.detail}".strip()
        return response

    @staticmethod
    def function_message(function: Function) -> pb.Function:
        message = pb.Function(
            summary=function.summary,
            description=function.description,
            description_kind=pb.MARKDOWN,
            parameters=[
                pb.Function.Parameter(name=name, type=json.dumps(of.as_json()).encode())
                for name, of in function.parameters.items()
            ],
        )
        getattr(message, "return").type = json.dumps(function.returns.as_json()).encode()
        return message
