"""The receiver of docs/how-to/receive-webhooks.md, run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
from django.conf import settings

from controlplane.webhooks import deliveries
from controlplane.webhooks.dispatch import dispatch
from controlplane.webhooks.models import Delivery
from controlplane.webhooks.services import ping, redeliver
from tests.ports import free_port
from tests.services.webhooks.conftest import make_webhook
from tests.services.webhooks.test_deliveries import happen
from tests.world import Tenant

PAGE = Path(settings.BASE_DIR) / "docs/how-to/receive-webhooks.md"


def test_documented_receiver_accepts_only_signed_deliveries(tenant: Tenant, tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "receiver.py").write_text(program)
    port = free_port()
    webhook, secret = make_webhook(tenant, f"http://localhost:{port}/", kinds=["network.*"])
    receiver = subprocess.Popen(
        [sys.executable, str(tmp_path / "receiver.py"), str(port)],
        env=os.environ | {"WEBHOOK_SECRET": secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert receiver.stdout is not None
        forged = _until_it_answers(port)
        assert forged == 400
        happen(tenant, "lan")
        dispatch()
        deliveries.deliver(webhook.pk)
        assert receiver.stdout.readline() == "network.created lan\n"
        redeliver(tenant.actor, Delivery.objects.select_related("webhook").get())
        ping(tenant.actor, webhook)
        assert deliveries.deliver(webhook.pk) == 2
        assert receiver.stdout.readline() == "webhook.pinged ops\n", "and what came twice is not printed twice"
    finally:
        receiver.kill()
        receiver.communicate()


def _until_it_answers(port: int) -> int:
    transport = httpx.HTTPTransport(retries=10)
    with httpx.Client(transport=transport) as client:
        answer = client.post(
            f"http://127.0.0.1:{port}/",
            content=b"{}",
            headers={"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"},
        )
    return answer.status_code
