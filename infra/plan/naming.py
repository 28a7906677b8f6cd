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
    digits only; ``unique`` in the whole cloud.
    """

    longest: int
    hyphens: bool = True
    unique: bool = False


AZURE = {
    "resource_group": Rule(90),
    "registry": Rule(50, hyphens=False, unique=True),
    "storage_account": Rule(24, hyphens=False, unique=True),
    "vault": Rule(24, unique=True),
    "database_server": Rule(63, unique=True),
    "dns_label": Rule(63, unique=True),
    "container_app": Rule(32),
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
        """The name of ``part``; a base that is too long is cut, part and digits never are."""
        ending = "-".join(filter(None, (part, self.unique if rule.unique else "")))
        base = self.base
        if not rule.hyphens:
            base, ending = base.replace("-", ""), ending.replace("-", "")
        joint = "-" if rule.hyphens and ending else ""
        room = rule.longest - len(ending) - len(joint)
        return f"{base[:room].rstrip('-')}{joint}{ending}"


def base_of(name: str | None, stack: str) -> str:
    """What names begin with: the key ``name``, or the stack's own name made fit."""
    text = re.sub(r"[^a-z0-9]+", "-", (name or f"trackstack-{stack}").lower()).strip("-")
    return text if text[:1].isalpha() else f"t-{text}"


def tags(stack: str, given: dict[str, str]) -> dict[str, str]:
    """The tags of every resource: whose it is, and what the stack file adds."""
    return {**given, "project": "trackstack", "stack": stack}
