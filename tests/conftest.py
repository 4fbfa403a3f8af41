"""Order of the tests in several processes, and the content of the database.

Rows from migrations are there in every test, also after one that has emptied all tables.
"""

import gc
from collections.abc import Iterator
from itertools import count
from unittest.mock import patch

import pytest
from django.db import connection
from hypothesis import settings as hypothesis
from pytest_django import DjangoDbBlocker
from whitenoise.middleware import WhiteNoiseMiddleware
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from controlplane.catalog.models import FactsEpoch
from controlplane.compliance.models import Sweep
from controlplane.operations import maintenance
from controlplane.placement.models import PolicyHead
from scripts.with_services import TEMPLATE

pytest_plugins = ["tests.ceph"]

# What these start (a lab, a cloud, a control plane) is there once, and shared by all tests of the group. They begin in
# this order, the longest first: a group that begins late has one processor to itself at the end, and leaves the other
# to nobody. In a group there are never two guests that boot at once.
GROUPS = {
    "tests/cloud/": "cloud",
    "tests/clients/": "clients",
    "tests/terraform/": "clients",
    "tests/agents/on_libvirt/": "guests",
    "tests/agents/storage/": "guests",  # one Ceph cluster, which test_rbd.py of the guests starts too
    "tests/agents/test_volume_copies_real.py": "guests",
    "tests/chaos/test_cluster_checks.py": "guests",
    "tests/browser/": "browser",
    "tests/lab/": "lab",
    "tests/fuzz/": "storms",
    "tests/chaos/test_storm.py": "storms",
    "tests/benchmarks/": "benchmarks",
}
ORDER = list(dict.fromkeys(GROUPS.values()))
# In these, what is dear is made once for all tests of a file or a folder: by one process, and not by each.
TOGETHER = (
    "tests/api/test_openid.py",
    "tests/dashboard/test_sign_in_pages.py",
    "tests/services/placement/test_shipped_classifications.py",
    "tests/services/test_cloud_copies.py",  # one test after the other
    "tests/stream/",
    "tests/unit/test_commands_of_stacks.py",
    "tests/unit/test_dashboard_french.py",
    "tests/workflows/test_node_fence.py",
)
ARE_THERE = f"""
SELECT EXISTS (SELECT FROM {FactsEpoch._meta.db_table} WHERE id = 1),
    EXISTS (SELECT FROM {PolicyHead._meta.db_table} WHERE organization_id IS NULL),
    EXISTS (SELECT FROM {Sweep._meta.db_table} WHERE id = 1)
"""
NEVER_EMPTIED = "audit_never_emptied"
_epochs = count(10_000, 10_000)  # far from that of the migrations and from each other: tests begin new ones

gc.set_threshold(10_000, 10, 10)  # as the web process has it

hypothesis.register_profile("untimed", deadline=None)  # no test depends on the speed of the machine
hypothesis.load_profile("untimed")


class ByGroup(LoadScopeScheduling):
    """Schedules each group in one process. A test without a group is a group of its own.

    When a process dies, its current test has failed and is not tried again, and another process does the rest.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid) or next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)

    def schedule(self) -> None:
        """Schedule tests; a process begins a test when it knows the next one.

        xdist gives a replacement process a single unit, and waits for ever.
        """
        super().schedule()
        for node in self.nodes:
            self._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """Remove the test in which a process died, which xdist would try again."""
        work = self.assigned_work[node]
        died_in = next((each for unit in work.values() for each, is_done in unit.items() if not is_done), None)
        if died_in is not None:
            work[self._split_scope(died_in)][died_in] = True
        self.assigned_work[node] = {scope: unit for scope, unit in work.items() if not all(unit.values())}
        super().remove_node(node)
        return died_in


def group_of(nodeid: str) -> str | None:
    return next((group for place, group in GROUPS.items() if nodeid.startswith(place)), None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--count", type=int, default=1, help="Run each test so many times.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    count = metafunc.config.getoption("--count")
    if count > 1:
        metafunc.fixturenames.append("repetition")
        metafunc.parametrize("repetition", range(count), indirect=True)


@pytest.fixture
def repetition(request: pytest.FixtureRequest) -> int:
    """Return the number of the repetition, with --count."""
    return int(request.param)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    config.option.loadscopereorder = False  # they have their order
    return ByGroup(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort for several processes: groups before the others, in their order."""
    if hasattr(config, "workerinput"):
        rank = {group: place for place, group in enumerate(ORDER)}
        items.sort(key=lambda item: rank.get(group_of(item.nodeid) or "", len(rank)))


def pytest_collection_finish() -> None:
    """Freeze the garbage collector: thousands of collected tests are not scanned again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Connect again where a test has lost the database connection, so that no other test fails for it."""
    lost = connection.connection
    if lost is not None and lost.closed:
        connection.connect()


@pytest.fixture(scope="session", autouse=True)
def static_files_are_found_once() -> Iterator[None]:
    """Cache the static files.

    Each test's client makes its middleware anew, and WhiteNoise's scans all files of the dashboard: the result is the
    same each time.
    """
    look, found = WhiteNoiseMiddleware.update_files_dictionary, dict[tuple[str, str], dict[str, object]]()

    def recall(self: WhiteNoiseMiddleware, root: str, prefix: str) -> None:
        if (root, prefix) not in found:
            look(self, root, prefix)
            found[root, prefix] = dict(self.files)
        self.files.update(found[root, prefix])

    with patch.object(WhiteNoiseMiddleware, "update_files_dictionary", recall):
        yield


@pytest.fixture(autouse=True)
def rules_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read maintenance rules once per test, and again when one is made, however long that takes."""
    monkeypatch.setattr(maintenance, "RULES_KEPT_S", float("inf"))
    maintenance.forget()


def fill() -> None:
    """No epoch comes twice, as in a database that lives: processes remember what they know by it. One question for most
    tests, and no savepoints for the others."""
    with connection.cursor() as cursor:
        cursor.execute(ARE_THERE)
        has_epoch, has_head, has_sweep = cursor.fetchone()
    if not has_epoch:
        FactsEpoch.objects.create(pk=1, value=next(_epochs))
    if not has_head:
        PolicyHead.objects.create(organization=None)
    if not has_sweep:
        Sweep.objects.create(pk=1)


def emptying(word: str) -> None:
    """ENABLE or DISABLE the guards against emptying tables: a test with real transactions empties them all.

    It is done here, as the owner of the tables, so that the product has no such function.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = %s", [NEVER_EMPTIED])
        for (table,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} {word} TRIGGER {NEVER_EMPTIED}")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Skip migrations of an empty database: it is a copy of one that has the schema."""
    connection.settings_dict["TEST"]["TEMPLATE"] = TEMPLATE


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock():
        fill()
        emptying("DISABLE")


@pytest.fixture(autouse=True)
def rows_of_the_migrations(request: pytest.FixtureRequest) -> None:
    mark = request.node.get_closest_marker("django_db")
    if "transactional_db" in request.fixturenames or (mark is not None and mark.kwargs.get("transaction")):
        request.getfixturevalue("transactional_db")
    elif "db" in request.fixturenames or mark is not None:
        request.getfixturevalue("db")
    else:
        return
    fill()
