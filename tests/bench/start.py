"""Where ``manage.py bench`` begins: the tests' fixed environment, then Django, then the command."""

from __future__ import annotations

import os
from collections.abc import Sequence

import django


def main(arguments: Sequence[str]) -> int:
    # In this order: settings read the environment, and the command's modules need Django ready.
    from tests import environment  # noqa: F401

    os.environ["DJANGO_SETTINGS_MODULE"] = "sally.settings"
    django.setup()
    from tests.bench import command

    return command.main(arguments)
