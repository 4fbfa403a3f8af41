"""One run: users and monkey at once, then calm, then the judge, then everything is deleted and judged again."""

import json
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import closing
from typing import Any

from bench.common import print_progress
from scripts.api import Api
from scripts.chaos import acts, plan_acts, planned, strikes
from scripts.chaos.follower import Follower
from scripts.chaos.monkey import Monkey
from scripts.chaos.officer import Officer
from scripts.chaos.recovery_operator import RecoveryOperator
from scripts.chaos.schedule import Length, schedule
from scripts.chaos.supervisor import Supervisor
from scripts.chaos.users import ChaosClient, Users
from scripts.chaos.world import PROJECT, World
from scripts.control_plane import ROOT
from scripts.polling import wait_until

USERS = 6
# After the last strike: until all runs, until all operations have ended, until the judge finds nothing any more.
UP_LIMIT_S, CALM_LIMIT_S, JUDGE_LIMIT_S = 150, 240, 150


def storm(world: World, seed: int, length: Length) -> dict[str, Any]:
    """Run, and return the figures and the findings."""
    weights = {name: kind.weight for name, kind in acts.ACTS.items()}
    plan = schedule(seed, length, users=USERS, acts=weights, strikes=strikes.possible(world))
    tokens = {planned.OWNER: world.token, planned.OPERATOR: world.operator, planned.ATTESTOR: world.attestor.secret}
    officer = Officer(world.stack.officer_key)
    with closing(ChaosClient(world.stack.url, tokens, PROJECT, officer)) as client:
        keeper = Supervisor(world)
        users, monkey, rounds = Users(client), Monkey(world, keeper), RecoveryOperator(world.attestor, keeper, client)
        follower = Follower(world.stack.stream_url, world.token)
        at_work = [threading.Thread(target=each, daemon=True) for each in (keeper.run, rounds.run)]
        listening = threading.Thread(target=follower.run, daemon=True)
        for thread in (*at_work, listening):
            thread.start()
        try:
            _blow(users, monkey, plan, length)
            print_progress("calm")
            wait_until(
                lambda: rounds.are_done() and keeper.all_up() and world.nodes_are_ready(),
                limit_s=UP_LIMIT_S,
                or_else=lambda: f"nodes that were lost: {rounds.cases}; all processes run: {keeper.all_up()}",
            )
            users.wait(CALM_LIMIT_S)
            _restore(client)
            judged = _judge_twice(world, users)
            gaps = follower.findings(world)
        finally:
            users.is_over.set()
            monkey.is_over.set()
            rounds.stop()
            keeper.stop()
            follower.stop()
            for thread in at_work:  # not for who listens: it may wait long for a word of the stream
                thread.join()
    findings = [*client.findings, *keeper.findings, *rounds.findings, *judged["findings"], *gaps]
    return {
        "seed": seed,
        "nodes": len(world.cloud.zones),
        "real_guests": not world.cloud.is_fake,
        "requests": _requests(users),
        "refusals": dict(Counter(each.code for each in users.outcomes if each.code).most_common()),
        "tries_again": dict(client.tries),
        **judged["figures"],
        "strikes": dict(sorted(monkey.struck.items())),
        "missed_strikes": monkey.missed,
        "rounds": dict(sorted(rounds.done.items())),
        "restarts": keeper.restarts,
        "findings": findings,
    }


def _blow(users: Users, monkey: Monkey, plan: Any, length: Length) -> None:
    print_progress(f"{len(plan.acts)} user actions and {len(plan.strikes)} faults in {length.seconds:.0f} s")
    begun_at = time.monotonic()
    striking = threading.Thread(target=monkey.work, args=(plan.strikes, begun_at), daemon=True)
    striking.start()
    users.work(plan.acts, begun_at)
    striking.join()


def _restore(client: ChaosClient) -> None:
    _end_drift(client)
    _end_drains(client)


def _end_drains(client: ChaosClient) -> None:
    """End all drains: cancel those in progress, and return all nodes to service."""
    for node in client.listed("/v1/nodes", by=planned.OPERATOR):
        path = f"/v1/nodes/{node['id']}"
        if node["duty"] == "draining":
            client.asked(f"{path}/drain/actions/cancel", {}, by=planned.OPERATOR)
        if node["duty"] != "in-service":
            verb = "return" if node["duty"] == "maintenance" else "uncordon"
            client.asked(f"{path}/actions/{verb}", {}, by=planned.OPERATOR)


def _end_drift(client: ChaosClient) -> None:
    """State facts by which the policy admits all zones again."""
    for request in plan_acts.recoveries(client):
        client.send_planned(request, str(uuid.uuid4()))


def _requests(users: Users) -> dict[str, Any]:
    sent = [outcome for outcome in users.outcomes if outcome.act >= 0]
    statuses, kinds = Counter(str(each.status) for each in sent), Counter(each.kind for each in sent)
    longest_s = max((each.seconds for each in users.outcomes), default=0.0)
    return {
        "sent": len(sent),
        "by_status": dict(sorted(statuses.items())),
        "by_kind": dict(sorted(kinds.items())),
        "longest_s": longest_s,
    }


def _judge_twice(world: World, users: Users) -> dict[str, Any]:
    """Judge the cloud as it is, and again when everything has been deleted; the figures are those of the first time.

    After a finding nothing is deleted: what is not well may refuse its deletion, and stays to be looked at.
    """
    judged = _judge(world, users, "--evidence")
    if judged["findings"]:
        return judged
    _delete_everything(world, users)
    return {**judged, "findings": [*judged["findings"], *_judge(world, users, "--empty")["findings"]]}


def _judge(world: World, users: Users, *options: str) -> dict[str, Any]:
    print_progress(f"judging {' '.join(options)}")
    (world.var / "told.json").write_text(json.dumps(users.documents()))
    command = [sys.executable, "-m", "scripts.chaos.judge", str(world.var), "--seconds", str(JUDGE_LIMIT_S), *options]
    environment = world.stack.environment()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        return {"figures": {}, "findings": [f"the judge failed: {done.stderr[-2000:]}"]}
    return dict(json.loads(done.stdout))


def _delete_everything(world: World, users: Users) -> None:
    """Delete everything as a tenant does; deletions are recorded like other requests."""
    print_progress("deleting everything")
    with closing(Api(world.stack.url, world.token, project=PROJECT)) as api:
        for kind in ("images", "snapshots", "instances", "volumes", "ports", "public-addresses"):
            begun = [answer["operation"] for answer in map(api.delete, _paths(api, kind)) if answer]
            for operation in begun:
                users.note(operation, api.wait(operation)["state"])


def _paths(api: Api, kind: str) -> list[str]:
    """Return the paths of the project's own resources of that kind."""
    items = api.get(kind, limit="200")["items"]
    return [f"{kind}/{item['id']}" for item in items if not item.get("is_public")]
