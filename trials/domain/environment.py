"""The least that a protocol asks of the place a reader sits at, and what of it a browser's account does not meet.

The account is what the reading screen sends when it opens a reading: ``window_width_px``, ``window_height_px`` (CSS
pixels), ``screen_width_px``, ``screen_height_px``, ``colour_depth_bits``, ``device_pixel_ratio``, ``zoom_percent``,
``renderer``, ``display`` and more. Stored accounts outlive the code: a field is only ever added. What a browser does
not tell is null there, never guessed. ``frontend/src/features/reading/environment.ts`` says the same sentences; one
table of examples holds both to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trials.domain.protocol.v1 import ReadingEnvironment

UNZOOMED_PERCENT = 100
MAX_DISPLAY_LENGTH = 80


@dataclass(frozen=True)
class EnvironmentProblem:
    """One thing that is not as the protocol asks."""

    code: str
    message: str
    """What is wrong, with which value, and what would be right."""


def number_in(environment: Mapping[str, Any], name: str) -> float | None:
    """Return a number of the account, or None where the browser did not tell it."""
    value = environment.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def display_in(environment: Mapping[str, Any]) -> str:
    """Return the name under which the browser knows its display: size, place and colours; empty if it told none."""
    value = environment.get("display")
    return value if isinstance(value, str) and len(value) <= MAX_DISPLAY_LENGTH else ""


def environment_problems(
    environment: Mapping[str, Any], asked: ReadingEnvironment
) -> tuple[EnvironmentProblem, ...]:
    """Return what of the account does not meet the protocol's minimum; empty if nothing is wrong."""
    found = (_window_problem(environment, asked), _colour_problem(environment, asked))
    return tuple(problem for problem in found if problem is not None)


def _window_problem(environment: Mapping[str, Any], asked: ReadingEnvironment) -> EnvironmentProblem | None:
    least = asked.minimum_window
    if least is None:
        return None
    width, height = number_in(environment, "window_width_px"), number_in(environment, "window_height_px")
    needs = f"this trial needs at least {least.width_px} x {least.height_px}"
    if width is None or height is None:
        return EnvironmentProblem(
            "window_unknown",
            f"The browser does not tell the size of its window; {needs}. Use another browser.",
        )
    if width >= least.width_px and height >= least.height_px:
        return None
    return EnvironmentProblem(
        "window_too_small",
        f"The window is {round(width)} x {round(height)} CSS pixels; {needs}. "
        f"{_window_remedy(environment, least.width_px, least.height_px)}",
    )


def _window_remedy(environment: Mapping[str, Any], least_width: int, least_height: int) -> str:
    zoom = number_in(environment, "zoom_percent")
    if zoom is not None and zoom > UNZOOMED_PERCENT:
        return f"Enlarge the window or set the zoom to 100 % (it is {round(zoom)} %)."
    width, height = number_in(environment, "screen_width_px"), number_in(environment, "screen_height_px")
    too_small = width is not None and height is not None and (width < least_width or height < least_height)
    if too_small and zoom is not None and width is not None and height is not None:
        return f"The screen is {round(width)} x {round(height)}: move the window to a larger display."
    return "Enlarge the window or set the zoom to 100 %."


def _colour_problem(environment: Mapping[str, Any], asked: ReadingEnvironment) -> EnvironmentProblem | None:
    least = asked.minimum_colour_depth_bits
    if least is None:
        return None
    depth = number_in(environment, "colour_depth_bits")
    if depth is None:
        return EnvironmentProblem(
            "colours_unknown",
            f"The browser does not tell the display's colours; this trial needs at least {least} bits. "
            "Use another browser.",
        )
    if depth >= least:
        return None
    return EnvironmentProblem(
        "too_few_colours",
        f"The display shows {round(depth)} bits of colour; this trial needs at least {least}. "
        "Choose more colours in the system's display settings or move the window to another display.",
    )
