"""Blue-green: the new version is tested on an idle environment, then all traffic is switched at once."""

from __future__ import annotations

import hashlib
import json

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.strategy import BlueGreen
from sluice.core.replicas import needed
from sluice.core.stage import Stage
from sluice.core.strategies.gating import GATES, gates_stage
from sluice.core.strategies.stepped import SteppedStrategy


class BlueGreenStrategy(SteppedStrategy):
    """Preview, gates, pause, switch, verify; stable stays as it is until the end, so that going back is one write."""

    def stages(self, spec: ModelDeploymentSpec) -> tuple[Stage, ...]:
        """Return the stages that the spec asks for; the switch is always there."""
        wants, all_pods = spec.strategy.blue_green or BlueGreen(), needed(spec.desired_replicas, 100)
        few = min(wants.preview_replicas or all_pods, all_pods)
        stages = []
        if wants.preview or wants.pause:
            title = "preview" if wants.preview else "start"
            stages.append(Stage(title, 0, few, previewed=wants.preview is not None))
        if spec.gates:
            stages.append(gates_stage(spec.gates, few))
        if wants.pause:
            stages.append(Stage("pause", 0, few, pause=wants.pause))
        stages.append(Stage("switch", 100, all_pods))
        if wants.verify:
            stages.append(Stage("verify", 100, all_pods, verify=wants.verify))
        return tuple(stages)

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify what was asked for up to and including this stage."""
        wants = (spec.strategy.blue_green or BlueGreen()).to_kubernetes()
        wants |= {GATES: spec.gates.to_kubernetes()} if spec.gates else {}
        begun = [(stage.title, wants.get(stage.title)) for stage in self.stages(spec)[: index + 1]]
        return hashlib.sha256(json.dumps(["blueGreen", begun], sort_keys=True).encode()).hexdigest()[:10]
