"""How many examples a property is tried on: `make nightly` tries many more."""

from hypothesis import settings

# No deadline: on a machine that has other things to do, a slow example is no fault.
settings.register_profile("usual", deadline=None)
settings.load_profile("usual")
# The profile of `make nightly`, by --hypothesis-profile.
NIGHTLY = "nightly"
_USUAL = 100
settings.register_profile(NIGHTLY, max_examples=10 * _USUAL, deadline=None, print_blob=True)


def examples(usual: int) -> int:
    """``usual``, or as many more as the profile in force tries of all properties."""
    return usual * settings().max_examples // _USUAL


def is_nightly() -> bool:
    return settings().max_examples > _USUAL
