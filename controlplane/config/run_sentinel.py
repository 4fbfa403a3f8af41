"""The sentinel on a machine of its own, which reaches the database and nothing else of the control plane:

    python -m controlplane.config.run_sentinel

It looks every two seconds for permits that wait for its signature, and so needs no Redis, whose messages only make that
sooner. Ends on SIGTERM and SIGINT. Beside the control plane a sentinel is a worker of Celery (config/workers.py).
"""

import os
import signal

import django

QUEUE = "sentinel"
ENDS = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")  # noqa: TID251
    django.setup(set_prefix=False)

    from controlplane.config.periodic import JOBS
    from controlplane.kernel import health, periodic

    # Before there are threads, which would be interrupted in place of this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    health.start(QUEUE, "database", "migrations", periodic=periodic.check_overruns)
    loops = [*periodic.start([QUEUE], JOBS)]
    signal.sigwait(ENDS)
    periodic.stop()
    for loop in loops:
        loop.join()


if __name__ == "__main__":
    main()
