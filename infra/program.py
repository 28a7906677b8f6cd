"""Stack file -> settings -> plan -> cloud -> outputs."""

import sys

import pulumi

from infra import inputs, outputs
from infra.clouds.deploy import deploy
from infra.errors import StackError
from infra.place import read_place
from infra.plan import environment, make_plan

# The language host takes this exit code to mean that the program has said what is wrong.
_ALREADY_SAID = 32


def run() -> None:
    """Deploy the stack; a StackError is shown line by line and ends it before anything is made."""
    try:
        stack_settings, secrets = inputs.load()
        place = read_place(stack_settings, pulumi.get_stack(), secrets.keys())
        plan = make_plan(stack_settings, place)
        made = _all_made()
        deployment = deploy(plan, secrets)
        outputs.export(deployment, environment.retention(stack_settings), made)
    except StackError as error:
        for problem in error.problems:
            pulumi.log.error(problem)
        sys.exit(_ALREADY_SAID)


def _all_made() -> list[pulumi.Resource]:
    """A list of the program's resources, which grows as they are registered."""
    made: list[pulumi.Resource] = []

    def note(given: pulumi.ResourceTransformationArgs) -> None:
        made.append(given.resource)

    pulumi.runtime.register_stack_transformation(note)
    return made
