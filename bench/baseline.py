"""The floor of bench/api.py: a plain application of Django and REST framework, without authentication.

One table; a POST writes one row, a GET reads one, a list reads a page of them.

gunicorn bench.baseline:application
"""

import os
import sys
import uuid
from pathlib import Path
from typing import ClassVar

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

DATABASE = "floor"

if not settings.configured:
    settings.configure(
        SECRET_KEY="of no use to anybody",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        INSTALLED_APPS=["rest_framework"],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": DATABASE,
                "USER": "andromede",
                "HOST": str(Path(os.environ.get("ANDROMEDE_VAR_DIR", "var")).resolve() / "run"),
                "CONN_MAX_AGE": 600,
                "CONN_HEALTH_CHECKS": True,
            }
        },
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_PERMISSION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
            "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.CursorPagination",
            "PAGE_SIZE": 50,
            "UNAUTHENTICATED_USER": None,
        },
    )
    django.setup()

from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import generics, serializers  # noqa: E402
from rest_framework.pagination import CursorPagination  # noqa: E402


class Machine(models.Model):
    """A table with the columns that an instance's answer has of its own row."""

    objects: ClassVar[models.Manager["Machine"]]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=63)
    state = models.CharField(max_length=16, default="building")
    power_state = models.CharField(max_length=16, default="unknown")
    flavor = models.CharField(max_length=63)
    image = models.CharField(max_length=63)
    vcpus = models.PositiveSmallIntegerField(default=1)
    memory_mib = models.PositiveIntegerField(default=512)
    disk_gib = models.PositiveIntegerField(default=10)
    generation = models.PositiveBigIntegerField(default=1)
    labels = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "floor"
        indexes = [models.Index(fields=["created_at"], name="floor_machine_by_age")]

    def __str__(self) -> str:
        return self.name


class MachineSerializer(serializers.ModelSerializer[Machine]):
    class Meta:
        model = Machine
        fields = "__all__"


class Pages(CursorPagination):
    page_size = 50
    ordering = "created_at"


class MachineList(generics.ListCreateAPIView[Machine]):
    queryset = Machine.objects.all()
    serializer_class = MachineSerializer
    pagination_class = Pages


class MachineDetail(generics.RetrieveAPIView[Machine]):
    queryset = Machine.objects.all()
    serializer_class = MachineSerializer


urlpatterns = [path("machines", MachineList.as_view()), path("machines/<uuid:pk>", MachineDetail.as_view())]
application = get_wsgi_application()


def fill(count: int) -> uuid.UUID:
    """Make the table with this number of rows. Returns the id of one in the middle."""
    with connection.schema_editor() as editor:
        editor.create_model(Machine)
    rows = [
        Machine(name=f"vm-{number}", flavor="tiny", image="tiny", labels={"n": str(number)}) for number in range(count)
    ]
    Machine.objects.bulk_create(rows, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    middle: uuid.UUID = rows[count // 2].pk
    return middle


if __name__ == "__main__":
    print(fill(int(sys.argv[1])))
