"""The user's own cluster is used only when named, and never more than announced."""

from __future__ import annotations

import stat

import pytest

from hack.cluster.errors import ClusterError
from hack.clusters.__main__ import main
from hack.clusters.current import Current
from hack.clusters.embedded import Embedded
from hack.clusters.kind import Kind
from hack.clusters.named import named
from tests.unit.hack_clusters.conftest import Programs

CONFIG = ("*'config view --context mine'*", "echo content")
CONTEXT = ("*current-context*", "echo mine")
SERVER = ("*jsonpath={.clusters*", "printf https://api.example:6443")


@pytest.fixture
def own(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    monkeypatch.setenv("SLUICE_REGISTRY", "registry.example/team/")
    programs.add("helm")
    programs.add("kubectl", CONTEXT, CONFIG, SERVER)
    return programs


def test_only_its_own_name_means_the_users_cluster() -> None:
    assert isinstance(named("current"), Current)
    assert isinstance(named("kind"), Kind)
    for name in ("sluice", "sluice-test", "dev", ""):
        found = named(name)
        assert isinstance(found, Embedded)
        assert found.name == name


def test_it_says_which_cluster_and_what_will_be_made_before_it_makes_anything(
    own: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    own.add("kubectl", CONTEXT, CONFIG, SERVER, ("*readyz*", "echo refused >&2; exit 1"))
    assert main(["up", "--name", "current"]) == 3
    said = capsys.readouterr().err
    assert (
        said.index("context    mine") < said.index("namespace sluice-system") < said.index("does not answer: refused")
    )
    assert "server     https://api.example:6443" in said
    assert not [call for call in own.calls("kubectl") if "apply" in call]


def test_the_context_is_copied_so_that_a_switch_redirects_nothing(own: Programs) -> None:
    Current().up()
    kubeconfig = Current().kubeconfig
    assert kubeconfig.read_text() == "content\n"
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    own.log.unlink()
    own.add("kubectl", CONTEXT, CONFIG, SERVER, ("*status.addresses*", "printf 192.0.2.7"))
    assert Current().env() == {"KUBECONFIG": str(kubeconfig), "GATEWAY_URL": "http://192.0.2.7"}
    assert all(call.startswith(f"kubectl --kubeconfig {kubeconfig} ") for call in own.calls("kubectl"))


def test_without_a_context_nothing_is_touched(own: Programs) -> None:
    own.add("kubectl", ("*current-context*", "echo 'current-context is not set' >&2; exit 1"))
    with pytest.raises(ClusterError, match="There is no current context"):
        Current().up()


def test_without_a_registry_it_says_what_to_set(own: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_REGISTRY")
    with pytest.raises(ClusterError, match="SLUICE_REGISTRY=HOST/PATH"):
        Current().up()
    assert own.calls() == []


def test_a_gateway_that_is_there_is_left_as_it_is(own: Programs) -> None:
    Current().up()
    assert not [call for call in own.calls("kubectl") if "apply" in call]


def test_a_gateway_is_made_only_of_a_class_that_the_user_names(own: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ("*'get gateway public'*", "echo NotFound >&2; exit 1")
    own.add("kubectl", CONTEXT, CONFIG, SERVER, missing, ("*apply*", f"cat >> {own.folder}/applied"))
    with pytest.raises(ClusterError, match="GATEWAY_CLASS=NAME"):
        Current().up()
    monkeypatch.setenv("GATEWAY_CLASS", "mine")
    Current().up()
    assert '"gatewayClassName": "mine"' in (own.folder / "applied").read_text()


def test_an_address_can_be_given(own: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    Current().up()
    with pytest.raises(ClusterError, match="has no address"):
        Current().env()
    monkeypatch.setenv("GATEWAY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:2")
    assert Current().env()["GATEWAY_URL"] == "http://127.0.0.1:1"
    assert Current().env()["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:2"


def test_images_are_pushed_under_the_registrys_name(own: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[str] = []
    name = Current().reference("localhost/sluice-server:1")
    Current().load([name], pushed.append)
    assert pushed == ["registry.example/team/sluice-server:1"]
    monkeypatch.setenv("SLUICE_REGISTRY", "present")
    Current().load([Current().reference("localhost/sluice-server:1")], pushed.append)
    assert len(pushed) == 1


def test_it_is_never_taken_down(own: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down", "--name", "current"]) == 3
    assert "is your own cluster and is left as it is" in capsys.readouterr().err
    assert own.calls() == []
