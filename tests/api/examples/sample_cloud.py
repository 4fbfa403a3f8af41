"""The cloud of the examples: a node in a zone of the sample catalogue, and the users of acme."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from controlplane.identity.credentials import actor_for
from controlplane.identity.models import Organization, User
from controlplane.identity.services import membership_set, user_create
from controlplane.identity.tokens import NewToken, own_token_create
from controlplane.kernel.ids import new_id
from controlplane.operations.models import Operation
from tests.api.client import Answer, Caller
from tests.api.examples.normalizer import Normalizer
from tests.api.examples.recorder import BODIES, ExampleRecorder
from tests.facts import LONG_AGO, sample_catalogue
from tests.services.policies import import_all
from tests.world import FakeMachine, World, make_flavor, make_volume_type, run

NAMES = {"organization": "acme", "project": "web", "zone": "fr-idf-1", "node": "par-1", "instance": "web-1"}


@dataclass
class SampleCloud:
    """Users: `ada` owns acme; `olga` and `otto` are its sovereignty officers; `oscar` is the platform's operator."""

    book: ExampleRecorder
    world: World
    folder: Path
    nobody: Caller
    oscar: Caller
    ada: Caller
    olga: Caller
    otto: Caller

    @property
    def machine(self) -> FakeMachine:
        return self.world.machines[0]

    def done(self, answer: Answer) -> Any:
        """Return the resource of a request, after its operation."""
        self.done_operation(answer.operation["id"])
        return answer.body

    def done_operation(self, operation_id: str) -> None:
        operation = run(Operation.objects.get(pk=operation_id))
        assert operation.state == "succeeded", operation.error


def signed_in(user: User) -> Caller:
    """Return a client with a token that is valid wherever the user has a role."""
    new = NewToken("console", "", timedelta(days=30), is_platform=bool(user.platform_role))
    caller = Caller(token=own_token_create(actor_for(user, credential_id=new_id()), new)[1])
    caller.http.defaults |= {"REMOTE_ADDR": "198.51.100.7"}
    return caller


def make_sample_cloud(world: World, folder: Path, *, began: datetime, epoch: int) -> SampleCloud:
    """Make the cloud. Acme is made as every organization is; its node exists before all users."""
    import_all()
    world.publish_keys()
    world.add_machine("fr-idf-1", name="par-1")
    make_flavor("small", memory_mib=2048, disk_gib=10)
    make_flavor("medium", vcpus=2, memory_mib=4096, disk_gib=20)
    make_volume_type()
    book = ExampleRecorder(Normalizer(began, epoch, [*BODIES, sample_catalogue(), LONG_AGO.isoformat()]), dict(NAMES))
    ada = user_create(email="ada@acme.example")
    oscar = signed_in(user_create(email="oscar@cloud.example", is_operator=True))
    book.show(oscar, "organization_create")
    acme = Organization.objects.get(name="acme")
    officers = [user_create(email=f"{name}@acme.example") for name in ("olga", "otto")]
    for each in officers:
        membership_set(acme, user=each, role="sovereignty_officer")
    olga, otto = map(signed_in, officers)
    return SampleCloud(book, world, folder, Caller(token=None), oscar, signed_in(ada), olga, otto)
