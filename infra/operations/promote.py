"""`make promote`: run the image of one stack in another, and roll back if it fails."""

import getpass
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import click

from infra.operations.backup import back_up
from infra.operations.cost import Change, foresee
from infra.operations.preview import POLICIES
from infra.operations.stack import Stack, guard, main
from infra.operations.stack.findings import Finding
from infra.operations.stack.protection import lifted
from infra.operations.stack.served import check
from infra.settings.image import ImageKeys
from runtime.errors import UserError

_BY_DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")
_KEY = "trackstack:image"


@dataclass(frozen=True)
class Promotion:
    """``image`` is what is to run, ``before`` what runs now by digest, where that is known."""

    source: str | None
    target: str
    image: str
    before: str | None
    needed: bool


@dataclass(frozen=True)
class Options:
    """How to go about it. ``patience``: seconds in which the target must be well after `up`;
    ``allowed``: what may be lost, as DATA= names it.
    """

    by: str
    yes: bool = False
    backup: bool = True
    dry_run: bool = False
    patience: float = 180
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Foreseen:
    """What an update would change: the stack's cost, and what holds data that it takes.
    ``works`` is false where the preview fails, or a policy does.
    """

    cost: Change
    taken: tuple[Finding, ...] = ()
    works: bool = True


@dataclass(frozen=True)
class Outcome:
    """How it ended: promoted, unchanged, rolled back or failed, and why."""

    result: str
    image: str
    before: str | None
    backup: str | None
    problems: tuple[str, ...]
    cost: Change | None = None


def decide(
    source: str | None,
    target: str,
    given: str | None,
    source_outputs: Mapping[str, Any],
    target_outputs: Mapping[str, Any],
) -> Promotion:
    """What to run in ``target``; raises UserError where that cannot be run elsewhere."""
    image = given or str(source_outputs.get("image") or "")
    if source and "tracking_uri" not in source_outputs:
        raise UserError(f"{source} is not up; bring it up with: make up STACK={source}")
    if not _BY_DIGEST.fullmatch(image):
        named = "--image" if given else f"the output `image` of {source}"
        raise UserError(
            f"{named} is {image or 'missing'}; only an image in a registry, by digest, can run in "
            f"another stack: set `registry` in the stack file and bring it up again"
        )
    before = str(target_outputs.get("image") or "")
    return Promotion(
        source=source,
        target=target,
        image=image,
        before=before if _BY_DIGEST.fullmatch(before) else None,
        # A cloud's stack runs a copy of it, in a registry of its own.
        needed=before.rpartition("@")[2] != image.rpartition("@")[2],
    )


class Target:
    """The stack that is promoted to; ``allowed`` is what may be lost there."""

    def __init__(self, stack: Stack, quiet: bool, allowed: frozenset[str] = frozenset()) -> None:
        self._stack = stack
        self._quiet = quiet
        self._allowed = allowed

    def configure(self, image: str | None) -> None:
        """Write the image to the stack file, or take it out."""
        change = ("config", "set", _KEY, image) if image else ("config", "rm", _KEY)
        if self._stack.run(*change, quiet=self._quiet):
            raise UserError(f"{_KEY} cannot be written to the stack file of {self._stack.name}")

    def configured(self) -> str | None:
        """The image that the stack file names now."""
        settings = self._stack.settings()
        return settings.image if isinstance(settings, ImageKeys) else None

    def preview(self) -> Foreseen:
        """What an update would change."""
        state = self._stack.resources()
        with lifted(self._stack, guard.protected(state, self._allowed), quiet=self._quiet):
            preview, taken = guard.look(
                self._stack, state, "--policy-pack", POLICIES, quiet=self._quiet, silent=False
            )
        return Foreseen(foresee(preview.events), taken, works=not preview.code)

    def up(self, message: str) -> int:
        how = ("--yes", "--skip-preview", "--suppress-outputs", "--message", message)
        return guard.up(self._stack, *how, allowed=self._allowed, quiet=self._quiet)

    def outputs(self) -> dict[str, Any]:
        return self._stack.outputs(secrets=True)


def apply(promotion: Promotion, target: Target, options: Options, backup: str | None) -> Outcome:
    """Run the image; where that fails, run the one before again."""
    origin = promotion.source or "outside"
    problems = _run(target, f"promote {promotion.image} from {origin}, by {options.by}", options)
    if not problems:
        return Outcome("promoted", promotion.image, promotion.before, backup, ())
    if not promotion.before:
        reason = f"{promotion.target} ran no image by digest before: there is nothing to go back to"
        return Outcome("failed", promotion.image, None, backup, (*problems, reason))
    target.configure(promotion.before)
    again = _run(target, f"roll back to {promotion.before}, by {options.by}", options)
    if backup:
        problems.append(
            "what the new image changed in the database stays; to undo that too: "
            f"make recover STACK={promotion.target} FROM={backup}"
        )
    result = "failed" if again else "rolled back"
    return Outcome(result, promotion.image, promotion.before, backup, (*problems, *again))


def _run(target: Target, message: str, options: Options) -> list[str]:
    try:
        if target.up(message):
            return ["pulumi up failed; its reason stands above"]
    except UserError as error:
        return str(error).splitlines()
    return check(target.outputs(), options.patience)


def carry_out(
    promotion: Promotion, target: Target, outputs: Mapping[str, Any], options: Options
) -> Outcome:
    """Preview, ask, back up and apply; until then the stack file is put back as it was."""
    if not promotion.needed:
        return Outcome("unchanged", promotion.image, promotion.before, None, ())
    configured = target.configured()
    target.configure(promotion.image)
    goes_on, backup = False, None
    try:
        foreseen = target.preview()
        # What is protected makes the preview fail, and stands in its plan all the same.
        guard.refuse(foreseen.taken, options.allowed)
        if not foreseen.works:
            raise UserError("the preview failed; its reason stands above; nothing was changed")
        change = foreseen.cost
        click.echo(f"cost: {change}", err=True)
        if options.dry_run or not _agree(promotion.target, options.yes):
            return Outcome("previewed", promotion.image, promotion.before, None, (), change)
        # A stack that is not up yet has nothing to lose.
        if outputs and options.backup:
            try:
                backup = back_up(outputs)
            except UserError as error:
                raise UserError(
                    f"nothing was changed: {error}; --no-backup goes on without one"
                ) from None
        goes_on = True
    finally:
        if not goes_on:
            target.configure(configured)
    return replace(apply(promotion, target, options, backup), cost=change)


def _agree(target: str, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UserError("nobody can be asked here; say --yes (YES=1 with make)")
    return click.confirm(f"Promote to {target}?", err=True)


@click.command()
@click.option("--from", "source", help="The stack whose image is promoted.")
@click.option("--to", "target", required=True, help="The stack that is to run it.")
@click.option("--image", help="An image by digest instead: to go back by hand.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--data", default="", help="What may be lost: replace:NAME or delete:NAME, by comma.")
@click.option("--no-backup", is_flag=True, help="Promote without a backup of the target.")
@click.option("--patience", default=180.0, help="Seconds in which it must be well (180).")
@click.option("--by", default=getpass.getuser, help="Who promotes; the login name without it.")
@click.option("--dry-run", is_flag=True, help="Check and preview only.")
@click.option("--json", "as_json", is_flag=True, help="For machines; the engine's to stderr.")
def command(
    source: str | None,
    target: str,
    image: str | None,
    yes: bool,
    data: str,
    no_backup: bool,
    patience: float,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run in one stack the very image, by digest, that runs in another.

    Checks that the other one is well, previews with policies and cost, asks, backs the target
    up, updates it and checks it. Where the update or the check fails, the image before runs again.
    The image is written to the target's stack file. Stops where the update takes what holds data
    that --data does not name. Exits 0 only if it runs and is well.

    \b
    Examples:
      make promote FROM=azure-dev TO=azure-prod
      python -m infra.operations.promote --from azure-dev --to azure-prod --yes --json
      python -m infra.operations.promote --to azure-prod --image registry.example.org/t@sha256:...
    """
    if bool(source) == bool(image):
        raise UserError("say either --from or --image")
    allowed = guard.allowances(data)
    there = Stack(target)
    outputs = there.outputs(secrets=True)
    from_outputs = Stack(source).outputs(secrets=True) if source else {}
    promotion = decide(source, target, image, from_outputs, outputs)
    if source and (problems := check(from_outputs)):
        raise UserError(f"{source} is not well, so it is not promoted: {'; '.join(problems)}")
    options = Options(by, yes, not no_backup, dry_run, patience, allowed)
    outcome = carry_out(promotion, Target(there, as_json, allowed), outputs, options)
    if as_json:
        click.echo(json.dumps({"from": source, "to": target, "by": by, **asdict(outcome)}))
    else:
        click.echo(f"{target}: {outcome.result} ({outcome.image})")
        for problem in outcome.problems:
            click.echo(f"  {problem}", err=True)
    return 0 if outcome.result in ("promoted", "unchanged", "previewed") else 1


if __name__ == "__main__":
    main("infra.operations.promote", command)
