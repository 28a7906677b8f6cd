"""Jobs of Container Apps, which run by cron while the cloud is served."""

import threading
from datetime import datetime, timezone

from croniter import croniter

from infra.rehearsal.azure.compute.app_environments import OfEnvironment
from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.resource import refusal
from infra.rehearsal.provider.values import Props, child


class Job(OfEnvironment):
    """Runs by cron while the cloud is served."""

    token = "azure-native:app:Job"
    kind = "Microsoft.App/jobs"
    name_input = "jobName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        trigger = child(child(inputs, "configuration"), "scheduleTriggerConfig")
        if trigger and not croniter.is_valid(str(trigger.get("cronExpression"))):
            message = f"The cron expression '{trigger.get('cronExpression')}' is not valid."
            raise refusal("JobInvalidCronExpression", message)

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def create(self, inputs: Props) -> tuple[str, Props]:
        made = super().create(inputs)
        if self.emulator:
            self._schedule(self.emulator, made[0], inputs)
        return made

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        self._unschedule(id)
        props = super().update(id, inputs, known)
        if self.emulator:
            self._schedule(self.emulator, id, inputs)
        return props

    def delete(self, id: str, known: Props) -> None:
        self._unschedule(id)
        if self.emulator:
            self.emulator.host.remove(known["jobName"])

    def _schedule(self, emulator: Emulator, id: str, inputs: Props) -> None:
        stopped = threading.Event()
        emulator.jobs[id.lower()] = stopped
        args = (emulator, inputs, stopped)
        threading.Thread(target=self._follow, args=args, daemon=True).start()

    def _unschedule(self, id: str) -> None:
        if self.emulator and (stopped := self.emulator.jobs.pop(id.lower(), None)):
            stopped.set()

    def _follow(self, emulator: Emulator, inputs: Props, stopped: threading.Event) -> None:
        cron = child(child(inputs, "configuration"), "scheduleTriggerConfig")["cronExpression"]
        while True:
            now = datetime.now(timezone.utc)
            due = croniter(cron, now).get_next(datetime)
            if stopped.wait((due - now).total_seconds()):
                return
            name = inputs["jobName"]
            self.run(emulator, name, inputs, restart="no")
            code = emulator.host.wait(name)
            emulator.executions.append((name, code))
