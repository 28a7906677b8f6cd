"""The jobs that run on a schedule, named once: for the scheduler, for stack files and every cloud.

Each is a command of its own name.
"""

from runtime.duration import NEVER

# job -> the field of RuntimeSettings that is its schedule; a stack file's settings name it alike
SCHEDULES = {"gc": "gc_schedule", "prune": "prune_schedule", "backup": "backup_schedule"}


def schedules(settings: object) -> dict[str, str]:
    """Job -> five-field cron expression in UTC; a job that never runs is not among them.

    ``settings`` are RuntimeSettings, or those of a stack file.
    """
    crons = {job: getattr(settings, field) for job, field in SCHEDULES.items()}
    return {job: cron for job, cron in crons.items() if cron != NEVER}
