"""What `make up` and `make status` say at the end: address, token, logs, how to stop."""

import json
import subprocess
import sys
from pathlib import Path

_TEXT = """
MLflow is up at {tracking_uri}  ({version})

    export MLFLOW_TRACKING_URI={tracking_uri}{trust}
    export MLFLOW_TRACKING_TOKEN=$(make -s token{flag})

Web page  {tracking_uri}  (sign in with the token)
Logs      make logs{flag}
Stop      make down{flag}
"""


def main(stack: str) -> None:
    """Print the summary of a stack that is up; the token itself is not shown."""
    command = ["pulumi", "stack", "output", "--json", "--stack", stack]
    done = subprocess.run(command, capture_output=True, text=True)
    outputs: dict[str, str] = json.loads(done.stdout) if done.returncode == 0 else {}
    if "tracking_uri" not in outputs:
        sys.exit(f"stack {stack} is not up; bring it up with: make up STACK={stack}")
    flag = "" if stack == "local" else f" STACK={stack}"
    print(_TEXT.format(flag=flag, trust=_trust(stack, outputs), **outputs))


def _trust(stack: str, outputs: dict[str, str]) -> str:
    """Write the stack's own authority to a file and say how clients trust it, where it has one."""
    if "ca_certificate" not in outputs:
        return ""
    path = Path(".trackstack").absolute() / f"{stack}-ca.pem"
    path.write_text(outputs["ca_certificate"] + "\n")
    return f"\n    export MLFLOW_TRACKING_SERVER_CERT_PATH={path}"


if __name__ == "__main__":
    main(sys.argv[1])
