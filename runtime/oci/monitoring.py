"""`python -m runtime.oci.monitoring JOB EXIT_CODE`: tell OCI Monitoring how a job went.

An alarm waits for it.

A process of its own, because the scheduler, which stays, is to keep no SDK in memory.
https://docs.oracle.com/iaas/Content/Monitoring/Tasks/publishingcustommetrics.htm
"""

import subprocess
import sys
from datetime import datetime, timezone
from typing import Any, cast

from runtime import settings
from runtime.errors import UserError
from runtime.oci import login as oci_login

# The alarm's query names them too.
NAMESPACE, METRIC = "trackstack", "JobFailed"
_SECONDS = 60


def tell(job: str, exit_code: int) -> str | None:
    """Tell of a job's run; returns what went wrong with that, which is no fault of the job's."""
    command = [sys.executable, "-m", "runtime.oci.monitoring", job, str(exit_code)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no answer in {_SECONDS} s"
    return (done.stderr.strip().splitlines() or ["unknown"])[-1] if done.returncode else None


def _post(destination: str, job: str, exit_code: int) -> None:
    from oci.monitoring import models

    compartment, _, stack = destination.partition("/")
    client = oci_login.client("monitoring", "MonitoringClient")
    # Metrics are written at another host than they are read from.
    base = client.base_client
    base.endpoint = base.endpoint.replace("//telemetry.", "//telemetry-ingestion.")
    made = cast(Any, models)
    told = made.MetricDataDetails(
        namespace=NAMESPACE,
        compartment_id=compartment,
        name=METRIC,
        dimensions={"stack": stack, "job": job},
        datapoints=[
            made.Datapoint(timestamp=datetime.now(timezone.utc), value=float(exit_code != 0))
        ],
    )
    answer = client.post_metric_data(made.PostMetricDataDetails(metric_data=[told])).data
    if answer.failed_metrics_count:
        raise UserError(answer.failed_metrics[0].message)


def main() -> None:
    """Exit code 1, with the reason, where OCI does not take it."""
    destination = settings.load().oci_metrics
    if not destination:
        return
    try:
        _post(destination, sys.argv[1], int(sys.argv[2]))
    except Exception as error:
        sys.exit(str(getattr(error, "message", None) or error))


if __name__ == "__main__":
    main()
