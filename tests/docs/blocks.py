"""What shows that each block of shell on a page does what it says: an entry a block, in order.

RUN is run as it is printed, by test_blocks.py. A test's name does the same with other names. The
others say in words what no test has: an account at a cloud, another machine, a person.
"""

from collections.abc import Mapping

RUN = "run"
CLOUD = "of a real cloud"
PERSON = "of a person's own machine, schedule or repository"

_PROVIDERS = (
    "tests/infra/operations/account/test_azure_needs.py::"
    "test_the_page_registers_all_providers_that_some_stack_needs"
)
_MOVED_IN = (
    "tests/infra/operations/recover/test_move_in.py::"
    "test_a_file_store_becomes_a_stack_and_stays_what_it_was"
)
_LIFE = (
    "tests/infra/operations/test_lifecycle.py::"
    "test_a_stack_drifts_and_is_put_right_goes_down_and_is_recovered"
)
_COPIED = "tests/runtime/backup/test_backup.py::test_a_backup_is_copied_once_and_a_broken_one_not"
_DRY = (
    "tests/runtime/backup/test_restore_checks.py::"
    "test_a_dry_run_of_a_whole_backup_says_what_would_come"
)
_PLAIN = (
    "tests/runtime/backup/test_restore.py::test_a_plain_mlflow_server_opens_what_is_restored_for_it"
)
_ENABLED = (
    "tests/runtime/tokens/test_restored_tokens.py::"
    "test_a_restore_says_which_tokens_are_disabled_and_how_they_are_enabled"
)
_STORY = (
    "tests/stacks/test_story.py::"
    "test_a_model_and_its_server_go_from_dev_to_prod_and_outlive_their_cloud"
)
_MOVED = (
    "tests/infra/operations/recover/test_move.py::"
    "test_a_stack_with_encrypted_backups_is_moved_and_is_recovered_by_its_key"
)
_IMAGE = (
    "tests/runtime/server/image/test_docker_run.py::"
    "test_the_printed_line_lets_its_owner_in_and_shows_the_token_once"
)
_TLS = "tests/runtime/server/test_tls.py::test_a_client_reaches_the_server_by_tls"
_GC = (
    "tests/runtime/server/image/test_image.py::"
    "test_gc_in_the_container_purges_what_a_client_deleted"
)
_NEW = (
    "tests/infra/operations/stack/test_new.py::"
    "test_of_each_example_a_stack_file_is_made_that_is_right"
)
_TEAM = "tests/infra/operations/stack/test_new.py::test_a_team_s_own_folder_has_its_stack_files"
_REPLACED = (
    "tests/infra/operations/stack/guard/test_guarded_stack.py::"
    "test_a_directory_that_is_named_is_replaced_and_no_old_server_is_left"
)
_REHEARSED = "tests/rehearsal/test_command.py::test_a_stack_is_rehearsed_and_leaves_nothing"
_POLICIES = "tests/infra/test_policies.py::test_a_preview_asks_the_policies"
_DUMPED = "tests/rehearsal/test_dump.py::test_a_stack_on_azure_is_dumped_alike_each_time"
_PROMOTED = (
    "tests/runtime/promote/test_promote_model.py::"
    "test_a_model_is_carried_to_another_server_and_loaded_there_by_its_alias"
)
_IMAGES = (
    "tests/stacks/test_story.py::"
    "test_a_model_and_its_server_go_from_dev_to_prod_and_outlive_their_cloud"
)
_UNDELETED = (
    "tests/runtime/retention/test_prune.py::"
    "test_a_whole_experiment_goes_with_its_runs_and_comes_back_with_them"
)
_ASKED = (
    "tests/runtime/retention/test_passes.py::"
    "test_by_hand_it_lists_and_asks_and_nobody_there_is_no_answer"
)
_LOGIN = "tests/runtime/client/test_login.py::test_sign_in_by_a_code_then_out_again"
_REMOVED = (
    "tests/runtime/tokens/test_own.py::test_who_is_removed_has_no_token_no_session_and_no_way_in"
)
_GIVEN = (
    "tests/infra/operations/recover/test_move_in.py::"
    "test_a_stack_with_a_database_of_its_own_is_filled_too"
)
_JOBS = "tests/stacks/test_vm_stacks.py::test_timers_run_the_jobs_and_the_journal_shows_them"
_VM = "tests/rehearsal/test_examples.py::test_it_comes_up_serves_changes_nothing_and_leaves_nothing"
_CONTAINERS = "tests/infra/clouds/test_docker_stack.py::test_a_client_logs_through_tls_and_token"
_LOCKED = (
    "tests/infra/operations/stack/test_unlock.py::"
    "test_a_lock_is_held_while_its_process_runs_or_may_run"
)
_VERSION = (
    "tests/infra/operations/test_upgrade_database.py::"
    "test_the_backup_comes_before_and_the_state_knows_after"
)
_PORT = "tests/infra/operations/stack/test_port.py::test_a_port_that_is_asked_for_goes_before_all"

SHOWN: Mapping[str, tuple[str, ...]] = {
    "README.md": (RUN, _MOVED_IN),
    "docs/tutorial.md": (RUN,) * 8,
    "docs/how-to/azure.md": (_PROVIDERS, CLOUD, CLOUD, CLOUD, CLOUD),
    "docs/how-to/backup.md": (_LIFE, _COPIED, _MOVED, _DRY, _ENABLED, RUN, _STORY, _MOVED),
    "docs/how-to/containers.md": (_CONTAINERS, _NEW),
    "docs/how-to/docker.md": (_IMAGE, _IMAGE, _TLS, _GC),
    "docs/how-to/local.md": (RUN, RUN, PERSON),
    "docs/how-to/machines.md": (_VM, _JOBS),
    "docs/how-to/move-in.md": (_NEW, _MOVED_IN, _PLAIN),
    "docs/how-to/oci.md": (CLOUD, CLOUD),
    "docs/how-to/promotion.md": (_PROMOTED, _IMAGES),
    "docs/how-to/rehearse.md": (_REHEARSED, CLOUD, _POLICIES, _DUMPED),
    "docs/how-to/retention.md": (_UNDELETED, RUN, _ASKED),
    "docs/how-to/sign-in.md": (RUN, _REMOVED, PERSON),
    "docs/how-to/use.md": (_LOGIN, PERSON),
    "docs/how-to/stack-file.md": (_NEW, _TEAM, _GIVEN, _REPLACED, CLOUD),
    "docs/operations/alarms.md": (RUN,),
    "docs/operations/doctor.md": (RUN, RUN),
    "docs/operations/troubleshooting.md": (_PORT, _LOCKED),
    "docs/operations/upgrade.md": (PERSON, RUN, _VERSION, PERSON),
    "CONTRIBUTING.md": (PERSON,),
}
# Written from the code, where each command's own test is; `--help` shows the same examples.
GENERATED = ("docs/reference/commands.md",)
