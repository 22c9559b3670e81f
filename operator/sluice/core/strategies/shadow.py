"""Shadow: the candidate answers copies of real requests; its answers are compared with stable's, and reach nobody."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.strategy import Pause, Shadow, Then
from sluice.core.stage import Stage
from sluice.core.strategies.canary import canary_stages, mirror_stages
from sluice.core.strategies.gating import gates_stage
from sluice.core.strategies.stepped import SteppedStrategy


class ShadowStrategy(SteppedStrategy):
    """Gates, mirror; then, as the user says, a canary, all traffic at once, or that when somebody promotes."""

    def stages(self, spec: ModelDeploymentSpec) -> tuple[Stage, ...]:
        """Return the stages that the spec asks for."""
        wants, replicas = spec.strategy.shadow or Shadow(), spec.desired_replicas
        start, mirror = (stage for _, stage in mirror_stages(wants, replicas))
        gates = (gates_stage(spec.gates, start.pods),) if spec.gates else ()
        if wants.then is Then.HOLD:  # what is copied meanwhile can still do harm
            return start, *gates, mirror, replace(mirror, title="hold", pause=Pause())
        return start, *gates, mirror, *(stage for _, stage in canary_stages(spec.strategy.steps, spec))

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify what was asked for up to and including this stage; what comes then can be changed until then."""
        wants, stages = (spec.strategy.shadow or Shadow()).to_kubernetes(), self.stages(spec)
        if not any(stage.mirror for stage in stages[:index]):
            wants.pop("then")
        gates = [stage.gates.to_kubernetes() for stage in stages[: index + 1] if stage.gates]
        return hashlib.sha256(json.dumps(["shadow", wants, *gates], sort_keys=True).encode()).hexdigest()[:10]
