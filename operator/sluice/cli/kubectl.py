"""Everything goes through kubectl: whatever signs a person in there works here, and its own errors stay its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sluice.cli import names
from sluice.cli.errors import ApiError, CliError

Object = dict[str, Any]

REQUEST_SECONDS = 15
# Longer than a request may take: signing in (an exec plugin) may be part of it.
PROGRAM_SECONDS = 60
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

_FROM_SERVER = re.compile(r"^Error from server(?: \((\w+)\))?: (.*)", re.DOTALL)
_UNREACHABLE = ("The connection to the server", "Unable to connect to the server", "net/http:", "dial tcp")
_KUBECONFIG = ("context", "cluster", "auth info", "kubeconfig", "config file", "no such file", "configuration")


class Api(Protocol):
    """What commands need of a cluster. All raise `ApiError`."""

    def get(self, path: str) -> Object:
        """Return what the API server has at a path."""

    def watch(self, path: str) -> Iterator[Object]:
        """Yield watch events until the server ends the watch."""

    def merge(self, namespace: str, name: str, patch: Object) -> Object:
        """Change a ModelDeployment by a JSON merge patch; return it as it is then."""

    def user(self) -> str | None:
        """Return who we are to the cluster, None when it does not say."""

    def namespace(self) -> str:
        """Return the namespace of the kubeconfig's context."""

    def close(self) -> None:
        """End the watches that still go on."""


@dataclass(frozen=True)
class Kubectl:
    """The API server as kubectl reaches it.

    Attributes:
        flags: options for every call, such as --context.
        program: which kubectl.
    """

    flags: Sequence[str] = ()
    program: str = "kubectl"
    _watches: list[subprocess.Popen[str]] = field(default_factory=list)

    def get(self, path: str) -> Object:
        """Return what the API server has at a path."""
        return _object(self._run("get", "--raw", path, f"--request-timeout={REQUEST_SECONDS}s"))

    def watch(self, path: str) -> Iterator[Object]:
        """Yield watch events until the server ends the watch."""
        command = self._command("get", "--raw", path)
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:  # noqa: S603
            self._watches.append(process)
            try:
                for line in process.stdout or ():
                    yield _event(line)
            finally:
                process.terminate()
                self._watches.remove(process)
            said = process.stderr.read() if process.stderr else ""
        if process.returncode > 0:
            raise read_error(said)

    def merge(self, namespace: str, name: str, patch: Object) -> Object:
        """Change a ModelDeployment by a JSON merge patch; return it as it is then."""
        kind = f"{names.PLURAL}.{names.VERSION}.{names.GROUP}"
        return _object(
            self._run(
                "patch", kind, name, "--namespace", namespace, "--type=merge", "--patch", json.dumps(patch),
                f"--field-manager={names.FIELD_MANAGER}", "-o", "json", f"--request-timeout={REQUEST_SECONDS}s",
            )
        )  # fmt: skip

    def user(self) -> str | None:
        """Return who we are to the cluster, None when it does not say."""
        with suppress(CliError, KeyError, ValueError):
            said: str = json.loads(self._run("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
            return said
        return None

    def namespace(self) -> str:
        """Return the namespace of the kubeconfig's context."""
        try:
            found = self._run("config", "view", "--minify", "-o", "jsonpath={..namespace}").strip()
        except ApiError as error:
            if "--context" in self.flags:
                raise
            if _POD_NAMESPACE.exists():
                return _POD_NAMESPACE.read_text().strip()
            if "current-context" in error.message:
                raise ApiError(
                    "Kubeconfig", "kubectl has no cluster to talk to: no current context is set",
                    "Name one: kubectl config get-contexts, then kubectl config use-context NAME or --context NAME.",
                ) from error  # fmt: skip
            raise
        return found or "default"

    def close(self) -> None:
        """End the watches that still go on."""
        for process in list(self._watches):
            process.terminate()

    def _command(self, *arguments: str) -> list[str]:
        program = shutil.which(self.program)
        if program is None:
            raise CliError("kubectl is not on the PATH", "Install kubectl, or add the directory it is in to PATH.")
        return [program, *self.flags, *arguments]

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
                self._command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=PROGRAM_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ApiError(
                "Unreachable", f"kubectl {arguments[0]} did not end within {PROGRAM_SECONDS} s",
                "Does it ask you to sign in? Try: kubectl version",
            ) from error  # fmt: skip
        if done.returncode:
            raise read_error(done.stderr or done.stdout)
        return done.stdout


def read_error(said: str) -> ApiError:
    """Understand what kubectl wrote to stderr."""
    # klog lines (E1124 00:11:22 …) are for kubectl's developers.
    lines = [line for line in said.strip().splitlines() if not re.match(r"^[EWI]\d{4} ", line)]
    text = "\n".join(lines).strip() or said.strip() or "kubectl failed and did not say why"
    if from_server := _FROM_SERVER.match(text):
        return _from_server(from_server.group(1) or "InternalError", from_server.group(2).strip())
    if any(part in text for part in _UNREACHABLE):
        return ApiError(
            "Unreachable",
            text,
            "Is the cluster up, and is this its kubeconfig? Try: kubectl version; kubectl config current-context",
        )
    if "Unauthorized" in text or "logged in" in text:
        return _unauthorized(text)
    text = text.removeprefix("error: ")
    if text == "EOF":  # it asked for a user name, and nobody is there to answer
        return _unauthorized("the kubeconfig has no credentials for this cluster")
    if any(part in text.lower() for part in _KUBECONFIG):
        return ApiError("Kubeconfig", text, "See what there is: kubectl config get-contexts")
    return ApiError("Other", text)


def _from_server(reason: str, message: str) -> ApiError:
    if reason == "Forbidden":
        return _forbidden(message)
    return _unauthorized(message) if reason == "Unauthorized" else ApiError(reason, message)


def _unauthorized(text: str) -> ApiError:
    return ApiError("Unauthorized", text, "Sign in to the cluster (again), until this works: kubectl auth whoami")


def _forbidden(message: str) -> ApiError:
    asked = re.search(r'cannot (\w+) resource "([\w/]+)" in API group "([\w.]*)"', message)
    hint = "Ask for the rights that docs/cli.md lists."
    if asked:
        verb, resource, group = asked.groups()
        full = f"{resource}.{group}" if group else resource
        hint = (
            f'You need the verb "{verb}" on {full} here; see what you may do: kubectl auth can-i --list. '
            "docs/cli.md has a Role with what the plugin needs."
        )
    return ApiError("Forbidden", message, hint)


def _object(text: str) -> Object:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ApiError("Other", f"the API server answered something that is no object: {text[:200]}")
    return found


def _event(line: str) -> Object:
    event = _object(line)
    if event.get("type") == "ERROR":
        status: Mapping[str, Any] = event.get("object", {})
        raise ApiError(status.get("reason", "InternalError"), status.get("message", "the watch failed"))
    return event


Connect = Callable[[Sequence[str]], Api]
