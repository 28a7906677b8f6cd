"""`make bench`: every benchmark in turn, each side by side with plain MLflow in one run."""

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Run those named, or all; exits 1 where one is beyond its bound."""
    names = sorted(
        path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*")
    )
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    chosen = parser.parse_args().names or names
    if unknown := set(chosen) - set(names):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    failed = False
    for name in chosen:
        print(f"== {name}", flush=True)
        failed |= bool(
            subprocess.run([sys.executable, "-m", f"tests.bench.bench_{name}"]).returncode
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
