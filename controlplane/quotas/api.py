"""What a project may use and uses."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity.api import ProjectView
from controlplane.kernel.fields import Out
from controlplane.kernel.rest import route
from controlplane.quotas.selectors import usage


class LimitOut(Out):
    dimension = serializers.CharField()
    used = serializers.IntegerField()
    limit = serializers.IntegerField()


class LimitsOut(Out):
    items = LimitOut(many=True)


class Limits(ProjectView):
    @route("limits_get", LimitsOut)
    def get(self, request: Request) -> Response:
        return Response(LimitsOut({"items": usage(self.project.pk)}).data)
