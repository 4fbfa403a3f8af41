"""Calls of the protocol, by their names in it: schemas, configuration, and the end."""

from collections.abc import Iterable

from clients.terraform.runtime.data_source_rpc import DataSourceRpc
from clients.terraform.runtime.diagnostics import DiagnosticReport
from clients.terraform.runtime.planning import validate
from clients.terraform.runtime.protocol import tfplugin6_pb2 as pb
from clients.terraform.runtime.resource_rpc import ResourceRpc
from clients.terraform.runtime.rpc_base import RpcBase, reporting_failures
from clients.terraform.runtime.schema import Schema
from clients.terraform.runtime.values import decode

CAPABILITIES = pb.ServerCapabilities(get_provider_schema_optional=True, move_resource_state=True)


class Service(ResourceRpc, DataSourceRpc, RpcBase):
    """The service. Called from several threads at once."""

    def GetMetadata(self, request: pb.GetMetadata.Request) -> pb.GetMetadata.Response:
        kinds = pb.GetMetadata
        return kinds.Response(
            server_capabilities=CAPABILITIES,
            resources=[kinds.ResourceMetadata(type_name=name) for name in self.resources],
            data_sources=[kinds.DataSourceMetadata(type_name=name) for name in self.data_sources],
            list_resources=[kinds.ListResourceMetadata(type_name=name) for name in self.listed],
            actions=[kinds.ActionMetadata(type_name=name) for name in self.actions],
            ephemeral_resources=[kinds.EphemeralMetadata(type_name=name) for name in self.ephemeral],
            functions=[kinds.FunctionMetadata(name=name) for name in self.functions],
        )

    def GetProviderSchema(self, request: pb.GetProviderSchema.Request) -> pb.GetProviderSchema.Response:
        return pb.GetProviderSchema.Response(
            server_capabilities=CAPABILITIES,
            provider=self.provider.schema.message(),
            resource_schemas=_messages((name, self.schema_of(resource)) for name, resource in self.resources.items()),
            data_source_schemas=_messages((name, source.schema) for name, source in self.data_sources.items()),
            list_resource_schemas=_messages((name, resource.list_schema) for name, resource in self.listed.items()),
            ephemeral_resource_schemas=_messages((name, resource.schema) for name, resource in self.ephemeral.items()),
            action_schemas={
                name: pb.ActionSchema(schema=action.schema.message()) for name, action in self.actions.items()
            },
            functions={name: self.function_message(function) for name, function in self.functions.items()},
        )

    def GetResourceIdentitySchemas(
        self, request: pb.GetResourceIdentitySchemas.Request
    ) -> pb.GetResourceIdentitySchemas.Response:
        return pb.GetResourceIdentitySchemas.Response(
            identity_schemas={
                name: pb.ResourceIdentitySchema(
                    identity_attributes=[attribute.message(key) for key, attribute in resource.identity.items()]
                )
                for name, resource in self.resources.items()
                if resource.identity
            }
        )

    def ValidateProviderConfig(self, request: pb.ValidateProviderConfig.Request) -> pb.ValidateProviderConfig.Response:
        report = DiagnosticReport()
        with reporting_failures(report):
            config = decode(request.config) or {}
            validate(self.provider.schema.attributes, config, report)
            self.provider.validate(config, report)
        return pb.ValidateProviderConfig.Response(diagnostics=report.messages())

    def ConfigureProvider(self, request: pb.ConfigureProvider.Request) -> pb.ConfigureProvider.Response:
        report = DiagnosticReport()
        with reporting_failures(report):
            self.provider.configure(decode(request.config) or {}, report)
        return pb.ConfigureProvider.Response(diagnostics=report.messages())

    def StopProvider(self, request: pb.StopProvider.Request) -> pb.StopProvider.Response:
        """Stop: running calls are not cancelled, since a started change must reach the state."""
        self.provider.stopping.set()
        return pb.StopProvider.Response()


def _messages(schemas: Iterable[tuple[str, Schema]]) -> dict[str, pb.Schema]:
    return {name: schema.message() for name, schema in schemas}
