"""The CustomResourceDefinitions, made from the models: `python -m sluice.api.crd` prints it."""

from __future__ import annotations

import sys
from typing import Any

import yaml

from sluice.api.base import GROUP, KIND, PLURAL, VERSION, cel
from sluice.api.record import RECORD_KIND, RECORD_PLURAL, RolloutRecordSpec, RolloutRecordStatus
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus
from sluice.api.structural import Schema, structural

NAME_RULES = (
    cel(
        "self.metadata.name.size() <= 40",
        "the name is too long: shorten metadata.name to at most 40 characters, the names of its objects are made of it",
    ),
    cel(
        "self.metadata.name.matches('^[a-z][-a-z0-9]*$')",
        "the name must begin with a letter and have only lower-case letters, digits and '-', "
        "because Services are named after it: change metadata.name",
    ),
)

# Name, type, path and priority: 0 is always shown, 1 with `-o wide`.
COLUMNS = (
    ("Strategy", "string", ".status.strategy", 0),
    ("Stable", "string", ".status.stable.modelVersion", 0),
    ("Candidate", "string", ".status.challengers", 0),
    ("Weight", "integer", ".status.weight", 0),
    ("Step", "string", ".status.step", 0),
    ("Verdict", "string", ".status.verdict", 0),
    ("Ready", "string", ".status.ready", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Model", "string", ".status.model", 1),
    ("URI", "string", ".spec.model.uri", 1),
    ("Message", "string", ".status.message", 1),
)
RECORD_COLUMNS = (
    ("Deployment", "string", ".spec.modelDeployment", 0),
    ("Strategy", "string", ".spec.strategy", 0),
    ("From", "string", ".spec.stable.modelVersion", 0),
    ("To", "string", ".spec.candidate.modelVersion", 0),
    ("Outcome", "string", ".status.outcome", 0),
    ("Cause", "string", ".status.cause", 0),
    ("Requests", "integer", ".status.evidence.total.candidateRequests", 0),
    ("Errors", "integer", ".status.evidence.total.candidateErrors", 0),
    ("Started", "date", ".spec.startedAt", 0),
    ("Finished", "date", ".status.finishedAt", 1),
    ("Message", "string", ".status.message", 1),
)
COLUMN_HELP = {
    "Stable": "Version of the model that serves.",
    "Candidate": "Version of the model that is being rolled out.",
    "Weight": "Percent of the traffic that the candidate gets.",
    "Ready": "Ready pods of those wanted, stable + candidate.",
    "Verdict": "How the analysis of the candidate stands.",
    "Requests": "Requests that the candidate answered.",
    "Errors": "Errors among them.",
}


def _column(name: str, kind: str, path: str, priority: int) -> Schema:
    column: Schema = {"name": name, "type": kind, "jsonPath": path}
    if name in COLUMN_HELP:
        column["description"] = COLUMN_HELP[name]
    return column | ({"priority": priority} if priority else {})


def root_schema() -> Schema:
    """Return the schema of a whole ModelDeployment."""
    return {
        "type": "object",
        "description": "A machine-learning model, served, and how its new versions are rolled out.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(ModelDeploymentSpec, defaults=True),
            "status": structural(ModelDeploymentStatus, defaults=False),
        },
        "x-kubernetes-validations": list(NAME_RULES),
    }


def record_schema() -> Schema:
    """Return the schema of a whole RolloutRecord."""
    return {
        "type": "object",
        "description": "What was decided in one rollout of a ModelDeployment, and why. Written by the operator alone.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(RolloutRecordSpec, defaults=False),
            "status": structural(RolloutRecordStatus, defaults=False),
        },
    }


def definitions() -> tuple[Schema, ...]:
    """Return all CustomResourceDefinitions."""
    return custom_resource_definition(), record_definition()


def record_definition() -> Schema:
    """Return the CustomResourceDefinition of RolloutRecord.

    Without a status subresource: one write stores evidence, cursors and decision together.
    """
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{RECORD_PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": RECORD_KIND,
                "listKind": f"{RECORD_KIND}List",
                "plural": RECORD_PLURAL,
                "singular": RECORD_KIND.lower(),
                "shortNames": ["rr"],
                "categories": ["sluice"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(*column) for column in RECORD_COLUMNS],
                    "schema": {"openAPIV3Schema": record_schema()},
                }
            ],
        },
    }


def custom_resource_definition() -> Schema:
    """Return the CustomResourceDefinition of ModelDeployment."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["md"],
                "categories": ["sluice"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(*column) for column in COLUMNS],
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "schema": {"openAPIV3Schema": root_schema()},
                }
            ],
        },
    }


class _Plain(yaml.SafeDumper):
    """Writes everything in full: anchors make a manifest hard to read and to compare."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(value: Any) -> str:
    """Write YAML that is the same at every run, in the order of the models."""
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    sys.stdout.write("---\n".join(to_yaml(definition) for definition in definitions()))
