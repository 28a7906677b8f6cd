"""What `make up` and `make status` say at the end: address, token, logs, how to stop."""

import json
import subprocess
import sys

_TEXT = """
MLflow is up at {tracking_uri}  ({version})

    export MLFLOW_TRACKING_URI={tracking_uri}
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
    print(_TEXT.format(flag=flag, **outputs))


if __name__ == "__main__":
    main(sys.argv[1])
