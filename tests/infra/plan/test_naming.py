"""Names of workloads keep within each cloud's limits, and apart."""

import re

from hypothesis import given
from hypothesis import strategies as st

from infra.plan.naming import AZURE, Naming, Rule, fit

_LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_JOB = "archive-traces-of-old-experiments"


def is_a_label(name: str, longest: int) -> bool:
    return bool(_LABEL.fullmatch(name)) and len(name) <= longest and "--" not in name


_NAMES = st.from_regex(r"[a-z][a-z0-9]{0,30}(-[a-z0-9]{1,12}){0,4}", fullmatch=True)


@given(base=_NAMES, parts=st.sets(_NAMES, min_size=2, max_size=5))
def test_names_keep_within_the_limit_and_apart(base: str, parts: set[str]) -> None:
    for rule in (AZURE["container_app_job"], Rule(24, unique=True), Rule(40, hyphens=False)):
        named = [Naming(base, "account").name(rule, part) for part in sorted(parts)]
        for name in named:
            assert len(name) <= rule.longest
            assert rule.hyphens or "-" not in name
            assert is_a_label(name, rule.longest)
        if rule.hyphens:
            assert len(set(named)) == len(named)
    fitted = [fit(AZURE["container"], part) for part in sorted(parts)]
    assert len(set(fitted)) == len(fitted)
    assert all(is_a_label(name, 63) for name in fitted)


@given(base=_NAMES, part=st.sampled_from(["gc", "prune", "backup"]))
def test_the_jobs_of_stacks_that_are_up_keep_their_names(base: str, part: str) -> None:
    before = f"{base[:32].rstrip('-')[:25].rstrip('-')}-{part}"
    assert Naming(base, "account").name(AZURE["container_app_job"], part) == before


def test_bases_that_begin_alike_do_not_share_a_long_job_s_name() -> None:
    rule = AZURE["container_app_job"]
    names = {Naming(f"trackstack-of-team-{n}", "a").name(rule, _JOB) for n in range(20)}
    assert len(names) == 20
