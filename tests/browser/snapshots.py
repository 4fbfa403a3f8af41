"""A storage cluster for the cloud of the dashboard, with a snapshot and a snapshot schedule."""

from contextlib import closing

from scripts.api import Api
from scripts.dashboard_cloud import World
from tests.fake_storage import POOL, start_storage

VOLUME, SNAPSHOT, SCHEDULE = "dossiers", "avant-mise-a-jour", "chaque-nuit"


def add_snapshots(world: World) -> None:
    """Start the storage cluster and make a volume, a snapshot and a schedule, which World.address() knows by name."""
    with closing(Api(world.url, world.operator)) as operator:
        start_storage(world.cloud.stack, operator, zone="fr-idf-1")
    with closing(world.api()) as api:
        made = {VOLUME: api.post("volumes", {"name": VOLUME, "size_gib": 20, "volume_type": POOL})}
        api.wait(made[VOLUME]["operation"])
        made[SNAPSHOT] = api.post("snapshots", {"name": SNAPSHOT, "volume": VOLUME, "labels": {"env": "prod"}})
        api.wait(made[SNAPSHOT]["operation"])
        times = {"frequency": "weekly", "weekday": "sunday", "at": "02:30", "timezone": "Europe/Paris"}
        made[SCHEDULE] = api.post("snapshot-schedules", {"name": SCHEDULE, "volume": VOLUME, **times})
    world.ids.update({name: each["id"] for name, each in made.items()})
