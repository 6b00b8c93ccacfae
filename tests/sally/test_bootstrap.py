"""The first start on a bare machine, without network: the environment's commands are answered here."""

import ast
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from sally import bootstrap

REPOSITORY = Path(bootstrap.__file__).parent.parent
NO_ENSUREPIP = "The virtual environment was not created successfully because ensurepip is not available."


class Started(Exception):
    """The process would have been replaced by this command."""


class Machine:
    """Stands in for ``subprocess.run``: makes an environment of empty files, and notes what pip was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environments = 0
        self.installed: list[str] = []
        self.has_ensurepip = True
        self.pip_refuses = False
        self.killed_in_pip = False

    def run(self, command: Sequence[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        if command[1:3] == ["-m", "venv"]:
            return self._venv(Path(command[3]), command)
        if command[1:] == ["-m", "pip", "--version"]:
            return subprocess.CompletedProcess(command, 0 if Path(command[0]).with_name("pip").exists() else 1)
        assert command[1:4] == ["-m", "pip", "install"]
        assert "--require-hashes" in command
        if self.killed_in_pip:
            raise KeyboardInterrupt
        self.installed.append(Path(command[-1]).name)
        return subprocess.CompletedProcess(command, 1 if self.pip_refuses else 0)

    def _venv(self, folder: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        (folder / "bin").mkdir(parents=True)
        if not self.has_ensurepip:
            return subprocess.CompletedProcess(command, 1, stdout=NO_ENSUREPIP, stderr="")
        self.environments += 1
        for name in ("python", "pip"):
            (folder / "bin" / name).touch()
        return subprocess.CompletedProcess(command, 0, stdout="", stderr="")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A fresh clone, started with a Python outside any virtual environment."""
    made = Machine(tmp_path)
    (tmp_path / "requirements.txt").write_text("django==5.2\n")
    (tmp_path / "requirements-dev.txt").write_text("django==5.2\npytest==9\n")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "BIN", tmp_path / ".venv" / "bin")
    monkeypatch.setattr(subprocess, "run", made.run)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(sys, "argv", ["manage.py", "demo", "--calendar", "x.ics"])

    def execv(path: str, command: list[str]) -> None:
        raise Started(path, command)

    monkeypatch.setattr(os, "execv", execv)
    return made


def start(command: str = "demo") -> None:
    with pytest.raises(Started):
        bootstrap.ensure_environment(command)


def test_a_fresh_clone_gets_an_environment_and_the_locked_requirements(machine: Machine) -> None:
    start()
    assert (machine.environments, machine.installed) == (1, ["requirements.txt"])


def test_the_same_command_starts_again_in_the_environment(machine: Machine) -> None:
    with pytest.raises(Started) as started:
        bootstrap.ensure_environment("demo")
    python = str(machine.folder / ".venv" / "bin" / "python")
    assert started.value.args == (python, [python, "manage.py", "demo", "--calendar", "x.ics"])


def test_the_second_start_installs_nothing(machine: Machine) -> None:
    start()
    start()
    assert (machine.environments, machine.installed) == (1, ["requirements.txt"])


def test_changed_requirements_are_installed_into_the_same_environment(machine: Machine) -> None:
    start()
    (machine.folder / "requirements.txt").write_text("django==5.2.1\n")
    start()
    assert (machine.environments, machine.installed) == (1, ["requirements.txt", "requirements.txt"])


def test_the_tests_get_the_development_requirements(machine: Machine) -> None:
    start("test")
    assert machine.installed == ["requirements-dev.txt"]


def test_the_development_requirements_include_the_others(machine: Machine) -> None:
    start("test")
    start("demo")
    assert machine.installed == ["requirements-dev.txt"]


def test_an_environment_without_pip_is_replaced(machine: Machine) -> None:
    left_over = machine.folder / ".venv" / "lib"
    left_over.mkdir(parents=True)
    start()
    assert not left_over.exists()
    assert machine.environments == 1


def test_an_environment_whose_installation_was_cut_off_is_replaced(machine: Machine) -> None:
    machine.killed_in_pip = True
    with pytest.raises(KeyboardInterrupt):
        bootstrap.ensure_environment("demo")
    machine.killed_in_pip = False
    start()
    assert (machine.environments, machine.installed) == (2, ["requirements.txt"])


def test_an_environment_whose_python_has_gone_is_replaced(machine: Machine) -> None:
    start()
    python = machine.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(machine.folder / "no-longer-there")
    (python.parent / "pip").unlink()
    start()
    assert machine.environments == 2


def test_an_environment_whose_python_has_changed_is_filled_again(machine: Machine) -> None:
    start()
    python = machine.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(sys.executable)
    start()
    assert machine.installed == ["requirements.txt", "requirements.txt"]


def test_what_pip_refuses_ends_in_words_and_is_tried_again(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.pip_refuses = True
    with pytest.raises(SystemExit) as refused:
        bootstrap.ensure_environment("demo")
    assert refused.value.code == (
        "pip could not install requirements.txt; its message above says why. Then start again."
    )
    machine.pip_refuses = False
    start()
    assert (machine.environments, machine.installed) == (1, ["requirements.txt", "requirements.txt"])


def test_in_somebody_elses_environment_nothing_is_done(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(machine.folder / "theirs"))
    bootstrap.ensure_environment("demo")
    assert (machine.environments, machine.installed) == (0, [])


def test_in_sallys_own_environment_changed_requirements_are_installed_without_a_new_start(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    monkeypatch.setattr(sys, "prefix", str(machine.folder / ".venv"))
    (machine.folder / "requirements.txt").write_text("django==5.2.1\n")
    bootstrap.ensure_environment("demo")
    assert machine.installed == ["requirements.txt", "requirements.txt"]


def test_in_sallys_own_environment_other_commands_install_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(machine.folder / ".venv"))
    bootstrap.ensure_environment("worker")
    assert machine.installed == []


def test_the_environment_that_runs_is_never_deleted(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    start()
    (machine.folder / ".venv" / "sally-installed").write_text("unfinished")
    monkeypatch.setattr(sys, "prefix", str(machine.folder / ".venv"))
    with pytest.raises(SystemExit, match="Leave it"):
        bootstrap.ensure_environment("demo")
    assert (machine.folder / ".venv" / "bin" / "python").exists()


def test_too_old_a_python_is_told_what_to_install(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 6))
    with pytest.raises(SystemExit) as refused:
        bootstrap.ensure_environment("demo")
    assert refused.value.code == (
        "Sally needs Python 3.11 or newer; this is Python 3.9.\n"
        "Install it (Debian, Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install python) "
        "and start again with it, for example: python3.11 manage.py demo"
    )


def test_a_python_without_ensurepip_is_told_the_apt_line(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    machine.has_ensurepip = False
    with pytest.raises(SystemExit) as refused:
        bootstrap.ensure_environment("demo")
    assert refused.value.code == (
        f"Python could not make a virtual environment:\n{NO_ENSUREPIP}\n"
        "On Debian and Ubuntu: apt install python3.12-venv; then start again."
    )
    assert not (machine.folder / ".venv").exists()


@pytest.mark.parametrize("name", ["manage.py", "sally/bootstrap.py", "sally/__init__.py"])
def test_a_python_too_old_for_sally_can_still_read_the_file(name: str) -> None:
    ast.parse((REPOSITORY / name).read_text(encoding="utf-8"), feature_version=(3, 8))


# --- .env --------------------------------------------------------------------------------------------------------


def written(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / ".env"
    monkeypatch.setenv("ENV_FILE", str(path))
    monkeypatch.delenv("DEMO_PASSWORD", raising=False)
    return path


def test_env_file_is_for_its_owner_only(env_file: Path) -> None:
    before = os.umask(0)
    try:
        bootstrap.ensure_env_file()
    finally:
        os.umask(before)
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600


def test_env_file_has_fresh_keys_each_time(env_file: Path) -> None:
    bootstrap.ensure_env_file()
    first = written(env_file)
    env_file.unlink()
    bootstrap.ensure_env_file()
    second = written(env_file)
    assert sorted(first) == ["DEMO_PASSWORD", "FIELD_KEYS", "SECRET_KEY"]
    assert all(first[name] != second[name] for name in first)
    assert len(first["SECRET_KEY"]) >= 50
    assert len(first["DEMO_PASSWORD"]) >= 16
    Fernet(first["FIELD_KEYS"])


def test_env_file_is_never_overwritten(env_file: Path) -> None:
    env_file.write_text("SECRET_KEY=mine\n")
    bootstrap.ensure_env_file()
    assert env_file.read_text() == "SECRET_KEY=mine\n"


def test_env_file_keeps_the_demo_password_from_the_environment(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_PASSWORD", "$chosen #by hand")
    bootstrap.ensure_env_file()
    assert written(env_file)["DEMO_PASSWORD"] == "$chosen #by hand"


def test_an_empty_env_file_name_writes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setenv("ENV_FILE", "")
    bootstrap.ensure_env_file()
    assert list(tmp_path.iterdir()) == []
