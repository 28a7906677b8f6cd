from pathlib import Path

import pytest
import yaml

from infra import settings
from infra.errors import StackError
from infra.place import read_place
from infra.plan import Plan, make_plan
from infra.plan.azure import AzurePlan
from infra.plan.local import LocalPlan
from infra.plan.oci import OciPlan
from infra.plan.place import Place
from infra.settings import Local, parse
from runtime.jobs import scheduler
from runtime.settings import load
from tests.infra.stack_files import CONFIGS, as_given, named, read

_PLACE = Place(stack="local", root=Path("/project"))
_ROOT = Path(__file__).parents[3]


def _plan(path: Path, *secret_keys: str) -> Plan:
    given = settings.read(as_given(read(path)["config"]), ())
    return make_plan(given, read_place(given, "local", frozenset(secret_keys), _PLACE.root))


def _local(**keys: str) -> LocalPlan:
    plan = make_plan(parse({"cloud": "local", **keys}), _PLACE)
    assert isinstance(plan, LocalPlan)
    return plan


@pytest.mark.parametrize("path", named("*.happy.*.yaml"), ids=lambda path: path.name)
def test_a_good_stack_file_makes_a_plan(path: Path) -> None:
    plan = _plan(path, "registryPassword", "tlsKey")
    assert plan.version.startswith("trackstack ")
    assert plan.schedules.keys() <= {"gc", "prune", "backup"}


@pytest.mark.parametrize("path", named("*.error.*.yaml"), ids=lambda path: path.name)
def test_a_bad_stack_file_is_refused_in_one_line_that_names_the_key(path: Path) -> None:
    with pytest.raises(StackError) as raised:
        _plan(path, "tlsKey")
    [problem] = raised.value.problems
    assert read(path)["error"] in problem
    assert problem.startswith("trackstack:")
    assert "\n" not in problem


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(StackError) as raised:
        parse({"cloud": "local", "port": "x", "workers": "0", "gcTtl": "soon"})
    assert len(raised.value.problems) == 3


def test_the_defaults_are_the_published_ones() -> None:
    given = parse({"cloud": "local"})
    assert isinstance(given, Local)
    assert (given.gc_schedule, given.prune_schedule) == ("*/10 * * * *", "0 0 * * *")
    assert (given.gc_ttl, given.entity_ttl_days) == ("30d0h0m0s", 30)
    assert (given.port, given.serve_artifacts, given.keep_data) == (5000, True, True)


def test_the_plan_gives_each_process_the_published_variables() -> None:
    plan = _local(gcTtl="12h", port="5001")
    assert plan.data_dir == "/project/.trackstack/data/local"
    assert plan.tracking_uri == "http://127.0.0.1:5001"
    assert plan.workloads.server.environment["MLFLOW_PORT"] == "5001"
    assert plan.workloads.scheduler.environment["MLFLOW_TRACKING_GC_TTL"] == "12h"
    assert "MLFLOW_TRACKING_GC_TTL" not in plan.workloads.server.environment
    assert plan.backend_store == "sqlite:////project/.trackstack/data/local/store/mydb.sqlite"


def test_the_jobs_are_told_what_prune_may_do_and_that_something_is_never_done() -> None:
    keys = ("gcSchedule", "gcTtl", "pruneSchedule", "entityTtlDays", "backupSchedule")
    told = _local(**dict.fromkeys(keys, "never")).workloads.scheduler.environment
    assert told["TRACKSTACK_PRUNE_ACTION"] == "report"
    deleting = _local(pruneAction="delete").workloads.scheduler.environment
    assert deleting["TRACKSTACK_PRUNE_ACTION"] == "delete"
    # No token is made yet.
    runtime = load({k: v for k, v in told.items() if not k.endswith("_FILE")})
    assert scheduler.schedules(runtime) == _local(**dict.fromkeys(keys, "never")).schedules == {}
    assert (runtime.gc_ttl, runtime.entity_ttl_days) == ("never", None)


def test_a_schedule_changes_nothing_that_the_server_gets() -> None:
    one = _local()
    other = _local(gcSchedule="0 * * * *")
    assert one.workloads.server.environment == other.workloads.server.environment
    assert one.workloads.scheduler.environment != other.workloads.scheduler.environment


@pytest.mark.parametrize("name", ["azure.happy.minimal", "azure.happy.vm", "oci.happy.vm"])
@pytest.mark.parametrize("compute", ["vm", "scale"])
def test_a_schedule_of_never_makes_no_job(name: str, compute: str) -> None:
    config = as_given(read(CONFIGS / f"{name}.yaml")["config"]) | {"compute": compute}
    if compute == "scale":
        config = {k: v for k, v in config.items() if not k.startswith("ssh")}
        config |= {"cpus": "1", "memory": "2"}
    else:
        config |= {"sshPublicKey": "ssh-ed25519 " + "A" * 60}

    def jobs(**keys: str) -> tuple[set[str], set[str], list[str]]:
        plan = make_plan(parse(config | keys), _PLACE)
        assert isinstance(plan, AzurePlan | OciPlan)
        assert "scheduler" not in _names(plan)
        others = {workload.name for workload in plan.workloads.of("service", "init")}
        alone = {workload.name for workload in plan.workloads.of("job")}
        return set(plan.schedules), alone, sorted(_names(plan) - others)

    every = {"backup", "gc", "prune"}
    assert jobs() == (every, every, sorted(every))
    left = {"pruneSchedule": "never", "backupSchedule": "never"}
    assert jobs(**left) == ({"gc"}, {"gc"}, ["gc"])
    assert jobs(**left, gcSchedule="never") == (set(), set(), [])


def _names(plan: AzurePlan | OciPlan) -> set[str]:
    return {workload.name for workload in plan.workloads.all}


def test_the_project_file_names_the_stack_files_folder() -> None:
    project = yaml.safe_load((_ROOT / "Pulumi.yaml").read_text())
    assert (project["main"], project["stackConfigDir"]) == ("infra", "stacks")
    assert (_ROOT / "stacks" / "examples" / "Pulumi.local.yaml").exists()


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("MLFLOW_TRACKING_ENTITY_TTL", "is entityTtlDays"),
        ("MLFLOW_BACKEND_STORE_URI", "is backendStoreUri"),
        ("MLFLOW_BACKEND_STORE_URI_FILE", "is backendStoreUri"),
        ("MLFLOW_GUNICORN_OPTS", "goes into the key environment: {MLFLOW_GUNICORN_OPTS"),
        ("MLFLOW_TRACKING_TOKEN", "the stack sets the variable"),
        ("MLFLOW_HOST", "the stack sets the variable"),
    ],
)
def test_a_published_variable_as_a_key_is_told_ours(variable: str, said: str) -> None:
    with pytest.raises(StackError) as refused:
        parse({"cloud": "local", variable: "x"})
    [line] = refused.value.problems
    assert said in line
