# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import BinaryIO

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Terraform(Resource):
    def services(self) -> models.Services:
        """GET /.well-known/terraform.json"""
        return self._scope.one(models.Services, Ask("GET", "/.well-known/terraform.json"))

    def provider_package(
        self, namespace: str, terraform_provider: str, version: str, os: str, arch: str
    ) -> models.ProviderPackage:
        """GET /v1/terraform/providers/{namespace}/{terraform_provider}/{version}/download/{os}/{arch}"""
        return self._scope.one(
            models.ProviderPackage,
            Ask(
                "GET",
                "/v1/terraform/providers/{namespace}/{terraform_provider}/{version}/download/{os}/{arch}",
                names={
                    "namespace": namespace,
                    "terraform_provider": terraform_provider,
                    "version": version,
                    "os": os,
                    "arch": arch,
                },
            ),
        )

    def provider_file(self, namespace: str, terraform_provider: str, version: str, file: str, to: BinaryIO) -> int:
        """GET /v1/terraform/providers/{namespace}/{terraform_provider}/{version}/files/{file}"""
        return self._scope.download(
            Ask(
                "GET",
                "/v1/terraform/providers/{namespace}/{terraform_provider}/{version}/files/{file}",
                names={
                    "namespace": namespace,
                    "terraform_provider": terraform_provider,
                    "version": version,
                    "file": file,
                },
            ),
            to,
        )

    def provider_version_list(self, namespace: str, terraform_provider: str) -> models.ProviderVersions:
        """GET /v1/terraform/providers/{namespace}/{terraform_provider}/versions"""
        return self._scope.one(
            models.ProviderVersions,
            Ask(
                "GET",
                "/v1/terraform/providers/{namespace}/{terraform_provider}/versions",
                names={"namespace": namespace, "terraform_provider": terraform_provider},
            ),
        )
