"""The tag of an image names everything that goes into it."""

import re
import shutil
from pathlib import Path

import pytest

from hack.images import IMAGES, ROOT, Image, ImageError, build, choose, main


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for image in IMAGES:
        for source in (image.dockerfile, *image.sources):
            target = tmp_path / source
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / source, target)
    return tmp_path


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_everything_a_dockerfile_copies_is_in_the_tag(image: Image) -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / image.dockerfile).read_text(), flags=re.MULTILINE)
    assert sorted(" ".join(copies).split()) == sorted(image.sources)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_any_change_of_a_source_changes_the_tag(image: Image, checkout: Path) -> None:
    before = image.reference(checkout)
    assert before == image.reference()
    assert re.fullmatch(rf"localhost/sluice-{image.name}:[0-9a-f]{{16}}", before)
    for source in (image.dockerfile, *image.sources):
        path = checkout / source
        file = path / "new.py" if path.is_dir() else path
        file.write_text(file.read_text() + "\n" if file.exists() else "")
        after = image.reference(checkout)
        assert after != before
        before = after


def test_what_python_leaves_behind_does_not_change_the_tag(checkout: Path) -> None:
    server = IMAGES[0]
    before = server.reference(checkout)
    (checkout / "model_server/sluice_server/__pycache__").mkdir(exist_ok=True)
    (checkout / "model_server/sluice_server/__pycache__/x.pyc").touch()
    assert server.reference(checkout) == before


def test_an_incomplete_checkout_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"model_server/Dockerfile is missing"):
        IMAGES[0].reference(tmp_path)


def test_images_are_chosen_by_name() -> None:
    assert [image.name for image in choose([])] == ["server", "operator", "collector", "mlflow"]
    assert [image.name for image in choose(["mlflow", "server"])] == ["server", "mlflow"]


def test_an_unknown_image_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refs", "servr"]) == 1
    known = "server, operator, collector, mlflow"
    assert capsys.readouterr().err == f"error: there is no image servr: choose from {known}.\n"


class Shelf:
    def __init__(self, *there: str) -> None:
        self.there = set(there)
        self.calls: list[str] = []

    def prepare(self) -> None:
        self.calls.append("prepare")

    def has(self, reference: str) -> bool:
        return reference in self.there

    def push(self, reference: str) -> None:
        raise AssertionError("nothing is pushed")

    def build(self, image: Image, reference: str) -> None:
        self.calls.append(reference)


def test_only_what_is_missing_is_built() -> None:
    references = {image: image.reference() for image in IMAGES}
    shelf = Shelf(references[IMAGES[1]])
    build(references, shelf)
    assert shelf.calls[0] == "prepare"
    assert sorted(shelf.calls[1:]) == sorted(set(references.values()) - {references[IMAGES[1]]})


def test_where_all_is_there_nothing_is_touched() -> None:
    references = {image: image.reference() for image in IMAGES}
    shelf = Shelf(*references.values())
    build(references, shelf)
    assert shelf.calls == []


def test_references_are_printed_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refs"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{image.name}={image.reference()}" for image in IMAGES]
