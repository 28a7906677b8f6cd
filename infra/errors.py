"""The one error that the program shows as lines, not as a stack trace."""


class StackError(Exception):
    """What is wrong with the stack file or the place it is deployed to, and what is allowed.

    ``problems`` has one line each. Raised before any resource is registered.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
