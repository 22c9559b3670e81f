"""Image names as Docker and the kubelet read them, so that one name means the same image everywhere."""


def normalize(reference: str) -> str:
    """Spell out what the short form leaves out: registry, `library/` and the tag."""
    name, _, digest = reference.partition("@")
    first, slash, _ = name.partition("/")
    has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    if not has_registry:
        name = f"docker.io/{name}" if slash else f"docker.io/library/{name}"
    if digest:
        return f"{name}@{digest}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
