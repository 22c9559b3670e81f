"""The processes of a node: their command lines and the files they read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from hack.cluster import pki, versions
from hack.cluster.paths import SOURCES, ClusterPaths
from hack.cluster.sandbox import NODE_ADDRESS, POD_CIDR, SERVICE_CIDR

API_SERVER = f"https://{NODE_ADDRESS}:6443"
METRICS_PORT = 4443
CONFIG_FILES = {
    "containerd.toml": "containerd.toml",
    "cni.conflist": "cni/10-pods.conflist",
    "kubelet.yaml": "kubelet.yaml",
    "kube-proxy.yaml": "kube-proxy.yaml",
    "Corefile": "Corefile",
}
CLIENTS = ("controller-manager", "scheduler", "kubelet", "proxy", "dns", "metrics")


@dataclass(frozen=True)
class Component:
    """One process.

    Those of stage 0 need nobody, those of stage 1 the first, those of stage 2 the API server, those of stage 3 rights
    that are granted there.
    """

    name: str
    stage: int
    command: tuple[str, ...]


def write_config(paths: ClusterPaths) -> None:
    """Render every file that a process reads."""
    values = {
        "state": paths.state, "run": paths.run, "pki": paths.pki, "config": paths.config, "logs": paths.logs,
        "cgroup": paths.cgroup, "node": paths.cgroup, "node_address": NODE_ADDRESS, "pod_cidr": POD_CIDR,
        "pause_image": versions.PAUSE_IMAGE,
    }  # fmt: skip
    for source, target in CONFIG_FILES.items():
        text = Template((SOURCES / "config" / source).read_text(encoding="utf-8")).substitute(values)
        (paths.config / target).parent.mkdir(parents=True, exist_ok=True)
        (paths.config / target).write_text(text, encoding="utf-8")
    for client in CLIENTS:
        text = pki.kubeconfig(paths.pki, client, API_SERVER, client)
        (paths.config / f"{client}.kubeconfig").write_text(text, encoding="utf-8")
    (paths.state / "volume-plugins").mkdir(exist_ok=True)


def components(paths: ClusterPaths, kube: Path, metrics: Path) -> tuple[Component, ...]:
    """Everything that runs inside, in the order of starting."""
    config, certificates = paths.config, paths.pki
    return (
        Component("etcd", 0, (
            "etcd", f"--data-dir={paths.state}/etcd", "--unsafe-no-fsync", "--logger=zap", "--log-level=warn",
            "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380", "--auto-compaction-retention=5m",
        )),
        Component("containerd", 0, ("containerd", f"--config={config}/containerd.toml", "--log-level=warn")),
        Component("kube-apiserver", 1, (f"{kube}/kube-apiserver", *_api_server(certificates))),
        Component("kube-controller-manager", 2, (
            f"{kube}/kube-controller-manager", f"--kubeconfig={config}/controller-manager.kubeconfig",
            f"--service-account-private-key-file={certificates}/sa.key", f"--root-ca-file={certificates}/ca.crt",
            f"--cluster-signing-cert-file={certificates}/ca.crt", f"--cluster-signing-key-file={certificates}/ca.key",
            "--use-service-account-credentials", "--leader-elect=false", "--bind-address=127.0.0.1",
        )),
        Component("kube-scheduler", 2, (
            f"{kube}/kube-scheduler", f"--kubeconfig={config}/scheduler.kubeconfig",
            "--leader-elect=false", "--bind-address=127.0.0.1",
        )),
        Component("kubelet", 2, (
            f"{kube}/kubelet", f"--config={config}/kubelet.yaml", f"--kubeconfig={config}/kubelet.kubeconfig",
            f"--hostname-override={paths.cgroup}", f"--node-ip={NODE_ADDRESS}", f"--root-dir={paths.state}/kubelet",
        )),
        Component("kube-proxy", 2, (f"{kube}/kube-proxy", f"--config={config}/kube-proxy.yaml")),
        Component("coredns", 2, (f"{kube}/coredns", "-conf", f"{config}/Corefile")),
        Component("metrics-server", 3, (f"{metrics}/metrics-server", *_metrics_server(config, certificates))),
    )  # fmt: skip


def _api_server(certificates: Path) -> Sequence[str]:
    return (
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        f"--advertise-address={NODE_ADDRESS}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        f"--client-ca-file={certificates}/ca.crt",
        f"--tls-cert-file={certificates}/apiserver.crt",
        f"--tls-private-key-file={certificates}/apiserver.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={certificates}/sa.pub",
        f"--service-account-signing-key-file={certificates}/sa.key",
        f"--kubelet-client-certificate={certificates}/apiserver-kubelet.crt",
        f"--kubelet-client-key={certificates}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={certificates}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={certificates}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={certificates}/front-proxy.crt",
        f"--proxy-client-key-file={certificates}/front-proxy.key",
        "--enable-aggregator-routing",
    )


def _metrics_server(config: Path, certificates: Path) -> Sequence[str]:
    kubeconfig = f"{config}/metrics.kubeconfig"
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={NODE_ADDRESS}",
        f"--secure-port={METRICS_PORT}",
        f"--tls-cert-file={certificates}/metrics.crt",
        f"--tls-private-key-file={certificates}/metrics.key",
        f"--kubelet-certificate-authority={certificates}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        "--kubelet-use-node-status-port",
        "--metric-resolution=15s",
    )
