"""The Pulumi program: load the stack file, plan, deploy, export."""

from infra.program import run

run()
