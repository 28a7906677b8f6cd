"""The policy pack as Pulumi's engine starts it; the rules themselves stand in rules.py."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from infra.policies.reading import UNKNOWN
from infra.policies.rules import RULES, Rule


def _plain(get: Callable[[], Any]) -> Any:
    """A value as rules take it: the SDK's own raises at what a preview does not know."""
    try:
        value = get()
    except UnknownValueError:
        return UNKNOWN
    if isinstance(value, Mapping):
        props = cast("Mapping[str, Any]", value)
        return {name: _plain(lambda name=name: props[name]) for name in props}
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = cast("Sequence[Any]", value)
        return [_plain(lambda index=index: items[index]) for index in range(len(items))]
    return value


def _policy(rule: Rule) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        props = cast("dict[str, Any]", _plain(lambda: args.props))
        for problem in rule.problems(args.resource_type, props, bool(args.opts.protect)):
            report(problem, None)

    return ResourceValidationPolicy(name=rule.name, description=rule.description, validate=validate)


PolicyPack(
    name="trackstack",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[_policy(rule) for rule in RULES],
)
