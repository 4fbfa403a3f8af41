"""Actions on an instance that do not change its definition."""

import time
from collections.abc import Iterator

from clients.terraform.cloud import Cloud, project_path, translated_errors
from clients.terraform.runtime.diagnostics import DiagnosticReport
from clients.terraform.runtime.provider import Action
from clients.terraform.runtime.schema import BOOL, STRING, Attribute, Schema
from clients.terraform.runtime.values import Values

LIMIT_S = 360


class InstanceReboot(Action):
    name = "instance_reboot"
    schema = Schema(
        {
            "project": Attribute(type=STRING, description="The project; the provider's when not given.", optional=True),
            "instance": Attribute(type=STRING, description="The id or name of the instance.", required=True),
            "is_hard": Attribute(
                type=BOOL, description="Reset it, without asking its system to shut down.", default=False
            ),
        },
        "Reboots an instance: `terraform apply -invoke=action.andromede_instance_reboot.NAME`, or as a trigger.",
    )

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def invoke(self, config: Values, report: DiagnosticReport) -> Iterator[str]:
        api = self.cloud.api
        with translated_errors(self.schema.attributes):
            project, instance = config["project"] or api.project(), config["instance"]
            verb = "reset" if config["is_hard"] else "reboot"
            path = project_path(project, "instances", instance, "actions", verb)
            operation = api.post(path, {})["operation"]
            yield f"{instance}: {operation['kind']} is asked for, operation {operation['id']}"
            ended = api.ended(project, operation, deadline=time.monotonic() + LIMIT_S)
            for step in ended["steps"]:
                yield f"{instance}: {step['name']} {step['state']}"
