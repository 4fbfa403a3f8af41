"""The name of the CPU that guests of a node have."""

from agents.node.adapters import guest_cpu

CAPABILITIES = """<domainCapabilities><cpu>
  <mode name='host-passthrough' supported='yes'/>
  <mode name='host-model' supported='yes'>{inside}</mode>
  <mode name='custom' supported='yes'><model>qemu64</model></mode>
</cpu></domainCapabilities>"""
MILAN = "<model fallback='forbid'>EPYC-Milan</model><vendor>AMD</vendor>"
FEATURES = "<feature policy='require' name='x2apic'/>", "<feature policy='disable' name='svm'/>"


def name(*inside: str) -> str:
    return guest_cpu.name(CAPABILITIES.format(inside="".join(inside)))


def test_name_has_the_model_and_a_digest_of_its_features() -> None:
    assert name(MILAN, *FEATURES).startswith("EPYC-Milan-")
    assert name(MILAN, *FEATURES) == name(MILAN, *reversed(FEATURES))
    others = {name(MILAN), name(MILAN, FEATURES[0]), name(MILAN, *FEATURES), name(MILAN.replace("AMD", "Hygon"))}
    assert len(others) == 4


def test_disabled_feature_changes_the_name() -> None:
    assert name(MILAN, FEATURES[0]) != name(MILAN, FEATURES[0].replace("require", "disable"))


def test_unknown_cpu_of_libvirt_has_a_name() -> None:
    assert guest_cpu.name("<domainCapabilities/>").startswith("unknown-")
    assert len("cpu:" + name(f"<model>{'x' * 100}</model>")) <= 64
