"""Makes Sally start on a machine that has only Python: virtual environment, locked requirements, ``.env``.

Standard library only, and plain enough that Python 3.8 can still parse it and say what is missing.
"""

import base64
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
OLDEST = (3, 11)
UNFINISHED = "unfinished"


def ensure_environment(command: str) -> None:
    """Return inside a virtual environment that has what ``command`` needs, or start again in one."""
    inside = sys.prefix != sys.base_prefix
    if inside and Path(sys.prefix).resolve() != VENV.resolve():
        return  # somebody else's environment: theirs to fill
    if inside and command not in ("demo", "test"):
        return
    _require_python()
    _install("requirements-dev.txt" if command == "test" else "requirements.txt")
    if not inside:
        python = str(BIN / "python")
        os.execv(python, [python, *sys.argv])  # noqa: S606 - the same command, in the environment just made


def ensure_env_file() -> None:
    """Write ``.env`` with fresh keys, readable by its owner only; an existing one is never touched."""
    if os.environ.get("ENV_FILE") == "":
        return
    path = Path(os.environ.get("ENV_FILE") or ROOT / ".env")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("# Made by `manage.py demo`; .env.example explains every line. Keep it secret, and keep it.\n")
        file.write(f"SECRET_KEY={secrets.token_urlsafe(50)}\n")
        file.write(f"FIELD_KEYS={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}\n")
        file.write(f"DEMO_PASSWORD={os.environ.get('DEMO_PASSWORD') or secrets.token_urlsafe(12)}\n")


def _require_python() -> None:
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        raise SystemExit(
            f"Sally needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is Python {found}.\n"
            "Install it (Debian, Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install python) "
            "and start again with it, for example: python3.11 manage.py demo"
        )


def _install(requirements: str) -> None:
    """Install a locked requirements file, unless the environment says that it already holds just that."""
    stamp = VENV / "sally-installed"
    found = stamp.read_text(encoding="utf-8").split() if stamp.is_file() else []
    python = str(BIN / "python")
    if _fingerprint(requirements) in found and os.path.exists(python):
        return
    if UNFINISHED in found or not _runs([python, "-m", "pip", "--version"]):
        _make_venv()
    sys.stderr.write(f"Installing {requirements} into .venv (a minute or two, once) ...\n")
    stamp.write_text(UNFINISHED, encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if _run([*pip, "--require-hashes", "-r", str(ROOT / requirements)]).returncode:
        stamp.unlink()  # what pip refuses, it leaves undone: next time it may go on from there
        raise SystemExit(f"pip could not install {requirements}; its message above says why. Then start again.")
    # The development requirements include the others.
    installed = {_fingerprint(requirements), _fingerprint("requirements.txt")}
    stamp.write_text("".join(f"{line}\n" for line in sorted(installed)), encoding="utf-8")


def _fingerprint(requirements: str) -> str:
    # With the interpreter behind the environment: another one would not find what this one installed.
    content = os.path.realpath(BIN / "python").encode() + (ROOT / requirements).read_bytes()
    return f"{requirements}:{hashlib.sha256(content).hexdigest()}"


def _make_venv() -> None:
    if sys.prefix != sys.base_prefix:
        raise SystemExit("The environment .venv is incomplete. Leave it (deactivate) and start again.")
    shutil.rmtree(VENV, ignore_errors=True)
    sys.stderr.write("Making .venv ...\n")
    made = _run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        version = ".".join(map(str, sys.version_info[:2]))
        raise SystemExit(
            f"Python could not make a virtual environment:\n{(made.stdout + made.stderr).strip()}\n"
            f"On Debian and Ubuntu: apt install python{version}-venv; then start again."
        )


def _runs(command: "list[str]") -> bool:
    try:
        return _run(command, capture_output=True).returncode == 0
    except OSError:  # no such file, or one for another machine
        return False


def _run(command: "list[str]", **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run to the end; a SIGTERM on the way ends the command too, as Ctrl-C does by itself."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return subprocess.run(command, check=False, **options)  # noqa: S603 - our own commands
    finally:
        signal.signal(signal.SIGTERM, before)
