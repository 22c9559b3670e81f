"""The whole command line against a small cluster: what is printed, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
from sluice.cli.__main__ import main
from sluice.cli.errors import ApiError, Exit

from tests.unit.cli.cluster import ONE, TWO, Cluster, model_deployment, rollout

Captured = pytest.CaptureFixture[str]


def record(number: int, outcome: str, **status: object) -> dict[str, object]:
    decision = {
        "number": 1, "at": "2030-01-01T11:00:02.500Z", "rule": "harm_proven", "reason": "RolledBack", "warning": True,
        "message": "penguins/2 rolled back from 10 %", "actor": "maria", "step": "2/4 analysis", "weight": 0,
        "verdict": "Failed",
        "inputs": {"wanted": "penguins/2", "replicas": 2, "stableReady": 2, "candidateReady": 1, "liveWeight": 10,
                   "total": {"stableRequests": 90, "candidateRequests": 10, "candidateErrors": 3}, "harm": 1.0,
                   "metrics": [{"name": "errors", "harm": 1, "safe": 0}, {"name": "latency", "harm": 0, "safe": 0.5}]},
    }  # fmt: skip
    return {
        "metadata": {"name": f"penguins-12345678-{number}"},
        "spec": {"modelDeployment": "penguins", "strategy": "canary", "stable": ONE, "candidate": TWO,
                 "startedAt": f"2030-01-01T11:0{number}:00Z"},
        "status": {"outcome": outcome, "decisions": [decision, decision | {"number": 5}],
                   "evidence": {"total": {"candidateRequests": 10, "candidateErrors": 3}}} | status,
    }  # fmt: skip


def test_status_is_plain_in_a_pipe(capsys: Captured) -> None:
    assert main(["status", "penguins"], Cluster([model_deployment(rollout=rollout())])) == Exit.DONE
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "✓ setWeight 10 · ▶ analysis" in out
    assert "kubectl sluice abort penguins --revision=bbbb -n shop" in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_status_for_scripts_is_json(capsys: Captured) -> None:
    main(["status", "penguins", "-o", "json"], Cluster([model_deployment(rollout=rollout())]))
    found = json.loads(capsys.readouterr().out)
    assert found["modelDeployment"]["state"] == "Rolling out"
    assert found["modelDeployment"]["revisions"][1]["weight"] == 10
    assert found["youCan"][0]["command"].startswith("kubectl sluice promote")


def test_recommended_commands_keep_the_users_context(capsys: Captured) -> None:
    cluster = Cluster([model_deployment(rollout=rollout())])
    main(["--context", "prod", "status", "penguins"], cluster)
    assert cluster.flags == ("--context=prod",)
    assert "abort penguins --revision=bbbb -n shop --context=prod" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("-n", "other", "status", "penguins"), ("status", "penguins", "-n", "other")])
def test_an_option_counts_before_and_after_the_command(words: Sequence[str], capsys: Captured) -> None:
    assert main(list(words), Cluster([model_deployment(namespace="other")])) == Exit.DONE


def test_a_wrong_name_is_answered_with_near_ones(capsys: Captured) -> None:
    cluster = Cluster([model_deployment(), model_deployment("pinguins", "zoo")])
    assert main(["status", "pinguins"], cluster) == Exit.ERROR
    err = capsys.readouterr().err
    assert "error: there is no ModelDeployment pinguins in namespace shop" in err
    assert "Did you mean penguins?" in err
    assert "-n zoo" in err


def test_a_cluster_without_sluice_is_told_apart(capsys: Captured) -> None:
    assert main(["list"], Cluster(installed=False)) == Exit.ERROR
    assert main(["status", "penguins"], Cluster(installed=False)) == Exit.ERROR
    assert capsys.readouterr().err.count("Sluice is not installed here") == 2


def test_an_error_is_a_sentence_with_a_way_on(capsys: Captured) -> None:
    error = ApiError("Unreachable", "The connection to the server was refused", "Is the cluster up?")
    assert main(["list"], Cluster(errors=[error])) == Exit.ERROR
    assert capsys.readouterr().err == "error: The connection to the server was refused\n  Is the cluster up?\n"


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["status"], ["wait", "x", "--timeout", "soon"], ["completion", "x"]]
)
def test_wrong_usage_has_a_code_of_its_own(words: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words, Cluster())
    assert caught.value.code == Exit.ERROR
    assert "--help" in capsys.readouterr().err


def test_the_list_has_a_line_for_each(capsys: Captured) -> None:
    cluster = Cluster([model_deployment(), model_deployment("whales", "sea", rollout=rollout(), ready="3/3")])
    assert main(["list", "-A"], cluster) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "NAMESPACE", "NAME", "STATE", "STABLE", "CANDIDATE", "WEIGHT", "STEP", "READY", "AGE", "MESSAGE"
    ]  # fmt: skip
    assert [line.split()[:2] for line in lines[1:]] == [["shop", "penguins"], ["sea", "whales"]]
    assert "10 %" in lines[2]
    main(["list"], cluster)
    assert "whales" not in capsys.readouterr().out


def test_an_empty_list_says_where_it_looked(capsys: Captured) -> None:
    assert main(["list"], Cluster()) == Exit.DONE
    assert "namespace shop (-A looks in all)" in capsys.readouterr().err


def test_history_has_a_line_for_each_rollout(capsys: Captured) -> None:
    ended = {"finishedAt": "2030-01-01T11:05:30Z", "cause": "HarmProven", "message": "error rate"}
    records = [record(2, "RolledBack", **ended), record(1, "Promoted", finishedAt="2030-01-01T11:02:00Z")]
    assert main(["history", "penguins"], Cluster([model_deployment()], records=records)) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:6] == ["1", "2030-01-01", "11:01:00", "penguins/1", "penguins/2", "Promoted"]
    assert all(part in lines[2] for part in ("RolledBack", "HarmProven", "3m30s", "10", "3", "error rate"))


def test_history_outlives_its_model_deployment(capsys: Captured) -> None:
    assert main(["history", "penguins"], Cluster(records=[record(1, "Promoted")])) == Exit.DONE
    assert main(["history", "whales"], Cluster()) == Exit.ERROR
    assert "there is no ModelDeployment whales" in capsys.readouterr().err


def test_explain_tells_every_decision_and_what_it_was_made_from(capsys: Captured) -> None:
    cluster = Cluster(
        [model_deployment()], records=[record(1, "Promoted"), record(2, "RolledBack", cause="HarmProven")]
    )
    assert main(["explain", "penguins"], cluster) == Exit.DONE
    out = capsys.readouterr().out
    for part in (
        "Rollout 2: penguins/1 → penguins/2", "RolledBack: HarmProven", "11:00:02  RolledBack", "asked for by maria",
        "rule harm_proven", "stable 0 of 90, candidate 3 of 10", "harm 100 %",
        "errors 100 %, 0 %; latency 0 %, 50 %", "3 decisions were left out",
    ):  # fmt: skip
        assert part in out
    assert main(["history", "penguins", "1"], cluster) == Exit.DONE
    assert "Rollout 1:" in capsys.readouterr().out
    assert main(["explain", "penguins", "9"], cluster) == Exit.ERROR
    assert "There are: 1, 2" in capsys.readouterr().err
    main(["explain", "penguins", "-o", "json"], cluster)
    assert json.loads(capsys.readouterr().out)["decisions"][0]["actor"] == "maria"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from sluice.cli import __main__ as m\n"
        "try: m.main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'rich', 'pydantic', 'kubernetes', 'asyncio', 'kopf'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_plugin_needs_nothing_of_the_operators_dependencies() -> None:
    code = """
import importlib, pkgutil, sys
for name in ("pydantic", "kubernetes", "kopf", "aiohttp", "yaml"):
    sys.modules[name] = None
import sluice.cli
for module in pkgutil.walk_packages(sluice.cli.__path__, "sluice.cli."):
    importlib.import_module(module.name)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
