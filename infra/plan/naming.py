"""Names and tags of what a stack makes, within each cloud's limits. Pure.

A stack's names begin with its ``base``; what must be unique in a whole cloud ends with six hex
digits of the account and the base, so that the same stack file gives the same names each time, and
other ones in another account.
Azure: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
OCI: https://docs.oracle.com/iaas/api/ (each resource's own)
"""

import hashlib
import re
from dataclasses import dataclass

_UNIQUE_DIGITS = 6


@dataclass(frozen=True)
class Rule:
    """What a kind of name may be: at most ``longest`` characters; without ``hyphens``, letters and
    digits only; ``unique`` in the whole cloud. ``part`` is the room that a name of a part keeps for
    it, so that each part's name begins with the same base.
    """

    longest: int
    hyphens: bool = True
    unique: bool = False
    part: int = 0


AZURE = {
    "resource_group": Rule(90),
    "registry": Rule(50, hyphens=False, unique=True),
    "storage_account": Rule(24, hyphens=False, unique=True),
    "vault": Rule(24, unique=True),
    "database_server": Rule(63, unique=True),
    "dns_label": Rule(63, unique=True),
    "container_app": Rule(32),
    # Of stacks that are up, the longest part is "backup".
    "container_app_job": Rule(32, part=6),
    # In a container group or an app.
    "container": Rule(63),
    "volume": Rule(63),
}

OCI = {
    "repository": Rule(100),
    "bucket": Rule(256),
    # Begins with a letter; VCN and subnet are part of names in the network.
    "dns_label": Rule(15, hyphens=False),
    "hostname": Rule(63),
    "identity": Rule(100, unique=True),
}


@dataclass(frozen=True)
class Naming:
    """The names of one stack; ``account`` is the subscription or tenancy that it is in."""

    base: str
    account: str

    @property
    def unique(self) -> str:
        """Six hex digits of the account and the base."""
        return hashlib.sha256(f"{self.account}/{self.base}".encode()).hexdigest()[:_UNIQUE_DIGITS]

    def name(self, rule: Rule, part: str = "") -> str:
        """The name of ``part``, of the whole stack without one.

        What is too long is cut: the base, and a part for which the rule keeps no room, whose name
        ends with digits of its own then.
        """
        joint = "-" if rule.hyphens else ""
        base, part = (text.replace("-", joint) for text in (self.base, part))
        ending = joint.join(filter(None, (part, self.unique if rule.unique else "")))
        taken = len(joint + ending) if ending else 0
        room = rule.longest - (max(taken, len(joint) + rule.part) if part else taken)
        if len(part) > rule.part and len(base) > room:
            return _cut(rule, base, part, f"{self.account}/{self.base}/{part}")
        return joint.join(filter(None, (base[:room].rstrip("-"), ending)))


def fit(rule: Rule, name: str) -> str:
    """A name that is unique already, where it need not be the whole of it; too long, it is cut and
    ends with digits of its own.
    """
    return name if len(name) <= rule.longest else _cut(rule, "", name, name)


def _cut(rule: Rule, base: str, part: str, whole: str) -> str:
    """Base and part, each cut to its share, and digits of the ``whole``."""
    joint = "-" if rule.hyphens else ""
    room = rule.longest - _UNIQUE_DIGITS - len(joint) * (2 if base else 1)
    kept = part[: max(room - len(base), room // 2)].rstrip("-")
    digits = hashlib.sha256(whole.encode()).hexdigest()[:_UNIQUE_DIGITS]
    return joint.join(filter(None, (base[: room - len(kept)].rstrip("-"), kept, digits)))


def base_of(name: str | None, stack: str) -> str:
    """What names begin with: the key ``name``, or the stack's own name made fit."""
    text = re.sub(r"[^a-z0-9]+", "-", (name or f"trackstack-{stack}").lower()).strip("-")
    return text if text[:1].isalpha() else f"t-{text}"


def tags(stack: str, given: dict[str, str]) -> dict[str, str]:
    """The tags of every resource: whose it is, and what the stack file adds."""
    return {**given, "project": "trackstack", "stack": stack}
