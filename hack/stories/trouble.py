"""What goes wrong around a rollout, and what people type at night."""

from __future__ import annotations

from hack.stack.install import NAMESPACE as OPERATOR_NAMESPACE
from hack.stories.teller import BETTER, BROKEN, NAME, NAMESPACE, Teller


def no_traffic(tell: Teller) -> None:
    """An analysis without requests."""
    tell.story("Nobody asks anything")
    tell.begin(progressDeadlineSeconds=20)
    tell.alias(BETTER)
    tell.says("no data")
    tell.moment("No data is not a bad model.")
    tell.says("neither harm nor safety")
    tell.moment("The step's time is over: inconclusive, held for a person.")
    with tell.traffic(20):
        tell.plugin("retry", NAME)
        tell.plugin("pause", NAME)
        tell.moment("Tried again, and paused meanwhile.")
        tell.plugin("resume", NAME)
        tell.plugin("abort", NAME)
        tell.until(lambda s: s.get("verdict") == "Failed", "it is aborted")
        tell.moment("Aborted by a person.")


def superseded(tell: Teller) -> None:
    """Two versions in a hurry."""
    tell.story("A newer version comes in the middle")
    tell.begin()
    with tell.traffic(20):
        tell.alias(BROKEN)
        tell.until(lambda s: s.get("rollout", {}).get("weight", 0) > 0, "it gets traffic")
        tell.alias(BETTER)
        tell.until(lambda s: s.get("candidate") == f"penguins/{BETTER}", "the newer one is the candidate")
        tell.moment("The older candidate is given up, the newer one begins.")


def surroundings(tell: Teller) -> None:
    """What is wrong around it."""
    tell.story("Trouble around it")
    tell.begin()
    tell.apply(model={"uri": "models:/penguins@nobody"})
    tell.until(lambda s: s.get("verdict") == "Error", "the alias is missing")
    tell.moment("The alias does not exist (anywhere near: MLflow is away). Traffic stays as it is.")
    tell.apply(traffic={"gateway": {"name": "nowhere"}, "pathPrefix": f"/{NAMESPACE}"})
    tell.says("there is no Gateway")
    tell.moment("The Gateway is missing.")
    tell.apply()
    operator = ("-n", OPERATOR_NAMESPACE, "deploy", "-l", "app.kubernetes.io/name=sluice")
    replicas = tell.shell.kubectl("get", *operator, "-o", "jsonpath={.items[0].spec.replicas}").strip()
    tell.shell.kubectl("scale", *operator, "--replicas=0")
    try:
        tell.shell.kubectl("wait", "pod", "-n", OPERATOR_NAMESPACE, *operator[3:], "--for=delete", "--timeout=60s")
        tell.moment(
            "The operator is away: models go on serving, and the plugin says why nothing else goes on.",
            f"kubectl sluice pause {NAME} -n {NAMESPACE} --timeout 3s",
            f"kubectl sluice status {NAME} -n {NAMESPACE}",
        )
    finally:
        tell.shell.kubectl("scale", *operator, f"--replicas={replicas}")
        tell.shell.kubectl("rollout", "status", *operator[:2], "deploy/sluice", "--timeout=120s")


def mistakes(tell: Teller) -> None:
    """What people type at night."""
    tell.story("Mistakes")
    tell.moment(
        "Nothing breaks, and the way on is named.",
        f"kubectl sluice status pengiuns -n {NAMESPACE}",
        f"kubectl sluice promote {NAME} -n {NAMESPACE}",
        f"kubectl sluice status {NAME} -n {NAMESPACE} --as maria",
        "kubectl sluice list --context production",
    )
