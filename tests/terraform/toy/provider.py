"""A provider whose cloud is a folder of JSON files: it uses every feature of the runtime."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clients.terraform.runtime.diagnostics import DiagnosticReport, Failure
from clients.terraform.runtime.durations import Timeouts
from clients.terraform.runtime.provider import (
    Action,
    DataSource,
    EphemeralResource,
    Found,
    Function,
    Plan,
    Private,
    Provider,
    Resource,
    Work,
)
from clients.terraform.runtime.schema import (
    NUMBER,
    STRING,
    Attribute,
    IdentityAttribute,
    Nested,
    Schema,
    list_of,
    map_of,
    set_of,
)
from clients.terraform.runtime.server import serve
from clients.terraform.runtime.values import UNKNOWN, Values

NIC = {
    "net": Attribute(type=STRING, description="its network", required=True, checks=(lambda net: _shouting(net),)),
    "mac": Attribute(type=STRING, description="chosen by the cloud", computed=True),
}


def _shouting(text: str) -> str | None:
    return "Do not shout." if text.isupper() else None


class Store:
    """The store of all processes, in the folder `TOY_DIR`."""

    def __init__(self) -> None:
        self.folder = Path(os.environ["TOY_DIR"])

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def write(self, name: str, values: Values) -> None:
        self.path(name).write_text(json.dumps(values))

    def read(self, name: str) -> Values | None:
        path = self.path(name)
        return json.loads(path.read_text()) if path.exists() else None

    def wait_for(self, name: str) -> None:
        while not (self.folder / name).exists():
            time.sleep(0.02)


class Thing(Resource):
    name = "thing"
    is_listed = True
    list_schema = Schema({"prefix": Attribute(type=STRING, description="of names", optional=True)})
    timeouts = Timeouts(create=60)
    identity = {"name": IdentityAttribute("the name")}
    upgrades = {1: lambda state: {**{k: v for k, v in state.items() if k != "colour"}, "color": state.get("colour")}}
    schema = Schema(
        {
            "id": Attribute(type=STRING, description="the id", computed=True),
            "name": Attribute(type=STRING, description="the name", required=True, replace=True),
            "zone": Attribute(type=STRING, description="where", optional=True, replace=lambda was, to: to != "moved"),
            "size": Attribute(
                type=NUMBER,
                description="how large",
                default=1,
                checks=(lambda size: None if size > 0 else "It must be positive.",),
            ),
            "color": Attribute(
                type=STRING, description="chosen by the cloud if not here", optional=True, computed=True
            ),
            "tags": Attribute(type=set_of(STRING), description="tags", optional=True),
            "labels": Attribute(type=map_of(STRING), description="labels", optional=True),
            "steps": Attribute(type=list_of(NUMBER), description="a list", optional=True),
            "nics": Attribute(type=Nested("list", NIC), description="network cards", optional=True),
            "rule": Attribute(type=Nested("list", NIC, is_block=True), description="blocks", optional=True),
            "secret": Attribute(type=STRING, description="never kept", optional=True, write_only=True, sensitive=True),
            "secret_version": Attribute(type=NUMBER, description="raise it to send it", optional=True),
            "revision": Attribute(type=NUMBER, description="counts the changes", computed=True, volatile=True),
        },
        "A thing.",
        version=2,
    )

    def __init__(self) -> None:
        self.store = Store()

    def validate(self, config: Values, report: DiagnosticReport) -> None:
        if config["size"] == 13:
            report.error("Unlucky", path=("size",))

    def plan(self, plan: Plan) -> None:
        if plan.prior is not None and "size" in plan.differing():
            plan.report.warn("The size changes", "It will be slow.", path=("size",))
            if plan.planned["size"] is not UNKNOWN and plan.planned["size"] < plan.prior["size"]:
                plan.report.error("Things only grow", path=("size",))
        if plan.prior is not None and plan.planned["labels"] == {"case": "UPPER"}:
            plan.keep("labels")

    def create(self, work: Work) -> None:
        wanted = work.planned
        if wanted["name"] == "refused":
            raise Failure("The cloud refuses", path=("name",))
        created = self._made(wanted, work.config, revision=1)
        self.store.write(wanted["name"], created)
        work.save(created)
        if wanted["name"].startswith("slow"):
            (self.store.folder / f"begun-{wanted['name']}").touch()
            self.store.wait_for("go")
        if wanted["name"] == "half":
            raise RuntimeError("in the middle")

    def read(self, state: Values, private: Private, deadline: float) -> Values | None:
        return self.store.read(state["name"])

    def update(self, work: Work) -> None:
        assert work.prior is not None
        created = self._made(work.planned, work.config, revision=int(work.prior["revision"]) + 1)
        if work.planned["color"] == "black":
            work.save({"size": created["size"]})
            raise Failure("No black", path=("color",))
        self.store.write(work.planned["name"], created)
        work.save(created)

    def delete(self, work: Work) -> None:
        self.store.path(work.state["name"]).unlink(missing_ok=True)

    def import_by_id(self, text: str) -> Values:
        return {"name": text}

    def import_by_identity(self, identity: Values) -> Values:
        return {"name": identity["name"]}

    def moved_from(self, type_name: str, state: Values) -> Values | None:
        return {"name": state["title"]} if type_name == "toy_relic" else None

    def list(self, config: Values, *, limit: int, with_state: bool) -> Iterator[Found]:
        names = sorted(path.stem for path in self.store.folder.glob("*.json"))
        for name in [name for name in names if name.startswith(config["prefix"] or "")][:limit]:
            yield Found({"name": name}, name, self.store.read(name) if with_state else None)

    def _made(self, wanted: Values, config: Values, *, revision: int) -> Values:
        def nics(items: list[Values] | None) -> list[Values] | None:
            return items and [{**nic, "mac": f"02:{index}"} for index, nic in enumerate(items)]

        secret = config.get("secret")
        if secret is not None:
            (self.store.folder / f"secret-of-{wanted['name']}").write_text(secret)
        color = "grey" if wanted["color"] is UNKNOWN else wanted["color"]
        created = {**wanted, "id": f"id-{wanted['name']}", "color": color, "revision": revision}
        return {**created, "nics": nics(wanted["nics"]), "rule": nics(wanted["rule"]) or []}


class Relic(Resource):
    name = "relic"
    schema = Schema({"title": Attribute(type=STRING, description="the name", required=True)})

    def create(self, work: Work) -> None:
        Store().write(work.planned["title"], {"name": work.planned["title"], "size": 1, "revision": 1, "rule": []})
        work.save({})

    def read(self, state: Values, private: Private, deadline: float) -> Values | None:
        return state

    def delete(self, work: Work) -> None:
        pass


class Count(DataSource):
    name = "count"
    schema = Schema(
        {
            "prefix": Attribute(type=STRING, description="of names", default=""),
            "things": Attribute(type=NUMBER, description="how many", computed=True),
        }
    )

    def read(self, config: Values, report: DiagnosticReport) -> Values:
        return {"things": len(list(Store().folder.glob(f"{config['prefix']}*.json")))}


class Poke(Action):
    name = "poke"
    schema = Schema({"name": Attribute(type=STRING, description="whom", required=True)})

    def invoke(self, config: Values, report: DiagnosticReport) -> Iterator[str]:
        yield f"poking {config['name']}"
        if Store().read(config["name"]) is None:
            raise Failure("Nobody there", path=("name",))
        yield "it moved"


class Ticket(EphemeralResource):
    name = "ticket"
    schema = Schema({"code": Attribute(type=STRING, description="the code", computed=True, sensitive=True)})

    def open(self, config: Values) -> tuple[Values, Private]:
        (Store().folder / "ticket").touch()
        return {"code": "ephemeral-code"}, {"file": "ticket"}

    def close(self, private: Private) -> None:
        (Store().folder / private["file"]).unlink()


def _join(left: str, right: str) -> Any:
    if not left:
        raise Failure("Nothing to join")
    return f"{left}-{right}"


class Toy(Provider):
    name = "toy"
    source = "registry.terraform.io/andromede/toy"
    schema = Schema({"motto": Attribute(type=STRING, description="for nothing", optional=True)})

    def __init__(self) -> None:
        super().__init__()
        self.resources = [Thing(), Relic()]
        self.data_sources = [Count()]
        self.actions = [Poke()]
        self.ephemeral_resources = [Ticket()]
        join = {"left": STRING, "right": STRING}
        self.functions = [Function("join", "Join two", "With a dash between.", join, STRING, _join)]


def main() -> int:
    return serve(Toy())


if __name__ == "__main__":
    sys.exit(main())
