"""A published line, and its proof."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["same", "better", "other"]


@dataclass(frozen=True)
class Line:
    """A published ``line``, ``ours`` in Markdown, and what it is like.

    The proof: ``variables`` are taken, with ``told`` in what the server says of them at its start
    or ``refused`` in the refusal; ``keys``, ``commands`` (published -> ours) and ``targets`` of
    make are there; ``test`` (path::name) shows it. ``stacks`` are tests that show it on whole
    stacks that are up: processes and containers of this machine, and rehearsed clouds.
    """

    line: str
    ours: str
    verdict: Verdict
    said: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    told: str = ""
    refused: str = ""
    keys: tuple[str, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict[str, str])
    targets: tuple[str, ...] = ()
    test: str = ""
    stacks: tuple[str, ...] = ()


IMAGE_TESTS = "tests/runtime/server/image"
RUN = f"{IMAGE_TESTS}/test_docker_run.py"
START = "tests/runtime/server/test_first_start.py"

_STACKS = "tests/stacks"
_CLOUDS = "tests/infra/clouds"
_LOCAL = f"{_CLOUDS}/local/test_local_stack.py"
_DOCKER = f"{_CLOUDS}/test_docker_stack.py"
_AZURE = f"{_STACKS}/test_azure_stack.py"
_OCI = f"{_STACKS}/test_oci_stack.py"
_MACHINES = f"{_STACKS}/test_vm_stacks.py"

# One stack of this machine by the commands of make, and two on rehearsed clouds as a team has them.
LIFE = (
    "tests/infra/operations/test_lifecycle.py::"
    "test_a_stack_drifts_and_is_put_right_goes_down_and_is_recovered"
)
STORY = (
    f"{_STACKS}/test_story.py::"
    "test_a_model_and_its_server_go_from_dev_to_prod_and_outlive_their_cloud"
)
# A client's day on each kind of stack.
DAYS = (
    f"{_LOCAL}::test_a_data_scientist_s_day",
    f"{_DOCKER}::test_a_client_logs_through_tls_and_token",
    f"{_AZURE}::test_what_a_client_logs_is_in_blob_storage_by_the_identity",
    f"{_OCI}::test_artifacts_go_to_the_bucket_by_the_instances_own_identity",
    f"{_MACHINES}::test_the_first_boot_ends_with_a_server_that_keeps_artifacts_by_its_own_identity",
)
OUTPUTS = (f"{_LOCAL}::test_the_outputs_are_those_of_every_cloud",)
JOBS = (
    f"{_LOCAL}::test_gc_runs_on_its_schedule",
    f"{_DOCKER}::test_gc_and_prune_run_on_schedule_inside",
    f"{_AZURE}::test_gc_prune_and_backup_run_on_schedule_as_jobs",
    f"{_OCI}::test_gc_and_backup_run_on_schedule",
    f"{_MACHINES}::test_timers_run_the_jobs_and_the_journal_shows_them",
)
RESTARTS = (
    f"{_DOCKER}::test_destroy_leaves_the_data_and_the_next_up_finds_them",
    f"{_OCI}::test_a_new_instance_costs_no_request_and_a_second_up_changes_nothing",
    f"{_MACHINES}::test_a_reboot_brings_it_back_by_itself",
)
LIMITS = (
    f"{_DOCKER}::test_each_container_has_limits_and_no_right_that_it_does_not_need",
    f"{_AZURE}::test_an_update_costs_no_request_and_a_second_up_changes_nothing",
)
CHANGED = (
    f"{_DOCKER}::test_a_changed_key_replaces_only_what_it_must",
    f"{_AZURE}::test_an_update_costs_no_request_and_a_second_up_changes_nothing",
    f"{_OCI}::test_a_new_instance_costs_no_request_and_a_second_up_changes_nothing",
    f"{_MACHINES}::test_another_key_changes_the_machine_in_place_and_a_second_up_changes_nothing",
)
SECRETS = (
    f"{_DOCKER}::test_no_secret_is_in_plain_text",
    f"{_AZURE}::test_no_secret_is_in_plain_text",
    f"{_OCI}::test_no_secret_is_in_plain_text",
    f"{_MACHINES}::test_no_secret_is_in_metadata_files_or_process_list",
)
# Who and what gets in, and where.
DOORS_OF_AZURE = f"{_AZURE}::test_another_network_a_wrong_token_and_plain_http_are_refused"
DOORS_OF_OCI = f"{_OCI}::test_the_proxy_alone_is_open_and_to_those_whom_the_stack_file_names"
DOORS = (
    f"{_LOCAL}::test_without_the_token_every_route_is_closed",
    f"{_DOCKER}::test_without_the_token_or_the_authority_nothing_is_answered",
    DOORS_OF_AZURE,
    DOORS_OF_OCI,
    f"{_OCI}::test_another_network_and_a_wrong_token_are_refused",
    f"{_MACHINES}::test_another_network_and_a_wrong_token_are_refused",
)
MADE_ON_AZURE = f"{_AZURE}::test_what_guides_do_by_hand_the_stack_has_made"
MADE_ON_OCI = f"{_OCI}::test_what_guides_do_by_hand_the_stack_has_made"
RIGHTS_ON_AZURE = f"{_AZURE}::test_another_identity_or_none_gets_nothing"
RIGHTS_ON_OCI = f"{_OCI}::test_without_its_policy_the_instance_may_do_nothing"
RIGHTS = (
    RIGHTS_ON_AZURE,
    RIGHTS_ON_OCI,
    f"{_MACHINES}::test_without_its_rights_it_serves_no_artifact",
)
CHANGED_MACHINE = CHANGED[-1]
# Of the night: every example of the clouds, in networks of its own too.
EXAMPLES = (
    "tests/rehearsal/test_examples.py::test_it_comes_up_serves_changes_nothing_and_leaves_nothing"
)
MACHINE = f"{_MACHINES}::test_it_is_the_machine_that_published_guides_know"
IMAGE = {"TRACKSTACK_BEHIND_PROXY": "true", "MLFLOW_HOST": "0.0.0.0"}  # noqa: S104 - as printed
