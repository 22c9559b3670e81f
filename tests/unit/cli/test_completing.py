"""Completion: what kubectl is told may come next."""

from __future__ import annotations

import pytest
from sluice.cli.completing import main
from sluice.cli.errors import ApiError

from tests.unit.cli.cluster import TWO, Cluster, model_deployment, rollout

REJECTED = {"revision": TWO | {"name": "dddd"}, "reason": "HarmProven", "message": "", "at": "2030-01-01T11:59:00Z"}
RETIRED = {"revision": TWO | {"name": "cccc"}, "scaleDownAt": "2030-01-01T12:10:00Z", "wasStable": True}


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        (["pr"], ["promote"]),
        (["status", ""], ["penguins", "pigeons"]),
        (["status", "pe"], ["penguins"]),
        (["-n", "sea", "status", ""], ["whales"]),
        (["status", "--namespace=sea", ""], ["whales"]),
        (["abort", "penguins", "--revision", ""], ["dddd", "bbbb"]),
        (["abort", "penguins", "--revision=b"], ["--revision=bbbb"]),
        (["rollback", "penguins", "--to="], ["--to=cccc"]),
        (["status", "-n", "s"], ["sea", "shop"]),
        (["status", "penguins", "--wa"], ["--watch", "--wait"]),
        (["status", "penguins", "-o", ""], ["text", "json"]),
        (["history", "penguins", ""], ["2", "1"]),
        (["completion", "z"], ["zsh"]),
        (["list", ""], []),
        (["status", "penguins", ""], []),
    ],
)
def test_the_next_word_is_proposed(typed: list[str], proposed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    spaces = {"items": [{"metadata": {"name": name}} for name in ("default", "sea", "shop")]}
    cluster = Cluster(
        [model_deployment(rollout=rollout(), rejected=[REJECTED], retired=[RETIRED]), model_deployment("pigeons"),
         model_deployment("whales", "sea")],
        records=[{"metadata": {"name": f"penguins-1234-{n}"}, "spec": {"startedAt": f"{n}"}} for n in (1, 2)],
        others={"/api/v1/namespaces": spaces},
    )  # fmt: skip
    assert main(typed, cluster) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.partition("\t")[0] for line in lines] == proposed
    assert last == ":4", "no file names"


def test_without_a_cluster_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", ""], Cluster(errors=[ApiError("Unreachable", "refused")])) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (":4\n", "")
