"""The actions: what is written, for which revision, and what is told."""

from __future__ import annotations

import io

import pytest
from sluice.cli import arguments, names
from sluice.cli.commands import abort, pause, promote, resume, retry, rollback
from sluice.cli.errors import ApiError, CliError, Exit
from sluice.cli.kubectl import Object
from sluice.cli.session import Session
from sluice.resources import naming

from tests.unit.cli.cluster import ONE, THREE, TWO, Clock, Cluster, model_deployment, rollout, says

COMMANDS = {"promote": promote, "abort": abort, "retry": retry, "rollback": rollback, "pause": pause, "resume": resume}
REJECTED = [{"revision": TWO, "reason": "HarmProven", "message": "errors", "at": "2030-01-01T11:59:00Z"}]
RETIRED = [
    {"revision": THREE, "scaleDownAt": "2030-01-01T11:00:00Z", "wasStable": True},
    {"revision": TWO, "scaleDownAt": "2030-01-01T12:10:00Z", "wasStable": True},
]


WON = {
    "verdict": "Winner",
    "rejected": [{"revision": TWO, "reason": "Winner", "message": "by 0.1", "at": "2030-01-01T11:59:00Z"}],
}


def run(cluster: Cluster, *words: str, clock: Clock | None = None) -> tuple[int, str]:
    clock, out = clock or Clock(), io.StringIO()
    options = arguments.parser().parse_args([words[0], "penguins", *words[1:]])
    session = Session(cluster, options, out, io.StringIO(), monotonic=clock.monotonic, sleep=clock.sleep)
    return COMMANDS[words[0]].run(session), out.getvalue()


@pytest.mark.parametrize(
    ("words", "status", "action", "revision"),
    [
        (("promote",), {"rollout": rollout()}, "promote", "bbbb"),
        (("promote", "--full"), {"rollout": rollout()}, "promote-full", "bbbb"),
        (("promote", "--revision=bbbb"), {"rollout": rollout()}, "promote", "bbbb"),
        (("promote",), WON, "promote", "bbbb"),
        (("promote", "--full", "--revision=2"), WON, "promote-full", "bbbb"),
        (("abort",), {"rollout": rollout()}, "abort", "bbbb"),
        (("abort", "--revision=penguins/2"), {"rollout": rollout()}, "abort", "bbbb"),
        (("retry",), {"rollout": rollout()}, "retry", "bbbb"),
        (("retry",), {"rejected": REJECTED}, "retry", "bbbb"),
        (("rollback",), {"retired": RETIRED}, "rollback", "bbbb"),
        (("rollback", "--to=3"), {"retired": RETIRED}, "rollback", "cccc"),
        (("rollback", "--to=cccc"), {"retired": RETIRED}, "rollback", "cccc"),
    ],
)
def test_a_wish_is_one_annotation_bound_to_the_revision_that_was_seen(
    words: tuple[str, ...], status: Object, action: str, revision: str
) -> None:
    cluster = Cluster([model_deployment(**status)], answer=says("granted"))
    assert run(cluster, *words) == (Exit.DONE, "granted\n")
    annotations = {f"sluice.dev/{action}": revision, "sluice.dev/actor": "maria"}
    assert cluster.patches == [{"metadata": {"annotations": annotations, "resourceVersion": "1"}}]


def test_the_names_are_those_of_the_operator() -> None:
    assert {names.wish(action) for action in naming.WISHES} == set(naming.WISHES.values())
    assert names.LABEL_MODEL_DEPLOYMENT == naming.LABEL_MODEL_DEPLOYMENT
    assert names.LABEL_REVISION == naming.LABEL_REVISION


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("promote",), {}, "nothing to promote: no rollout is going on"),
        (("promote",), {"rejected": REJECTED}, "nothing to promote: no rollout is going on"),
        (("promote", "--revision=cccc"), WON, r"is penguins/2 \(revision bbbb\), not cccc"),
        (("abort",), {}, "nothing to abort"),
        (("promote", "--revision=cccc"), {"rollout": rollout()}, r"the candidate is penguins/2 \(revision bbbb\), not"),
        (("promote",), {"stable": None, "rollout": rollout()}, "is the first version"),
        (("retry",), {}, "nothing was rolled back"),
        (("retry", "--revision=cccc"), {"rejected": REJECTED}, r"cccc was not rolled back.*bbbb \(penguins/2\)"),
        (("rollback",), {}, "no earlier revision"),
        (("rollback", "--to=7"), {"retired": RETIRED}, "7 is not kept"),
        (("rollback", "--to=1"), {"retired": RETIRED}, "penguins/1 is the stable version"),
    ],
)
def test_where_there_is_nothing_to_act_on_nothing_is_written(
    words: tuple[str, ...], status: Object, sentence: str
) -> None:
    raw = model_deployment(**status)
    raw["status"] = {key: value for key, value in raw["status"].items() if value is not None}
    cluster = Cluster([raw])
    with pytest.raises(CliError, match=sentence) as caught:
        run(cluster, *words)
    assert caught.value.code is Exit.FAILED
    assert caught.value.hint, "says what is going on instead"
    assert cluster.patches == []


def test_a_revision_that_was_given_up_before_it_was_stable_is_no_way_back() -> None:
    given_up = [{"revision": TWO, "scaleDownAt": "2030-01-01T12:10:00Z", "wasStable": False}]
    with pytest.raises(CliError, match="no earlier revision"):
        run(Cluster([model_deployment(retired=given_up)]), "rollback")


def test_a_refusal_is_told_and_is_no_success() -> None:
    cluster = Cluster([model_deployment(rollout=rollout())], answer=says("promote refused: step can't be skipped"))
    assert run(cluster, "promote") == (Exit.FAILED, "promote refused: step can't be skipped\n")


def test_who_writes_in_between_does_not_matter_while_the_revision_is_the_same() -> None:
    cluster = Cluster([model_deployment(rollout=rollout())], answer=says("granted"), between=lambda _: None)
    assert run(cluster, "promote")[0] is Exit.DONE
    assert cluster.patches[0]["metadata"]["resourceVersion"] == "11"


def test_another_revision_in_between_is_not_acted_on() -> None:
    def superseded(live: Object) -> None:
        live["status"]["rollout"]["revision"] = THREE

    cluster = Cluster([model_deployment(rollout=rollout())], between=superseded)
    with pytest.raises(CliError, match="has changed from bbbb to cccc"):
        run(cluster, "promote")
    assert cluster.patches == []


def test_an_old_answer_to_the_same_wish_is_none() -> None:
    old = {"action": "retry", "revision": "bbbb", "outcome": "granted", "at": "2030-01-01T11:00:00Z"}
    raw = model_deployment(rollout=rollout(), lastAction=old)

    def taken_off(live: Object) -> None:
        live["status"]["lastAction"] = old | {"pending": False}

    with pytest.raises(CliError, match="no operator has answered within 5 s"):
        run(Cluster([raw], answer=taken_off), "retry", "--timeout=5s")


def test_nobody_answers_says_how_the_operator_is_and_how_to_take_it_back() -> None:
    operator = {"metadata": {"name": "sluice", "namespace": "sluice-system"}, "spec": {"replicas": 2}, "status": {}}
    cluster = Cluster(
        [model_deployment(rollout=rollout())], others={"/apis/apps/v1/deployments": {"items": [operator]}}
    )
    with pytest.raises(CliError, match="no operator has answered within 20 s") as caught:
        run(cluster, "abort")
    assert caught.value.code is Exit.TIMEOUT
    assert "sluice-system/sluice has 0 of 2 pods ready" in caught.value.hint
    assert "kubectl annotate md penguins sluice.dev/abort- -n shop" in caught.value.hint


def test_an_api_server_that_is_away_for_a_moment_is_waited_for() -> None:
    cluster = Cluster([model_deployment(rollout=rollout())])

    def away(live: Object) -> None:
        says("granted")(live)
        cluster.errors.append(ApiError("Unreachable", "refused"))

    cluster.answer = away
    assert run(cluster, "promote") == (Exit.DONE, "granted\n")


def test_no_wait_asks_and_leaves() -> None:
    cluster = Cluster([model_deployment(rollout=rollout())])
    assert run(cluster, "abort", "--no-wait") == (Exit.DONE, "asked for abort of revision bbbb\n")


def test_an_unknown_user_is_no_obstacle() -> None:
    cluster = Cluster([model_deployment(rollout=rollout())], answer=says("granted"), me=None)
    assert run(cluster, "abort")[0] is Exit.DONE


@pytest.mark.parametrize(("command", "paused"), [("pause", True), ("resume", False)])
def test_pause_and_resume_write_the_spec_and_wait_until_it_is_seen(command: str, paused: bool) -> None:
    def seen(live: Object) -> None:
        live["status"] |= {"observedGeneration": live["metadata"]["generation"], "message": "as told"}

    raw = model_deployment(rollout=rollout())
    raw["spec"]["paused"] = not paused
    cluster = Cluster([raw], answer=seen)
    code, said = run(cluster, command)
    assert code is Exit.DONE
    assert "as told" in said
    assert [patch["spec"] for patch in cluster.patches] == [{"paused": paused}]


def test_pausing_what_is_paused_changes_nothing() -> None:
    raw = model_deployment()
    raw["spec"]["paused"] = True
    assert run(Cluster([raw]), "pause") == (Exit.DONE, "penguins is paused already\n")


def test_stable_is_named_in_full() -> None:
    assert ONE["name"] not in run(Cluster([model_deployment(retired=RETIRED)], answer=says("ok")), "rollback")[1]
