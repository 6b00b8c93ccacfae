#!/usr/bin/env python3
"""Sally's command line. Outside a virtual environment it first makes one (sally/bootstrap.py)."""

import os
import sys

from sally import bootstrap


def main() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    bootstrap.ensure_environment(command)
    if command == "test":
        import pytest

        raise SystemExit(pytest.main(sys.argv[2:]))
    if command == "bench":
        from tests.bench import start

        raise SystemExit(start.main(sys.argv[2:]))
    if command == "demo":
        bootstrap.ensure_env_file()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings" if command == "sandbox" else "sally.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
