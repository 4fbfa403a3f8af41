"""The time until the certificates of this process end: its own, and those that it trusts."""

import logging
from collections.abc import Iterator

from cryptography import x509
from django.conf import settings
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from controlplane.kernel import clock

log = logging.getLogger(__name__)


class CertificateMetrics(Collector):
    """A collector of the certificates in settings.PKI_DIR, read at each scrape."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Return no metrics, so that the registration reads no files."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "andromede_certificate_remaining_seconds",
            "Seconds until a certificate that the process has ends, by the name of its file.",
            labels=["certificate"],
        )
        for path in sorted(settings.PKI_DIR.glob("*.crt")):
            try:
                ends_at = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
            except (OSError, ValueError) as exc:
                log.warning("certificate metric omitted: %s: %s", path.name, exc)
                continue
            family.add_metric([path.stem], (ends_at - clock.now()).total_seconds())
        yield family
