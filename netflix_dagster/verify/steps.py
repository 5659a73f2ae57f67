"""A verification: steps that are tried one after another on the real thing, and what became of each.

A step acts and says what it found. When it is refused, its result names the right that is missing and the command that
grants it. Whatever a step leaves behind is removed at the end, also when a step fails or somebody stops it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from netflix_dagster.azure.redaction import redact
from netflix_dagster.settings import Settings

CLEAN_UP = "clean up"
_REFUSALS = ("PermissionDenied", "Unauthenticated", "ClientAuthenticationError", "PermissionDeniedError")
_WORDS = ("AuthorizationPermissionMismatch", "AuthorizationFailure", "AuthenticationFailed", "InsufficientAccount")


@dataclass(frozen=True, slots=True)
class Grant:
    """A right, in the words of the service, and the command that grants it."""

    right: str
    command: str


class Lacking(RuntimeError):
    """A step knows what is missing: the message says what was found, ``grant`` what to do."""

    def __init__(self, message: str, grant: Grant) -> None:
        super().__init__(message)
        self.grant = grant


@dataclass(frozen=True, slots=True)
class Step:
    """``act`` says what it found, or raises. ``after`` names steps that must have passed: without them this one proves
    nothing. ``grant`` is asked for when the service refuses the step."""

    name: str
    act: Callable[[], str]
    grant: Callable[[], Grant] | None = None
    after: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one step. ``skipped`` steps were not tried: ``found`` says why."""

    target: str
    step: str
    status: Literal["passed", "failed", "skipped"]
    found: str
    seconds: float = 0.0
    right: str | None = None
    command: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Trial:
    """One verification. ``name`` is part of the name of everything that it makes; ``who`` is the identity that a target
    has found; ``wait`` are the seconds that something may take to arrive."""

    settings: Settings
    wait: float = 300
    name: str = field(default_factory=lambda: f"verify-{uuid.uuid4().hex[:8]}")
    who: str = "<object id of the identity>"
    _left: list[tuple[str, Callable[[], None]]] = field(default_factory=list)

    def leaves(self, what: str, remove: Callable[[], None]) -> None:
        """Tell, before something is made, how it is removed. To remove what was never made must do no harm."""
        if what not in [name for name, _ in self._left]:
            self._left.append((what, remove))

    def clean_up(self, target: str) -> list[Result]:
        """Remove all that steps have left, the newest first."""
        results = []
        while self._left:
            what, remove = self._left.pop()
            results.append(_tried(target, Step(f"{CLEAN_UP}: {what}", lambda remove=remove: remove() or "removed")))  # type: ignore[misc]
        return results


@dataclass(frozen=True, slots=True)
class Target:
    """Something real to verify. ``cost`` is told before; ``lacks`` says what is not configured, None when all is."""

    name: str
    about: str
    cost: Callable[[Settings], str]
    lacks: Callable[[Settings], str | None]
    steps: Callable[[Trial], Iterable[Step]]


def carry_out(targets: Iterable[Target], trial: Trial, tell: Callable[[Result], None]) -> list[Result]:
    """Try every step of every target. ``tell`` hears of each result at once."""
    results: list[Result] = []

    def took(result: Result) -> None:
        results.append(result)
        tell(result)

    for target in targets:
        if lacks := target.lacks(trial.settings):
            took(Result(target.name, "settings", "skipped", lacks))
            continue
        passed: set[str] = set()
        try:
            for step in target.steps(trial):
                if missing := [name for name in step.after if name not in passed]:
                    took(Result(target.name, step.name, "skipped", f"not tried: it needs {', '.join(missing)}"))
                    continue
                took(_tried(target.name, step))
                if results[-1].status == "passed":
                    passed.add(step.name)
        finally:
            for result in trial.clean_up(target.name):
                took(result)
    return results


def refused(error: BaseException | None) -> bool:
    """Whether a service refused access, as one of the causes of an error says."""
    while error is not None:
        name, text = type(error).__name__, str(error)
        if name in _REFUSALS or getattr(error, "status_code", None) in (401, 403) or any(w in text for w in _WORDS):
            return True
        error = error.__cause__
    return False


def _tried(target: str, step: Step) -> Result:
    began = time.monotonic()

    def result(status: Literal["passed", "failed"], found: str, grant: Grant | None = None) -> Result:
        seconds = round(time.monotonic() - began, 2)
        right, command = (grant.right, grant.command) if grant else (None, None)
        return Result(target, step.name, status, redact(found), seconds, right, command)

    try:
        return result("passed", step.act())
    except Lacking as lacking:
        return result("failed", str(lacking), lacking.grant)
    except Exception as error:  # whatever a service answers is a result of the verification
        grant = step.grant() if step.grant and refused(error) else None
        return result("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:600]}", grant)
