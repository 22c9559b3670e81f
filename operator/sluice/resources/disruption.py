"""The disruption budget of a revision: whoever empties nodes takes one of its pods at a time."""

from __future__ import annotations

from sluice.resources.naming import Manifest, labels, metadata, object_name, selector

FEWEST = 2  # pods: of one alone no budget can keep one, without holding up the node for ever


def disruption_budget(*, name: str, namespace: str, revision_name: str, owner: Manifest) -> Manifest:
    """Let at most one pod of a revision be evicted at a time.

    Of each revision by itself: a candidate's pods are no replacement for stable's, which have another share of the
    traffic. Pods that are not healthy may always be evicted, or a broken version would hold up every drain.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(
            name=object_name(name, revision_name),
            namespace=namespace,
            labels=labels(name, revision_name),
            owner=owner,
        ),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": selector(name, revision_name)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
