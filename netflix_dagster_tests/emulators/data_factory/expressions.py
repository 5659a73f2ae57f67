"""The expression language of Data Factory, as far as the pipelines use it; any other function is refused.

After https://learn.microsoft.com/azure/data-factory/control-flow-expression-language-functions. Microsoft's own
evaluator (data-factory-testing-framework) needs .NET, and ``fabrix`` pins other versions of what is used here and
stops at dates. Stricter than the service: both branches of ``if`` are evaluated, and names have their case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[?.,()\[\]]))"
)
_INTERPOLATED = re.compile(r"@\{((?:[^{}']|'(?:[^']|'')*')*)\}")
_FORMAT = re.compile(r"yyyy|MM|dd|HH|mm|ss|[-:T]")
_TICKS_OF_EPOCH = 621355968000000000
Scope = Mapping[str, Callable[..., Any]]
"""What an expression may ask of the place where it stands: ``activity``, ``variables``, ``pipeline`` …"""


class ExpressionError(Exception):
    """The service would refuse the expression, or it fails."""


def evaluate(said: Any, scope: Scope) -> Any:
    """The value of something in a pipeline: expressions at any depth are evaluated, all else stays."""
    if isinstance(said, Mapping):
        if said.get("type") == "Expression" and set(said) == {"type", "value"}:
            return evaluate(said["value"], scope)
        return {key: evaluate(value, scope) for key, value in said.items()}
    if isinstance(said, list):
        return [evaluate(value, scope) for value in said]
    if not isinstance(said, str):
        return said
    if said.startswith("@@"):
        return said[1:]
    if said.startswith("@") and not said.startswith("@{"):
        return _Reader(said[1:], scope).whole()
    return _INTERPOLATED.sub(lambda found: _text(_Reader(found[1], scope).whole()), said)


def expressions_in(said: Any) -> Iterator[str]:
    """Every text of a pipeline that is an expression or holds one."""
    if isinstance(said, Mapping):
        for value in said.values():
            yield from expressions_in(value)
    elif isinstance(said, list):
        for value in said:
            yield from expressions_in(value)
    elif isinstance(said, str) and (said.startswith("@") or _INTERPOLATED.search(said)):
        yield said


class _Reader:
    """Reads an expression from left to right and evaluates it on the way."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope = text, scope
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if not found or not found.lastgroup:
                raise ExpressionError(f"{text!r}: not understood from {text[at : at + 20]!r}")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.at = 0

    def whole(self) -> Any:
        value = self._value()
        if self.at != len(self.tokens):
            raise ExpressionError(f"{self.text!r}: something follows its end")
        return value

    def _next(self, *marks: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] in [("mark", mark) for mark in marks]:
            self.at += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._next(mark):
            raise ExpressionError(f"{self.text!r}: {mark} is missing")

    def _value(self) -> Any:
        if self.at >= len(self.tokens):
            raise ExpressionError(f"{self.text!r}: ends too early")
        kind, token = self.tokens[self.at]
        self.at += 1
        if kind == "text":
            value: Any = token[1:-1].replace("''", "'")
        elif kind == "number":
            value = float(token) if "." in token else int(token)
        elif kind == "name" and self._next("("):
            value = self._call(token)
        elif kind == "name" and token in ("true", "false", "null"):
            value = {"true": True, "false": False, "null": None}[token]
        else:
            raise ExpressionError(f"{self.text!r}: {token} is no value")
        return self._parts(value)

    def _call(self, name: str) -> Any:
        given = []
        if not self._next(")"):
            given.append(self._value())
            while self._next(","):
                given.append(self._value())
            self._expect(")")
        function = self.scope.get(name) or FUNCTIONS.get(name)
        if function is None:
            raise ExpressionError(f"{self.text!r}: there is no function {name} here")
        try:
            return function(*given)
        except (TypeError, ValueError, IndexError) as error:
            raise ExpressionError(f"{self.text!r}: {name}{tuple(given)}: {error}") from error

    def _parts(self, value: Any) -> Any:
        """The parts of a value that follow it: ``.name``, ``[n]``, and with ``?`` null where there is none."""
        while True:
            lenient = self._next("?")
            if self._next("."):
                kind, key = self.tokens[self.at]
                if kind != "name":
                    raise ExpressionError(f"{self.text!r}: a name has to follow the dot")
                self.at += 1
                value = self._part(value, key, lenient)
            elif self._next("["):
                key = self._value()
                self._expect("]")
                value = self._part(value, key, lenient)
            elif lenient:
                raise ExpressionError(f"{self.text!r}: something has to follow the ?")
            else:
                return value

    def _part(self, value: Any, key: Any, lenient: bool) -> Any:
        if isinstance(value, Mapping) and key in value:
            return value[key]
        if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            return value[key]
        if lenient and (value is None or isinstance(value, Mapping)):
            return None
        raise ExpressionError(f"{self.text!r}: property {key!r} does not exist in {str(value)[:80]}")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def _of(kind: type | tuple[type, ...], value: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r} is not of {kind}")
    return value


def _concat(*given: Any) -> str:
    return "".join(_of(str, one) for one in given)


def _if(condition: Any, then: Any, otherwise: Any) -> Any:
    return then if _of(bool, condition) else otherwise


def _and(*given: Any) -> bool:
    return all(tuple(_of(bool, one) for one in given))


def _or(*given: Any) -> bool:
    return any(tuple(_of(bool, one) for one in given))


def _equals(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, str):
        return _of(str, what) in where
    return any(_equals(what, one) for one in where) if isinstance(where, list) else what in _of(dict, where)


def _int(text: Any) -> int:
    if not isinstance(text, str | int) or isinstance(text, bool) or not re.fullmatch(r"-?\d+", str(text)):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def instant(text: Any) -> datetime:
    """A time as the service writes it, or as HTTP does."""
    try:
        found = datetime.fromisoformat(_of(str, text))
    except ValueError:
        found = parsedate_to_datetime(text)
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def _format_date_time(text: Any, form: str) -> str:
    if _FORMAT.sub("", form):
        raise ValueError(f"{form!r} is no format that is known here")
    said = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
    return instant(text).strftime(_FORMAT.sub(lambda found: said.get(found[0], found[0]), form))


def _ticks(text: Any) -> int:
    found = instant(text)
    return _TICKS_OF_EPOCH + int(found.timestamp()) * 10_000_000 + found.microsecond * 10


def _numbers(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda one, other: compare(_of((int, float), one), _of((int, float), other))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _and,
    "coalesce": lambda *given: next((one for one in given if one is not None), None),
    "concat": _concat,
    "contains": _contains,
    "createArray": lambda *given: list(given),
    "dayOfWeek": lambda text: int(instant(text).strftime("%w")),
    "empty": lambda value: len(_of((str, list, dict), value)) == 0,
    "equals": _equals,
    "first": lambda value: _of((str, list), value)[0],
    "formatDateTime": _format_date_time,
    "greater": _numbers(lambda one, other: one > other),
    "if": _if,
    "int": _int,
    "json": lambda text: json.loads(_of(str, text)),
    "last": lambda value: _of((str, list), value)[-1],
    "length": lambda value: len(_of((str, list), value)),
    "less": _numbers(lambda one, other: one < other),
    "lessOrEquals": _numbers(lambda one, other: one <= other),
    "not": lambda value: not _of(bool, value),
    "or": _or,
    "split": lambda text, by: _of(str, text).split(_of(str, by)),
    "string": _text,
    "ticks": _ticks,
    "toLower": lambda text: _of(str, text).lower(),
    "trim": lambda text: _of(str, text).strip(),
    "uriComponent": lambda text: quote(_of(str, text), safe="!*'()~"),
}
