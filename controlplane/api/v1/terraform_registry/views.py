"""Routes of the Terraform provider registry. Public: Terraform sends no credential to a registry."""

from typing import Any

from django.http import FileResponse
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import PublicView
from controlplane.api.v1.terraform_registry.schemas import ProviderPackageOut, ProviderVersionsOut, ServicesOut
from controlplane.kernel.views import OCTET_STREAM, route
from controlplane.terraform import provider_registry

PROVIDERS = "/v1/terraform/providers/"


class Services(PublicView):
    """Service discovery: the address of this host's registry for Terraform."""

    @route("terraform_services", ServicesOut)
    def get(self, request: Request) -> Response:
        return Response({"providers.v1": PROVIDERS})


class ReleaseView(PublicView):
    def release(self) -> provider_registry.Release:
        return provider_registry.release_get(
            self.kwargs["namespace"], self.kwargs["terraform_provider"], self.kwargs["version"]
        )


class ProviderVersions(PublicView):
    @route("terraform_provider_version_list", ProviderVersionsOut)
    def get(self, request: Request) -> Response:
        releases = provider_registry.releases(self.kwargs["namespace"], self.kwargs["terraform_provider"])
        return Response(ProviderVersionsOut({"versions": [_version(each) for each in releases]}).data)


class ProviderPackage(ReleaseView):
    @route("terraform_provider_package_get", ProviderPackageOut)
    def get(self, request: Request) -> Response:
        release = self.release()
        package = provider_registry.package_get(release, self.kwargs["os"], self.kwargs["arch"])
        files = f"{PROVIDERS}{self.kwargs['namespace']}/{self.kwargs['terraform_provider']}/{release.version}/files/"
        key = {"key_id": release.key_id, "ascii_armor": (release.folder / provider_registry.KEY).read_text()}
        document = {
            "protocols": release.protocols,
            "os": package.os,
            "arch": package.arch,
            "filename": package.path.name,
            "download_url": f"{files}{package.path.name}",
            "shasums_url": f"{files}{provider_registry.SUMS}",
            "shasums_signature_url": f"{files}{provider_registry.SIGNATURE}",
            "shasum": package.sha256,
            "signing_keys": {"gpg_public_keys": [key]},
        }
        return Response(ProviderPackageOut(document).data)


class ProviderFile(ReleaseView):
    @route("terraform_provider_file_get", media_type=OCTET_STREAM)
    def get(self, request: Request) -> FileResponse:
        path = provider_registry.file_get(self.release(), self.kwargs["file"])
        return FileResponse(path.open("rb"), content_type=OCTET_STREAM)


def _version(release: provider_registry.Release) -> dict[str, Any]:
    platforms = [{"os": package.os, "arch": package.arch} for package in release.packages]
    return {"version": release.version, "protocols": release.protocols, "platforms": platforms}
