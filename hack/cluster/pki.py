"""Certificates for one cluster, with elliptic keys: made in a second, good for ten years."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.sandbox import NODE_ADDRESS
from hack.cluster.shell import run

DAYS = "3650"
SERVICE_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
                 "kubernetes.default.svc.cluster.local")  # fmt: skip
SERVICE_ADDRESSES = ("127.0.0.1", "10.96.0.1", NODE_ADDRESS)


@dataclass(frozen=True)
class Identity:
    """Who a certificate speaks for; `names` are where it may be served."""

    file: str
    subject: str
    names: tuple[str, ...] = ()


def identities(node: str) -> tuple[Identity, ...]:
    """Everyone who talks to the API server, and the two who serve."""
    served = tuple(f"DNS:{name}" for name in SERVICE_NAMES) + tuple(f"IP:{address}" for address in SERVICE_ADDRESSES)
    return (
        Identity("apiserver", "/CN=kube-apiserver", served),
        Identity("apiserver-kubelet", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
        Identity("front-proxy", "/CN=front-proxy-client"),
        Identity("admin", "/O=system:masters/CN=admin"),
        Identity("controller-manager", "/CN=system:kube-controller-manager"),
        Identity("scheduler", "/CN=system:kube-scheduler"),
        Identity("proxy", "/CN=system:kube-proxy"),
        Identity("dns", "/CN=system:coredns"),
        Identity("metrics", "/CN=system:metrics-server", (f"IP:{NODE_ADDRESS}",)),
        Identity("kubelet", f"/O=system:nodes/CN=system:node:{node}", (f"DNS:{node}", f"IP:{NODE_ADDRESS}")),
    )


def issue(directory: Path, node: str) -> None:
    """Make what is not there yet: all of it, or whom a newer version of this knows beside the others.

    A run that broke off before the authority was complete starts over.
    """
    if (directory / "complete").exists():
        for identity in identities(node):
            if not (directory / f"{identity.file}.crt").exists():
                _sign(directory, identity)
        return
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    for name in ("ca", "sa"):
        _key(directory / f"{name}.key")
    run(["openssl", "pkey", "-in", directory / "sa.key", "-pubout", "-out", directory / "sa.pub"])
    run(["openssl", "req", "-x509", "-new", "-key", directory / "ca.key", "-out", directory / "ca.crt",
         "-days", DAYS, "-subj", f"/CN={node}-ca"])  # fmt: skip
    for identity in identities(node):
        _sign(directory, identity)
    (directory / "complete").touch()


def kubeconfig(directory: Path, user: str, server: str, name: str) -> str:
    """A kubeconfig with everything inside (JSON is YAML), so that it can be copied anywhere."""

    def data(file: str) -> str:
        return base64.b64encode((directory / file).read_bytes()).decode()

    certificate = {"client-certificate-data": data(f"{user}.crt"), "client-key-data": data(f"{user}.key")}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": data("ca.crt")}}],
        "users": [{"name": name, "user": certificate}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    return json.dumps(content, indent=2) + "\n"


def _key(path: Path) -> None:
    run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path])


def _sign(directory: Path, identity: Identity) -> None:
    kinds = ("key", "csr", "ext", "crt")
    key, request, extensions, certificate = (directory / f"{identity.file}.{kind}" for kind in kinds)
    _key(key)
    run(["openssl", "req", "-new", "-key", key, "-subj", identity.subject, "-out", request])
    names = f"subjectAltName={','.join(identity.names)}\n" if identity.names else ""
    extensions.write_text(f"{names}extendedKeyUsage=serverAuth,clientAuth\n", encoding="ascii")
    authority = ("-CA", str(directory / "ca.crt"), "-CAkey", str(directory / "ca.key"), "-CAcreateserial")
    run(["openssl", "x509", "-req", "-in", request, *authority, "-days", DAYS, "-extfile", extensions,
         "-out", certificate])  # fmt: skip
    request.unlink()
    extensions.unlink()
