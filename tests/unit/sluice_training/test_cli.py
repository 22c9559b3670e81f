import json
import subprocess
import sys
from pathlib import Path

import pytest
from sluice_server.digest import digest_directory
from sluice_training.__main__ import SETTINGS, main
from sluice_training.register import Registered
from sluice_training.registry import Registry

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _no_server_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def test_demo_version_registers_moves_the_alias_and_prints_one_line_of_json(
    registered: dict[str, Registered], tracking_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert registered
    command = ["demo-version", "better", "--name", "birds", "--alias", "champion", "--tracking-uri", tracking_uri]
    assert main(command) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["kind"], told["name"], told["version"], told["alias"]) == ("better", "birds", 1, "champion")
    assert told["digest"].startswith("sha256:")
    assert Registry(tracking_uri).version_of("birds", "champion")["version"] == "1"
    assert "· training 'better': uses every feature" in err
    assert "✓ birds version 1 ('better'), alias champion: accuracy 0.988 on 86 held-out rows" in err
    assert len(err.splitlines()) == 2  # MLflow's own chatter is left out


def test_register_without_alias(tracking_uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["register", "--name", "trees", "--model", "tree", "--tracking-uri", tracking_uri + "/"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["version"], told["alias"]) == ("tree", 1, None)


@pytest.mark.usefixtures("registered")
def test_alias_takes_the_address_from_the_environment(
    tracking_uri: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    assert main(["alias", "--name", "penguins", "--alias", "champion", "--version", "2"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"name": "penguins", "alias": "champion", "version": 2}
    assert Registry(tracking_uri).version_of("penguins", "champion")["version"] == "2"
    assert err == "✓ penguins@champion is version 2\n"


def test_quick_commands_import_neither_mlflow_nor_sklearn(tmp_path: Path) -> None:
    script = (
        "import sys; from sluice_training.__main__ import main; "
        "main(['alias', '--name', 'p', '--alias', 'c', '--version', '1', '--tracking-uri', 'http://127.0.0.1:1']); "
        "print(sorted({'mlflow', 'sklearn', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout == "[]\n"


def test_rows_are_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rows"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 344
    assert list(json.loads(lines[0])) == [
        "island",
        "bill_length_mm",
        "bill_depth_mm",
        "flipper_length_mm",
        "body_mass_g",
        "sex",
        "year",
    ]


def test_tables_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--models", "baseline,logistic", "--folds", "2"]) == 0
    assert main(["evaluate", "--model", "logistic", "--by", "island"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "2-fold cross-validation on 258 rows" in err
    assert "island=Torgersen" in err


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("validate --models svm", "There is no model 'svm'. Choose one of: baseline, logistic,"),
        ("validate --folds 1", "1 folds are not possible here: give a number from 2 to 51."),
        ("evaluate --model svm", "There is no model 'svm'."),
        ("evaluate --by age", "There is no column 'age' to form segments by."),
        ("register --name p", "No MLflow tracking server is named: give --tracking-uri or set MLFLOW_TRACKING_URI."),
        (f"register --name p --model svm --tracking-uri {NOWHERE}", "There is no model 'svm'."),
        (f"register --name p --tracking-uri {NOWHERE}", f"No MLflow tracking server answers at {NOWHERE}"),
        (f"register --name a/b --tracking-uri {NOWHERE}", "'a/b' cannot name a model"),
        (f"demo-version first --name p --alias v1 --tracking-uri {NOWHERE}", "The alias 'v1' is reserved by MLflow"),
        (f"demo-version worst --name p --tracking-uri {NOWHERE}", "There is no demo version 'worst'."),
        (f"demo-versions --name p --kinds first,worst --tracking-uri {NOWHERE}", "There is no demo version 'worst'."),
        (f"demo-versions --name p --kinds , --tracking-uri {NOWHERE}", "No kind of demo version is named."),
        (f"alias --name p --alias c --version 1 --tracking-uri {NOWHERE}", "No MLflow tracking server answers"),
        ("alias --name p --alias c --version 1 --tracking-uri x", "'x' is not the address of an MLflow"),
    ],
)
def test_bad_input_gets_one_sentence(command: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.split()) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"sluice-train: {sentence}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["", "fly", "evaluate --seed -1", "alias --name p --alias c --version two"])
def test_bad_usage_is_explained_by_argparse(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(command.split())
    assert stopped.value.code == 2
    assert "usage: sluice-train" in capsys.readouterr().err


def test_digest_prints_what_the_spec_wants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "MLmodel").write_bytes(b"flavors")
    assert main(["digest", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{digest_directory(tmp_path)}\n", "")


def test_digest_of_something_else_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["digest", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"sluice-train: {tmp_path} holds no model: name the folder with the file MLmodel.\n"
    )
    (tmp_path / "MLmodel").touch()
    (tmp_path / "link").symlink_to("/etc/hostname")
    assert main(["digest", str(tmp_path)]) == 1
    assert "symbolic link" in capsys.readouterr().err
