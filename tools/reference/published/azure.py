"""An Azure container and VM guide, with model promotion."""

from tools.reference.published.line import IMAGE, IMAGE_TESTS, Line

TITLE = "An Azure container and VM guide, with model promotion"
LINES = (
    Line(
        "`docker run -p 5000:80 IMAGE`",
        "`-e MLFLOW_PORT=80`, or `-p 5000:5000`",
        "other",
        "the log says which port it is",
        variables=IMAGE,
        told="for -p 5000:80, set MLFLOW_PORT=80",
        test=f"{IMAGE_TESTS}/test_image.py::test_port_80_needs_neither_root_nor_a_capability",
    ),
    Line(
        "`docker run -it --entrypoint /bin/bash IMAGE`",
        "the same",
        "same",
        "as user 10001; there is no pip",
        test=f"{IMAGE_TESTS}/test_published.py::test_what_guides_run_in_the_image_runs",
    ),
    Line(
        "`--cpu 1 --memory 1`",
        "`--cpus 1 --memory 1g` of `docker run`; the keys `cpus` and `memory`",
        "other",
        "is enough",
        keys=("cpus", "memory"),
        test=f"{IMAGE_TESTS}/test_published.py::test_what_guides_run_in_the_image_runs",
    ),
    Line(
        "`--ports 80 443`, `http://$ip`",
        "443 alone, by TLS",
        "other",
        "port 80 is closed",
        keys=("hostname",),
    ),
    Line(
        "registry login, tag, push, user and password",
        "made by the stack",
        "better",
        "by digest, by a managed identity",
        targets=("up",),
    ),
    Line(
        "`.env` with subscription and `ACI_RESOURCE_GROUP`",
        "the keys `subscriptionId` and `resourceGroup`",
        "other",
        keys=("subscriptionId", "resourceGroup"),
    ),
    Line(
        "`systemctl start|stop|status|enable mlflow`",
        "the same on the machine: the unit `trackstack-server` has that name too",
        "same",
        "enabled at boot",
        test="tests/infra/plan/test_machine.py::"
        "test_the_server_alone_answers_to_the_name_that_published_set_ups_have",
    ),
    Line(
        "`journalctl -u mlflow`",
        "`journalctl -u trackstack-server`; `make logs`",
        "other",
        targets=("logs",),
    ),
    Line(
        "`ssh azureuser@IP`",
        "`ssh trackstack-admin@…` on Azure, `ssh ubuntu@…` on OCI",
        "other",
        "from `sshCidrs` alone",
        keys=("sshCidrs", "sshPublicKey"),
    ),
    Line(
        "`PORT=5000`, `http://IP:5000` of a machine",
        "`https://` on 443; 5000 is the server's own, behind the proxy",
        "other",
        "nothing listens on 5000 for other machines",
        keys=("hostname", "allowedCidrs"),
    ),
    Line(
        "`script/start.sh`",
        "`trackstack server`",
        "other",
        "on a machine the unit starts it",
        commands={"TrackingServer": "server"},
    ),
    Line(
        "`mlflow_logging.conf`",
        "the keys `logLevel` and `logFormat`",
        "other",
        "a file of Python's logging has no place",
        keys=("logLevel", "logFormat"),
    ),
    Line(
        '`copy_model_version(…)` and `set_registered_model_alias(…, "Champion", …)`',
        "the same; `trackstack promote model`",
        "same",
        "promote waits for an approval, and copies between two servers",
        test="tests/runtime/promote/test_promote_model.py::"
        "test_within_one_server_a_version_is_copied_once_with_its_lineage",
    ),
    Line(
        "an approval before the alias moves",
        "`trackstack promote model --require-approval`, `trackstack promote approve`",
        "better",
        "a version that nobody approved is not promoted, and says so",
        test="tests/runtime/promote/test_promote_model.py::"
        "test_gates_hold_back_until_all_are_fulfilled",
    ),
    Line(
        '`mlflow.set_registry_uri("databricks-uc")`',
        "take the line out",
        "other",
        "models are kept where runs are",
        variables={"MLFLOW_REGISTRY_URI": "databricks-uc"},
        told="take it out",
    ),
    Line(
        "webhooks of jobs",
        "MLflow's registry webhooks; `pruneWebhook`",
        "other",
        "to public https addresses: MLflow refuses private ones",
        keys=("pruneWebhook",),
    ),
    Line("notifications", "the key `alertEmail`", "other", keys=("alertEmail",)),
)
