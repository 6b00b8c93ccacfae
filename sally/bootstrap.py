"""Makes Sally start on a machine that has only Python: virtual environment, locked requirements, ``.env``.

Standard library only, and plain enough that Python 3.8 can still parse it and say what is missing.
"""

import base64
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
OLDEST = (3, 11)


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
    wanted = _fingerprint(requirements)
    if stamp.is_file() and wanted in stamp.read_text(encoding="utf-8").split():
        return
    if not (BIN / "pip").exists():
        _make_venv()
    sys.stderr.write(f"Installing {requirements} into .venv (a minute or two, once) ...\n")
    pip = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    result = subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / requirements)], check=False)  # noqa: S603
    if result.returncode:
        raise SystemExit(f"pip could not install {requirements}; its message above says why. Then start again.")
    # The development requirements include the others.
    installed = {wanted, _fingerprint("requirements.txt")}
    stamp.write_text("".join(f"{line}\n" for line in sorted(installed)), encoding="utf-8")


def _fingerprint(requirements: str) -> str:
    content = repr(sys.version_info[:2]).encode() + (ROOT / requirements).read_bytes()
    return f"{requirements}:{hashlib.sha256(content).hexdigest()}"


def _make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)  # a half-made one, if any
    sys.stderr.write("Making .venv ...\n")
    command = [sys.executable, "-m", "venv", str(VENV)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        version = ".".join(map(str, sys.version_info[:2]))
        raise SystemExit(
            f"Python could not make a virtual environment:\n{(made.stdout + made.stderr).strip()}\n"
            f"On Debian and Ubuntu: apt install python{version}-venv; then start again."
        )
