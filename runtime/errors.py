"""The one error that a command shows to its user as a line, not as a stack trace."""

# The exit code of work that is done, of which somebody must look at the result: done again it
# would be the same.
ALARM = 3


class UserError(Exception):
    """A mistake or a state that the user can put right; the message says how.

    The command line prints the message on stderr and exits with ``exit_code``:
    2 for wrong input, 1 for work that failed, 75 (EX_TEMPFAIL of sysexits.h) for
    something that may pass by itself, such as a server that is not up yet.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    @classmethod
    def of_extra(cls, what: str, extra: str) -> "UserError":
        """``what`` needs one of pyproject.toml's optional dependencies."""
        return cls(
            f"{what} needs the extra `{extra}`, which is not installed: build the image with "
            f"--build-arg EXTRAS=postgresql,mysql,oidc,{extra}; outside of an image "
            f"pip install 'trackstack[{extra}]'",
            2,
        )
