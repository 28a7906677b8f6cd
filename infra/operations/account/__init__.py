"""What is looked at in a cloud before anything is made there.

A cloud that has something to look at has a module of its name here, with `look(plan)`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from infra.plan import Plan


@dataclass(frozen=True)
class Check:
    """One line: ``name`` of what was looked at, whether it is good, what was found, and how to
    mend what is not. None as ``is_good``: the cloud did not tell, which stops nothing.
    """

    name: str
    is_good: bool | None
    found: str
    cure: str = ""


@dataclass(frozen=True)
class Account:
    """All that was looked at, and the rights that nobody can try without making something:
    ``rights`` are statements to paste where `up` is refused.
    """

    checks: tuple[Check, ...] = ()
    rights: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        return all(check.is_good is not False for check in self.checks)


def look(plan: Plan) -> Account:
    """Look at the account of the plan's cloud, by its SDK; empty for one with nothing to see."""
    name = f"{__name__}.{plan.package}"
    return import_module(name).look(plan) if find_spec(name) else Account()


def lines(account: Account) -> Iterable[str]:
    """For a person."""
    words = {True: "ok", False: "FAILED", None: "not told"}
    for check in account.checks:
        yield f"{words[check.is_good]:9} {check.name}: {check.found}"
        if check.is_good is False and check.cure:
            yield f"{'':9} {check.cure}"
    if account.rights:
        yield "Who has these rights can make all of it:"
        yield from (f"  {right}" for right in account.rights)
