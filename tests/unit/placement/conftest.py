import pytest
from hypothesis import HealthCheck, settings

for name, count in (("placement", 60), ("placement in the gate", 20)):
    settings.register_profile(
        name, max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
    )


def pytest_configure(config: pytest.Config) -> None:
    """Have the same examples each time; without nightly tests, the first third of them."""
    settings.load_profile("placement in the gate" if "not nightly" in config.option.markexpr else "placement")
