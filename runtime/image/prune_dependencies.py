"""What MLflow's wheel asks for and its server never imports: left out of the image.

Run while the image is built: prints uv settings that give MLflow's dependencies as its own
metadata has them, less those below. Only MLflow's wish for them is dropped; another package that
needs one still gets it.
"""

import json
import re
import sys
from collections.abc import Iterable
from importlib import metadata

# package -> who needs it, and why that is never the server
UNUSED = {
    "matplotlib": "figures are drawn and logged by clients; the UI draws its own charts",
    "pyarrow": "hdfs:// artifacts and Spark's data; clients read and write tables",
    "scikit-learn": "models are trained, logged and loaded by clients",
    "scipy": "sparse matrices are turned into JSON by clients and model servers",
    "skops": "scikit-learn models are written and read by clients",
}


def kept(requirements: Iterable[str]) -> list[str]:
    """The requirements, less the unused; raises ValueError where one of those is not among them.

    So a new MLflow that drops or renames one is noticed.
    """
    names = {requirement: _name(requirement) for requirement in requirements}
    gone = UNUSED.keys() - names.values()
    if gone:
        raise ValueError(f"MLflow does not ask for {', '.join(sorted(gone))}: drop it from UNUSED")
    return [r for r, name in names.items() if name not in UNUSED or "extra ==" in r]


def _name(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", name.group().lower()) if name else requirement


def main(directory: str) -> None:
    """Print uv.toml for the MLflow that lies in ``directory``."""
    (mlflow,) = metadata.distributions(name="mlflow", path=[directory])
    # TOML's strings and lists of strings are JSON's.
    print("[[dependency-metadata]]")
    print('name = "mlflow"')
    print(f"version = {json.dumps(mlflow.version)}")
    print(f"requires-dist = {json.dumps(kept(mlflow.requires or []))}")
    print(f"provides-extra = {json.dumps(mlflow.metadata.get_all('Provides-Extra', []))}")


if __name__ == "__main__":
    main(sys.argv[1])
