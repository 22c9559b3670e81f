"""The images, by an ordinary Docker: its command lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from hack import images
from hack.images import IMAGES, ROOT, Docker, ImageError, build
from tests.unit.hack_clusters.conftest import Programs

SERVER = IMAGES[0]
NAME = "localhost/sluice-server:1"


def test_what_is_there_is_not_built_again(programs: Programs) -> None:
    programs.add("docker")
    build({SERVER: NAME}, Docker())
    assert programs.calls() == [f"docker image inspect {NAME}"]


def test_an_image_is_built_from_the_root_of_the_repository(programs: Programs, tmp_path: Path) -> None:
    built = tmp_path / "built"
    programs.add(
        "docker",
        ("*'image inspect'*", f"[ -e {built} ]"),
        ("*build*", f"pwd > {built}"),
    )
    build({SERVER: NAME}, Docker())
    assert programs.calls("docker build") == [f"docker build --tag {NAME} --file {SERVER.dockerfile} ."]
    assert built.read_text().strip() == str(ROOT)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_every_dockerfile_copies_only_what_the_build_context_has(image: images.Image) -> None:
    allowed = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]  # fmt: skip
    lines = (ROOT / image.dockerfile).read_text().splitlines()
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    assert copied
    for path in copied:
        assert (ROOT / path).exists()
        assert any(path.startswith(rule.replace("*.lock", "")) for rule in allowed), path


def test_docker_that_does_not_run_is_said_in_a_sentence(programs: Programs) -> None:
    programs.add("docker", ("*", "exit 1"))
    with pytest.raises(ImageError, match="Docker is not running"):
        build({SERVER: NAME}, Docker())


def test_docker_that_is_not_there_is_said_too(programs: Programs) -> None:
    with pytest.raises(ImageError, match="docker is not there"):
        build({SERVER: NAME}, Docker())


def test_a_builder_that_keeps_nothing_is_noticed(programs: Programs) -> None:
    programs.add("docker", ("*'image inspect'*", "exit 1"))
    with pytest.raises(ImageError, match="without keeping it"):
        build({SERVER: NAME}, Docker())


def test_a_push_goes_where_the_name_says(programs: Programs) -> None:
    programs.add("docker")
    Docker().push("registry.example/sluice-server:1")
    assert programs.calls() == ["docker push --quiet registry.example/sluice-server:1"]


def test_kinds_images_are_dockers_even_where_buildah_is(programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("docker", "buildah", "kind"):
        programs.add(name)
    assert images.main(["load", "--cluster", "kind", "server"]) == 0
    name = capsys.readouterr().out.strip().removeprefix("server=")
    assert programs.calls() == [f"docker image inspect {name}", f"kind load docker-image {name} --name sluice"]
