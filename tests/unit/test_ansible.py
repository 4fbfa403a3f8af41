"""The playbook knows all processes that there are, its inventories are complete, and systemd takes its units."""

import re
import shlex
import subprocess
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from agents.storage import __main__ as storage_agent
from agents.storage import check as storage_check
from controlplane.config import run_workers
from controlplane.config.workers import WORKERS
from controlplane.kernel.database_roles import PREFIX
from controlplane.kernel.database_roles import ROLES as ROLES_OF_DATABASE
from controlplane.nodes.management.commands import init_pki
from scripts.ansible_lab import EXPOSURE_MAX, EXPOSURE_MAX_OF_OTHERS
from scripts.control_plane import BIN, ROOT, TRUSTS, WITHOUT_SECRET_KEY, Stack
from tests.limits import PATIENCE_S

PLAYBOOK = ROOT / "ansible"
ROLES = {path.name for path in (PLAYBOOK / "roles").iterdir()}
SHARED = {"clock", "release", "database", "redis", "authority", "legacy_cleanup", "nginx", "systemd_unit", "node"} | {
    "announcer",
    "storage_agent",
}
OF_STORAGE_AGENT = {
    "storage_agent_address": "10.0.7.21:7447",
    "storage_agent_callers": ["10.0.7.5", "2001:db8::/64"],
    "storage_agent_pools": ["volumes", "fast"],
    "storage_agent_options": ["--clock", "kept-elsewhere"],
}
BACKUP_UNITS = ("andromede-backup.service", "andromede-backup.timer", "andromede-backup-send.service")


def play_roles(play: int) -> list[dict[str, Any]]:
    """Return the roles of a play with their variables."""
    roles = yaml.safe_load((PLAYBOOK / "site.yml").read_text())[play]["roles"]
    return [each if isinstance(each, dict) else {"role": each} for each in roles]


def roles_of(play: int) -> list[str]:
    return [each["role"] for each in play_roles(play)]


def processes_of(role: str) -> list[str]:
    result: list[str] = of_process(role).get("systemd_unit_copies", [role])
    return result


def test_roles_and_processes_agree() -> None:
    processes = [process for role in ROLES - SHARED for process in processes_of(role)]
    assert sorted(processes) == sorted(Stack(Path("nowhere")).commands())


def test_the_control_plane_has_every_role_but_the_nodes() -> None:
    assert set(roles_of(0)) == ROLES - {"systemd_unit", "node", "announcer", "storage_agent"}
    assert roles_of(1) == ["clock", "release", "sentinel"]
    assert roles_of(2) == ["clock", "release", "node"]
    assert roles_of(3) == ["clock", "release", "announcer"]
    assert roles_of(4) == ["clock", "release", "storage_agent"]


def test_nodes_get_no_sources_of_the_control_plane() -> None:
    releases = [each for play in (2, 3, 4) for each in play_roles(play) if each["role"] == "release"]
    assert len(releases) == 3
    for release in releases:
        assert "controlplane" in release["release_excluded"]
        assert all((ROOT / folder).is_dir() for folder in release["release_excluded"])
        assert not {"agents", "andromede_core", "telemetry", "scripts"} & {*release["release_excluded"]}


def test_no_role_needs_more_than_ansible_itself() -> None:
    """Collections would have to be brought to where there is no network."""
    modules = set()
    for file in PLAYBOOK.glob("roles/*/*/*.yml"):
        modules |= set(re.findall(r"^\s+([a-z_]+\.[a-z_]+\.[a-z_]+):", file.read_text(), re.MULTILINE))
    assert modules, "they are written by their full names"
    assert {name.rpartition(".")[0] for name in modules} == {"ansible.builtin"}


@pytest.mark.parametrize("inventory", ["lab", "production"])
def test_the_playbook_can_be_read_with_each_inventory(inventory: str) -> None:
    command = [str(BIN / "ansible-playbook"), "--inventory", f"inventories/{inventory}", "--syntax-check", "site.yml"]
    ran = subprocess.run(command, cwd=PLAYBOOK, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def units() -> Iterator[Path]:
    """A folder with all units, as the roles write them with their defaults and every option that a node has; what they
    start is there. It is below var/, since systemd starts nothing below /dev, where temporary folders may be."""
    with TemporaryDirectory(dir=ROOT / "var") as name:
        yield written(Path(name))


def written(folder: Path) -> Path:
    release = folder / "release"
    bin_folder = release / "current" / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    common = {"release_folder": str(release)}
    for role in sorted(ROLES - SHARED):
        variables = common | defaults("systemd_unit") | defaults(role) | of_process(role)
        for kind in ("service", "socket") if variables["systemd_unit_socket"] else ("service",):
            template = PLAYBOOK / f"roles/systemd_unit/templates/process.{kind}.j2"
            write(folder / f"andromede-{role}.{kind}", template, variables)
        command = bin_folder / variables["systemd_unit_command"].split()[0]
        command.touch(mode=0o755)
    sent = defaults("database") | {"database_backup_target": "backup@far.example.org:andromede/"}
    for name in BACKUP_UNITS:
        write(folder / name, PLAYBOOK / f"roles/database/templates/{name}.j2", sent)
    of_node = {"node_address": "10.0.7.7:7443", "node_on_lapse": "stop", "node_watchdog": "/dev/watchdog"}
    of_node |= {
        "node_pools": [{"name": "shared", "path": "/srv/pool"}],
        "node_agent_options": ["--clock", "kept-elsewhere"],
    }
    name = "andromede-node.service"
    write(folder / name, PLAYBOOK / f"roles/node/templates/{name}.j2", common | defaults("node") | of_node)
    of_announcer = {"announcer_address": "10.0.7.11:7445"}
    name = "andromede-announcer.service"
    template = PLAYBOOK / f"roles/announcer/templates/{name}.j2"
    write(folder / name, template, common | defaults("announcer") | of_announcer)
    name = "andromede-storage.service"
    template = PLAYBOOK / f"roles/storage_agent/templates/{name}.j2"
    write(folder / name, template, common | defaults("storage_agent") | OF_STORAGE_AGENT)
    return folder


def defaults(role: str) -> dict[str, Any]:
    file = PLAYBOOK / "roles" / role / "defaults" / "main.yml"
    result: dict[str, Any] = yaml.safe_load(file.read_text()) if file.exists() else {}
    return result


def of_process(role: str, tasks_in: str = "main") -> dict[str, Any]:
    """Return the variables that a role of a process passes to the role `systemd_unit`."""
    tasks = yaml.safe_load((PLAYBOOK / "roles" / role / "tasks" / f"{tasks_in}.yml").read_text())
    (task_vars,) = (task["vars"] for task in tasks if "ansible.builtin.include_role" in task)
    variables: dict[str, Any] = task_vars
    return variables


def write(file: Path, template: Path, variables: dict[str, Any]) -> None:
    """Render like Ansible: variables may name others."""
    jinja = Environment(trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined, autoescape=False)
    jinja.filters["regex_replace"] = lambda text, old, new: re.sub(old, new, text)
    used = template.read_text()
    while "{{" in used or "{%" in used:
        used = jinja.from_string(used).render(variables)
    file.write_text(used)


def test_systemd_finds_nothing_wrong_with_a_unit(units: Path) -> None:
    files = sorted(units.glob("andromede-*"))
    assert (
        len(files) == len(ROLES - SHARED) + len(["web.socket", *BACKUP_UNITS, "node.service", "announcer.service"]) + 1
    )
    ran = analyze("verify", "--man=no", "--recursive-errors=no", *map(str, files))
    assert (ran.returncode, ran.stderr) == (0, "")


def test_exposure_of_each_unit_is_within_its_limit(units: Path) -> None:
    for file in units.glob("andromede-*.service"):
        limit = EXPOSURE_MAX.get(file.name, EXPOSURE_MAX_OF_OTHERS)
        ran = analyze("security", "--offline=true", "--no-pager", f"--threshold={round(limit * 10)}", str(file))
        assert ran.returncode == 0, ran.stdout.splitlines()[-1]


def test_the_agent_may_try_kvm_and_feed_the_watchdog(units: Path) -> None:
    unit = (units / "andromede-node.service").read_text()
    assert values_of(unit, "DevicePolicy=(.*)") == ["closed"]
    assert values_of(unit, "DeviceAllow=(.*)") == ["/dev/kvm rw", "/dev/watchdog rw"]


@pytest.mark.parametrize(("confinement", "is_optional"), [("apparmor", False), ("none", True)])
def test_the_agent_demands_confinement_where_libvirt_does(tmp_path: Path, confinement: str, is_optional: bool) -> None:
    unit = tmp_path / "andromede-node.service"
    variables = {"release_folder": "/r", "node_address": "10.0.7.7:7443", "node_confinement": confinement}
    write(unit, PLAYBOOK / f"roles/node/templates/{unit.name}.j2", defaults("node") | variables)
    assert ("--confinement optional" in unit.read_text()) == is_optional
    assert f"--guest-users {defaults('node')['node_guest_users']}" in unit.read_text()


def test_agent_unit_shares_mounts_and_may_read_the_clock(units: Path) -> None:
    """Routers' namespaces are mounts, and outlive it only where it has no mount namespace of its own."""
    unit = (units / "andromede-node.service").read_text()
    apart = "|".join(
        ["Private", "Protect", "ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "ProcSubset", "Mount"]
    )
    assert not re.findall(rf"^(?:{apart}).*$", unit, re.MULTILINE)
    filters = re.findall("^SystemCallFilter=(.*)$", unit, re.MULTILINE)
    assert filters, "it has one"
    assert not any("@clock" in each or not each.startswith("~") for each in filters)


def test_only_units_that_check_the_clock_may_read_it_and_none_sets_it(units: Path) -> None:
    for unit in units.glob("andromede-*.service"):
        if unit.name != "andromede-node.service":
            may_ask = unit.name in ("andromede-watcher.service", "andromede-storage.service")
            assert ("adjtimex" in values_of(unit.read_text(), "SystemCallFilter=(.*)")) == may_ask, unit.name
            assert values_of(unit.read_text(), "CapabilityBoundingSet=(.*)") == [""], unit.name


@pytest.mark.parametrize(
    ("process", "user", "keys"),
    [
        ("web", "web", {"web.key", "secret-key", "secret-key-fallbacks"}),
        ("stream", "stream", {"stream.key", "secret-key", "secret-key-fallbacks"}),
        ("workers", "worker", {"worker.key", "secret-key", "secret-key-fallbacks"}),
        ("signer", "signer", {"signer", "log.key"}),
        ("sentinel", "sentinel", {"sentinel"}),
        ("watcher", "watcher", {"watcher.key"}),
        ("webhooks", "webhooks", {"secret-key", "secret-key-fallbacks"}),
    ],
)
def test_process_gets_only_its_own_keys(units: Path, process: str, user: str, keys: set[str]) -> None:
    """`make ansible` tries it: each user there tries to read each key."""
    unit = (units / f"andromede-{process}.service").read_text()
    credentials = {name for name in values_of(unit, "LoadCredential=(.*):.*") if not name.endswith(".crt")}
    assert credentials == keys
    assert values_of(unit, "(?:User|Group)=(.*)") == [f"andromede-{user}"] * 2
    assert f"ANDROMEDE_DB_USER=andromede_{user}" in values_of(unit, "Environment=(.*)")
    assert ("ANDROMEDE_SECRET_KEY=" in values_of(unit, "Environment=(.*)")) == (process in WITHOUT_SECRET_KEY)


def values_of(unit: str, pattern: str) -> list[str]:
    return re.findall(f"^{pattern}$", unit, re.MULTILINE)


def test_users_and_roles_agree_with_the_database_table() -> None:
    assert defaults("database")["database_roles"] == ["andromede", *(f"{PREFIX}{name}" for name in ROLES_OF_DATABASE)]
    assert set(defaults("authority")["authority_users"]) == set(ROLES_OF_DATABASE)
    trusts = {
        name: of_process(role).get("systemd_unit_trust", role) for role in ROLES - SHARED for name in processes_of(role)
    }
    assert trusts == {name: TRUSTS.get(name, name) for name in Stack(Path("nowhere")).commands()}


def test_worker_unit_runs_all_workers_with_separate_ports(units: Path) -> None:
    unit = (units / "andromede-workers.service").read_text()
    (words,) = values_of(unit, r"ExecStart=.*/bin/python -m controlplane\.config\.run_workers (.*)")
    copies = dict(map(run_workers._named, words.split()))
    assert set(copies) == {name for name in WORKERS if TRUSTS.get(name, name) == "worker"}
    (listen,) = (each for each in values_of(unit, "Environment=(.*)") if "OBSERVE_LISTEN" in each)
    addresses = dict(each.split("=") for each in listen.partition("=")[2].split(","))
    ports = defaults("systemd_unit")["systemd_unit_observe_ports"]
    assert addresses == {name: f"127.0.0.1:{ports[name]}" for name in copies}
    assert len(set(ports.values())) == len(ports)


def test_earlier_worker_units_stop_before_the_new_one_starts() -> None:
    """Both would read the same queues, and listen at the same ports."""
    tasks = yaml.safe_load((PLAYBOOK / "roles/workers/tasks/main.yml").read_text())
    find, stop, remove, process = tasks
    earlier = {f"andromede-{name}.service" for name in [*of_process("workers")["systemd_unit_copies"], "beat"]}
    assert set(find["ansible.builtin.find"]["patterns"]) == earlier
    assert stop["ansible.builtin.command"]["cmd"].startswith("systemctl disable --now ")
    assert remove["ansible.builtin.file"]["state"] == "absent"
    assert "ansible.builtin.include_role" in process


def test_no_unit_of_postgresql_user_removes_its_shared_memory(units: Path) -> None:
    """RemoveIPC= removes that of all processes of the user: PostgreSQL then refuses each connection."""
    of_postgres = {file for file in units.glob("*.service") if "User=postgres" in file.read_text().splitlines()}
    assert {file.name for file in of_postgres} == {"andromede-backup.service", "andromede-backup-send.service"}
    assert not [file.name for file in of_postgres if values_of(file.read_text(), "RemoveIPC=(.*)")]


def test_dump_is_stored_encrypted_only(units: Path) -> None:
    """`make ansible` restores one."""
    unit = (units / "andromede-backup.service").read_text()
    (command,) = [each for each in values_of(unit, "ExecStart=(.*)") if "pg_dump" in each]
    assert "pg_dump --format custom andromede | age --encrypt" in command
    assert "pipefail" in command, "half a dump is none"


def test_remote_sentinel_has_only_its_keys_and_uses_tls(tmp_path: Path) -> None:
    """The group of Redis' socket is not there, and beside the control plane its unit is another."""
    variables = {"release_folder": "/r"} | defaults("systemd_unit") | of_process("sentinel", "elsewhere")
    unit = tmp_path / "andromede-sentinel.service"
    write(unit, PLAYBOOK / "roles/systemd_unit/templates/process.service.j2", variables)
    text = unit.read_text()
    assert values_of(text, "LoadCredential=(.*):.*") == ["sentinel", "ca.crt", "database.crt", "database.key"]
    assert values_of(text, "SupplementaryGroups=(.*)") == [""]
    assert values_of(text, "(?:User|Group)=(.*)") == ["andromede-sentinel"] * 2
    assert values_of(text, "ExecStart=(.*)") == ["/r/current/.venv/bin/python -m controlplane.config.run_sentinel"]
    ran = analyze(
        "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX_OF_OTHERS * 10:.0f}", str(unit)
    )
    assert ran.returncode == 0, ran.stdout.splitlines()[-1]
    settings = tmp_path / "andromede.env"
    write(
        settings,
        PLAYBOOK / "roles/sentinel/templates/sentinel.env.j2",
        {"sentinel_database": "10.0.0.1", "andromede_settings": {"CLOCK": "kept-elsewhere"}},
    )
    assert values_of(settings.read_text(), "ANDROMEDE_(.*)") == [
        "VAR_DIR=/var/lib/andromede",
        "DB_HOST=10.0.0.1",
        "DB_HAS_TLS=true",
        "CLOCK=kept-elsewhere",
    ]


def test_identity_documents_are_issued_by_the_address_of_the_api(tmp_path: Path) -> None:
    """A default would be the issuer of every cloud, and none could be told from another by it."""
    settings = tmp_path / "andromede.env"
    variables = {"authority_var": "/v", "andromede_host": "cloud.example.org", "andromede_settings": {}}
    write(settings, PLAYBOOK / "roles/authority/templates/andromede.env.j2", variables)
    assert values_of(settings.read_text(), "ANDROMEDE_IDENTITY_ISSUER=(.*)") == ["https://cloud.example.org"]


def test_postgresql_admits_a_remote_sentinel_by_certificate_only() -> None:
    tasks = yaml.safe_load((PLAYBOOK / "roles/sentinel/tasks/database.yml").read_text())
    lines = [task["ansible.builtin.lineinfile"] for task in tasks if "ansible.builtin.lineinfile" in task]
    assert {each["state"] for each in lines} == {"{{ 'present' if sentinel_is_elsewhere else 'absent' }}"}
    ident, rule = (each["line"] for each in lines)
    assert ident == "andromede-tls sentinel andromede_sentinel"
    assert re.fullmatch(r"hostssl andromede andromede_sentinel \{\{.*\}\} cert map=andromede-tls", rule)


def test_installation_needs_a_backup_recipient() -> None:
    first = yaml.safe_load((PLAYBOOK / "roles/database/tasks/main.yml").read_text())[0]
    assert first["ansible.builtin.assert"]["that"] == "database_backup_recipients | length > 0"
    assert defaults("database")["database_backup_recipients"] == []


def test_certificates_of_all_processes_are_renewed() -> None:
    assert defaults("authority")["authority_certified"] == [*init_pki.PROCESSES]
    assert defaults("release")["release_renewal_days"] > 60, "alerts fire 60 days before the end"


def test_commands_that_sign_with_the_authority_run_as_root() -> None:
    """The requests that they read are in a folder of root's."""
    script = (PLAYBOOK / "roles/authority/templates/andromede-manage.j2").read_text()
    (names,) = re.findall(r"^  (init_pki [^)]*)\)", script, re.MULTILINE)
    as_root = set(re.findall(r"[a-z_]+", names))
    commands = [*(ROOT / "controlplane").glob("*/management/commands/*.py")]
    signing = {file.stem for file in commands if "signing.add_ca_key(" in file.read_text()}
    assert {"init_pki", "certify_node", "certify_announcer", "certify_storage_agent"} <= signing <= as_root
    assert as_root - {"witness_"} <= {file.stem for file in commands}


def test_key_of_the_authority_is_never_written_to_a_machine() -> None:
    """The key passes on stdin; a file of an earlier release is deleted."""
    for file in PLAYBOOK.glob("roles/*/tasks/*.yml"):
        for task in yaml.safe_load(file.read_text()):
            copied = str(task.get("ansible.builtin.copy", "")) + str(task.get("ansible.builtin.template", ""))
            assert "ca.key" not in copied, file


def test_key_of_the_authority_is_never_logged() -> None:
    """Modules of Ansible write their arguments, standard input too, into the journal of their machine."""
    signing_tasks = []
    for file in PLAYBOOK.glob("roles/*/tasks/*.yml"):
        for task in yaml.safe_load(file.read_text()):
            for each in task.get("block", [task]):
                if "ca.key" in str(each.get("ansible.builtin.command", "")):
                    signing_tasks.append(each)
    assert signing_tasks, "there is one that signs"
    assert all("ca.key" in each["ansible.builtin.command"]["stdin"] and each.get("no_log") for each in signing_tasks)


def test_storage_agent_has_the_options_that_it_knows(units: Path) -> None:
    (command,) = values_of((units / "andromede-storage.service").read_text(), "ExecStart=(.*)")
    _, _, module, *words = shlex.split(command)
    config = storage_agent._config(storage_agent._parser().parse_args(words))
    assert module == storage_agent.__name__.removesuffix(".__main__")
    assert (config.listen, config.pools) == ("10.0.7.21:7447", ("volumes", "fast"))
    assert (config.access.conf, config.access.client) == ("/etc/andromede-storage/ceph.conf", "andromede")
    assert config.access.keyring == "/etc/andromede-storage/keyring"


def test_key_of_the_storage_agent_is_readable_by_its_user_only_and_never_logged() -> None:
    (copy,) = [task for task in tasks_of("storage_agent") if "keyring" in str(task.get("ansible.builtin.copy"))]
    written = copy["ansible.builtin.copy"]
    assert (written["owner"], written["mode"]) == ("andromede-storage", "0400")
    assert (copy["no_log"], copy["diff"]) == (True, False)


@pytest.mark.parametrize(
    ("keyring", "is_accepted"),
    [("[client.andromede]\nkey = secret\n", True), ("[client.admin]\nkey = secret\n", False), (None, False)],
)
def test_keyring_that_is_not_the_users_is_refused_with_the_next_step(
    tmp_path: Path, keyring: str | None, is_accepted: bool
) -> None:
    file, play = tmp_path / "keyring", tmp_path / "play.yml"
    if keyring is not None:
        file.write_text(keyring)
    (task,) = [each for each in tasks_of("storage_agent") if each["name"].startswith("The keyring is there")]
    variables = defaults("storage_agent") | {"storage_agent_keyring": str(file)}
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [task]}]))
    command = [str(BIN / "ansible-playbook"), "--inventory", "localhost,", "--connection", "local", str(play)]
    ran = subprocess.run(command, cwd=PLAYBOOK, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    output = re.sub(r"\s+", " ", ran.stdout + ran.stderr)
    assert (ran.returncode == 0) == is_accepted, output
    assert (f"ceph auth get client.andromede > {file}" in output) != is_accepted
    assert "secret" not in output


def test_storage_agent_is_checked_as_its_own_user_before_it_starts() -> None:
    names = [task["name"] for task in tasks_of("storage_agent")]
    assert names.index("The cluster") < names.index("The storage agent runs")
    check, verdict = tasks_of("storage_agent", "cluster")
    jinja = Environment(undefined=StrictUndefined, autoescape=False)
    jinja.filters["regex_replace"] = lambda text, old, new: re.sub(old, new, text)
    variables = defaults("storage_agent") | OF_STORAGE_AGENT | {"release_folder": "/r"}
    words = literal_eval(jinja.from_string(check["ansible.builtin.command"]["argv"]).render(variables))
    assert words[:3] == ["setpriv", "--reuid", "andromede-storage"]
    options = storage_check._parser().parse_args(words[words.index("agents.storage.check") + 1 :])
    assert (options.pool, options.limit_s) == (["volumes", "fast"], defaults("storage_agent")["storage_agent_limit_s"])
    assert str(options.keyring) == "/etc/andromede-storage/keyring"
    assert verdict["ansible.builtin.assert"]["that"] == "storage_agent_check.rc == 0"


def test_inventory_of_a_storage_agent_is_complete_or_refused() -> None:
    first, *_ = tasks_of("storage_agent")
    text = (PLAYBOOK / "inventories/production/hosts.yml").read_text()
    assert first["loop"] == re.findall(r"^#       (storage_agent_[a-z]+):", text, re.MULTILINE)
    assert not set(first["loop"]) & set(defaults("storage_agent"))


def test_port_of_the_storage_agent_is_for_the_control_plane_alone(tmp_path: Path) -> None:
    rules = tmp_path / "callers.nft"
    write(rules, PLAYBOOK / "roles/storage_agent/templates/callers.nft.j2", OF_STORAGE_AGENT)
    lines = [line.strip() for line in rules.read_text().splitlines()]
    assert [line for line in lines if "dport" in line] == [
        "ip saddr 10.0.7.5 tcp dport 7447 accept",
        "ip6 saddr 2001:db8::/64 tcp dport 7447 accept",
        "tcp dport 7447 drop",
    ]


@pytest.mark.lab
def test_rules_of_the_storage_agent_can_be_loaded_twice(tmp_path: Path) -> None:
    rules = tmp_path / "callers.nft"
    write(rules, PLAYBOOK / "roles/storage_agent/templates/callers.nft.j2", OF_STORAGE_AGENT)
    script = f"nft --file {rules} && nft --file {rules} && nft list table inet andromede_storage"
    ran = subprocess.run(["unshare", "--net", "sh", "-ec", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.count("dport 7447")) == (0, 3), ran.stderr


def tasks_of(role: str, tasks_in: str = "main") -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = yaml.safe_load((PLAYBOOK / "roles" / role / "tasks" / f"{tasks_in}.yml").read_text())
    return tasks


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
