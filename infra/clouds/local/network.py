"""The loopback port, looked at before anything is made."""

import os

import psutil

from infra.clouds.data import DIRECTORY_VARIABLE
from infra.clouds.local.supervisor import directory_of
from infra.clouds.shared.this_machine.ports import held, holder, is_free


def _belongs_to(process: psutil.Process, directories: tuple[str | None, ...]) -> bool:
    above = {directory_of(parent) for parent in process.parents()} - {None}
    return not above.isdisjoint(directories)


def check_port(port: int, data_dir: str) -> None:
    """Raise StackError where another process than this stack's own server holds the port."""
    if is_free(port):
        return
    process = holder(port)
    if process and _belongs_to(process, (data_dir, os.environ.get(DIRECTORY_VARIABLE))):
        return
    raise held(port, process)
