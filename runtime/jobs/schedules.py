"""The jobs that run on a schedule, named once: for the scheduler, for stack files and every cloud.

Each is a command of its own name, but for the drill, which is one of `backup`.
"""

from runtime.duration import NEVER
from runtime.settings import RuntimeSettings

_END = "_schedule"
# job -> the field of RuntimeSettings that is its schedule; a stack file's settings name it alike.
# The last word alone: a cloud's name of a job is short.
SCHEDULES = {
    field.removesuffix(_END).rpartition("_")[2]: field
    for field in RuntimeSettings.model_fields
    if field.endswith(_END)
}


def schedules(settings: object) -> dict[str, str]:
    """Job -> five-field cron expression in UTC; a job that never runs is not among them.

    ``settings`` are RuntimeSettings, or those of a stack file.
    """
    crons = {job: getattr(settings, field) for job, field in SCHEDULES.items()}
    return {job: cron for job, cron in crons.items() if cron != NEVER}
