"""The strategies by the spec's discriminator."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.core.strategies.ab_test import ABTestStrategy
from sluice.core.strategies.base import Strategy
from sluice.core.strategies.blue_green import BlueGreenStrategy
from sluice.core.strategies.canary import CanaryStrategy
from sluice.core.strategies.recreate import RecreateStrategy
from sluice.core.strategies.shadow import ShadowStrategy

STRATEGIES: Mapping[str, Strategy] = {
    "canary": CanaryStrategy(),
    "blueGreen": BlueGreenStrategy(),
    "shadow": ShadowStrategy(),
    "abTest": ABTestStrategy(),
    "recreate": RecreateStrategy(),
}
