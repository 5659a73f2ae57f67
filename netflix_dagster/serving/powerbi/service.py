"""The REST API of Power BI, as far as refreshes need it, and the question whether figures are right there.

https://learn.microsoft.com/power-bi/connect-data/asynchronous-refresh: a refresh is asked for and followed by the id
of its request, never by "the newest one". A refresh is one transaction: until it is completed the model shows what it
showed before, so whatever goes wrong leaves no half of a delivery.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netflix_dagster.azure.redaction import redact

if TYPE_CHECKING:
    import httpx

ROOT = "https://api.powerbi.com/v1.0/myorg"
SCOPE = "https://analysis.windows.net/powerbi/api/.default"
GOING_ON = frozenset({"NotStarted", "InProgress", "Unknown"})
ENDED = frozenset({"Completed", "Failed", "TimedOut", "Disabled", "Cancelled"})
SAFE = "The model shows what it showed before."
_UNAVAILABLE = frozenset({429, 502, 503, 504})


class PowerBIError(RuntimeError):
    """Power BI did not do what was asked; the message says what is safe and what to do. ``status_code`` is that of its
    answer, None when there was none."""

    def __init__(self, message: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


class NotCompleted(PowerBIError):
    """A refresh came to another end than completion; ``state`` is Power BI's word for it, or ``Hanging``."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state = state


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A refresh that was completed. ``waited`` says which other refreshes it waited for."""

    request_id: str
    started: str
    ended: str
    waited: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """Who is let into a workspace. ``kind`` is User, Group or App, ``role`` Admin, Member, Contributor or Viewer."""

    name: str
    kind: str
    role: str


@dataclass
class Workspace:
    """One workspace. ``token`` is asked before every request, so that it may be renewed meanwhile."""

    workspace_id: str
    token: Callable[[], str]
    root: str = ROOT
    every: float = 10.0
    """Seconds between two looks at a refresh."""
    patience: float = 4 * 3600.0
    """Seconds after which a refresh hangs, waiting for its turn included."""
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    attempts: int = 8
    """How often a request is made that Power BI has no time for."""
    told: Callable[[str], None] = field(default=lambda _: None)
    """Hears what is waited for."""

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        return httpx.Client(timeout=60)

    def model_id(self, name: str) -> str:
        """The id of a semantic model by its name. Raises ``PowerBIError`` when there is none, or several."""
        found = [one["id"] for one in self._asked("GET", "datasets").json()["value"] if one["name"] == name]
        if len(found) != 1:
            raise PowerBIError(
                f"the workspace {self.workspace_id} has {len(found)} semantic models called {name}. Nothing was"
                " refreshed. Deploy it first: netflix-dagster powerbi deploy"
            )
        return str(found[0])

    def members(self) -> list[Member]:
        """Who is let in, and as what. Raises ``PowerBIError`` when this identity may not ask."""
        said = self._asked("GET", "users").json()["value"]
        return [Member(one["displayName"], one["principalType"], one["groupUserAccessRight"]) for one in said]

    def refresh(self, model: str, body: Mapping[str, Any]) -> Refreshed:
        """Refresh a model and wait for the end. Raises ``NotCompleted`` for any end but completion.

        Another refresh that goes on is waited for: it may have begun before the newest rows were there. Whoever leaves
        this call by an exception, as a run that is cancelled does, cancels the refresh.
        """
        deadline = self.now() + self.patience
        request_id, waited = self._started(model, body, deadline)
        with self._cancelled_if_left(model, request_id):
            while True:
                said = self._asked("GET", f"datasets/{model}/refreshes/{request_id}").json()
                state = said.get("extendedStatus") or said.get("status") or "Unknown"
                if state in ENDED:
                    break
                if state not in GOING_ON:
                    raise PowerBIError(f"Power BI says {state!r} of the refresh {request_id}, which is no state of one")
                self._wait(self.every, deadline, f"the refresh {request_id} is {state}", request_id)
        if state != "Completed":
            raise NotCompleted(state, _ended(state, request_id, said))
        return Refreshed(request_id, str(said.get("startTime")), str(said.get("endTime")), waited)

    def evaluate(self, model: str, query: str) -> list[dict[str, Any]]:
        """The rows that a DAX query answers, columns as it names them."""
        body = {"queries": [{"query": query}], "serializerSettings": {"includeNulls": True}}
        (result,) = self._asked("POST", f"datasets/{model}/executeQueries", body).json()["results"]
        rows: list[dict[str, Any]] = result["tables"][0]["rows"]
        return rows

    def _started(self, model: str, body: Mapping[str, Any], deadline: float) -> tuple[str, tuple[str, ...]]:
        """The id of the request, and the other refreshes that were waited for."""
        waited: list[str] = []
        ended_meanwhile = False
        while True:
            said = self._asked("POST", f"datasets/{model}/refreshes", body, refused=(400, 409))
            if said.status_code == 202:
                where = said.headers.get("Location", "").rstrip("/").rpartition("/")[2]
                request_id = where or said.headers.get("x-ms-request-id", "")
                if not request_id:
                    raise PowerBIError(
                        "Power BI took the refresh and did not say its id, so it cannot be followed. A refresh may go"
                        " on, which harms nothing: run again, and what then differs is loaded"
                    )
                return request_id, tuple(waited)
            other = self._going_on(model)
            if other is None and not ended_meanwhile:
                ended_meanwhile = True  # the one that was in the way may have ended between the two requests
                continue
            if other is None:
                raise PowerBIError(
                    f"Power BI refused the refresh: {_why(said)}. {SAFE} See that the model is deployed as it is"
                    " committed (netflix-dagster powerbi deploy), then run again"
                )
            ended_meanwhile = False
            if other not in waited:
                waited.append(other)
            self._wait(self.every, deadline, f"another refresh, {other}, goes on", None)

    def _going_on(self, model: str) -> str | None:
        """The refresh that goes on, if one does."""
        for said in self._asked("GET", f"datasets/{model}/refreshes?$top=5").json()["value"]:
            if (said.get("extendedStatus") or said["status"]) in GOING_ON:
                return str(said["requestId"])
        return None

    def _wait(self, seconds: float, deadline: float, why: str, request_id: str | None) -> None:
        if self.now() + seconds > deadline:
            which = f"the refresh {request_id} was cancelled" if request_id else "nothing was asked for"
            raise NotCompleted(
                "Hanging",
                f"{why}, and has not ended after {self.patience:.0f} s, so {which}. {SAFE} Look at the capacity and"
                " at the source that it reads, then run again",
            )
        self.told(why)
        self.sleep(seconds)

    @contextmanager
    def _cancelled_if_left(self, model: str, request_id: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            try:
                self._asked("DELETE", f"datasets/{model}/refreshes/{request_id}", refused=(400, 404))
            except Exception as trouble:
                error.add_note(
                    f"the refresh {request_id} could not be cancelled, and may go on: {redact(str(trouble))}"
                )
            raise

    def _asked(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, refused: tuple[int, ...] = ()
    ) -> httpx.Response:
        """An answer that is no failure, or one of the refusals that the caller looks at.

        A request that Power BI has no time for is made again when it says; one to start a refresh only if it said
        that it did not take it.
        """
        import httpx

        url = f"{self.root}/groups/{self.workspace_id}/{path}"
        for attempt in range(1, self.attempts + 1):
            headers = {"Authorization": f"Bearer {self.token()}"}
            try:
                said = self._client.request(method, url, json=body, headers=headers)
            except httpx.TransportError as error:
                if method == "POST" or attempt == self.attempts:
                    raise PowerBIError(
                        f"{method} {path}: the connection to Power BI broke: {redact(str(error))}. If a refresh was"
                        " asked for it may go on, which harms nothing: run again, and what then differs is loaded"
                    ) from None
                self.sleep(min(2.0**attempt, 60))
                continue
            if said.is_success or said.status_code in refused:
                return said
            last = attempt == self.attempts
            if said.status_code == 401 and attempt == 1:
                continue  # the token ended on its way; the next one is new
            if said.status_code not in _UNAVAILABLE or last or (method == "POST" and said.status_code in (502, 504)):
                help_ = _HELP.get(said.status_code, "Run again")
                raise PowerBIError(f"{method} {path}: {_why(said)}. {SAFE} {help_}", said.status_code)
            seconds = _retry_after(said.headers.get("Retry-After"), min(2.0**attempt, 60))
            self.told(f"Power BI has no time for {seconds:.0f} s ({said.status_code})")
            self.sleep(seconds)
        raise PowerBIError(f"{method} {path}: Power BI refuses the token. {SAFE} {_HELP[401]}", 401)


def opened(workspace_id: str) -> Workspace:
    """The workspace as this process's identity. Each request has a token that is good then: the identity renews it."""
    from netflix_dagster.azure import identity

    return Workspace(workspace_id, token=lambda: identity.token(SCOPE).token)


_HELP = {
    401: "See that this identity may use the API of Power BI (a setting of the tenant), then run again",
    403: "Make this identity a member of the workspace, see docs/powerbi.md, then run again",
    404: "See that NETFLIX_POWERBI_WORKSPACE is the workspace, and deploy the model to it",
    429: "Run again later: so many requests were made that Power BI takes none from this identity",
}


def _retry_after(said: str | None, otherwise: float) -> float:
    """Seconds, or a date."""
    if not said:
        return otherwise
    if said.strip().isdigit():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return otherwise


def _why(said: httpx.Response) -> str:
    try:
        error = said.json()["error"]
        text = f"{error.get('code', '')} {error.get('message', '')}".strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        text = said.text[:300]
    return redact(f"{said.status_code} {text}")


def _ended(state: str, request_id: str, said: Mapping[str, Any]) -> str:
    told = "; ".join(f"{one.get('code', '')} {one.get('message', '')}".strip() for one in said.get("messages") or ())
    told = redact(told or str(said.get("serviceExceptionJson") or ""))[:1000]
    what, then = {
        "Failed": ("failed", "Mend what it says, then run again"),
        "TimedOut": ("took longer than Power BI lets it", "Look at the capacity and at the source, then run again"),
        "Cancelled": ("was cancelled in Power BI", "Ask who did it; run again when it may go on"),
        "Disabled": (
            "was not done: refreshes of the model are disabled",
            "Enable them in its settings, then run again",
        ),
    }[state]
    return f"the refresh {request_id} {what}{': ' + told if told else ''}. {SAFE} {then}"
