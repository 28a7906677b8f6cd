"""Stack file -> settings -> plan -> cloud -> outputs."""

import sys
from pathlib import Path

import pulumi

from infra import environment, outputs, settings
from infra.clouds.deploy import deploy
from infra.errors import StackError
from infra.plan import make_plan
from infra.plan.place import Place

# The language host takes this exit code to mean that the program has said what is wrong.
_ALREADY_SAID = 32
_ROOT = Path(__file__).resolve().parents[1]


def run() -> None:
    """Deploy the stack; a StackError is shown line by line and ends it before anything is made."""
    try:
        stack_settings, secrets = settings.load()
        place = Place(stack=pulumi.get_stack(), root=_ROOT, secret_keys=secrets.keys())
        plan = make_plan(stack_settings, place)
        outputs.export(deploy(plan, secrets), environment.retention(stack_settings))
    except StackError as error:
        for problem in error.problems:
            pulumi.log.error(problem)
        sys.exit(_ALREADY_SAID)
