"""Decodes the bytes of a delivered file piece by piece, once, and checks them on the way.

A fault of the bytes is a fault of the whole file, so it is known only when all are read: ``Text.fault``. The caller
then drops the lines that it got before.
"""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Iterable, Iterator
from itertools import chain

from netflix_dagster.files import foreign
from netflix_dagster.files.parsed import COMPLETE, EMPTY, Refusal

PIECE = 1024 * 1024
"""Bytes that are read at once."""
LONGEST = 64 * 1024 * 1024
"""The most characters of one line, and of one value: a file without line breaks must not fill the memory."""
_HEAD = 64 * 1024
_BEGINS = 5_000
"""Bytes, and characters, by which another format is recognised."""


class Text:
    """The lines of a file. ``size`` and ``hash`` are those of its bytes.

    With ``lenient`` a byte that is not UTF-8 is a fault of its record, not of the file: it becomes a lone surrogate,
    and ``odd`` is true from then on.
    """

    def __init__(self, pieces: Iterable[bytes], *, lenient: bool = False) -> None:
        self.size = 0
        self.odd = False
        self.lenient = lenient
        self.ends_in_line_break = False
        self._digest = hashlib.sha256()
        self._blank = True
        self._line_breaks = 0
        self._nul: Refusal | None = None
        self._no_text: Refusal | None = None
        self._whole: Refusal | None = None
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._decode_odd = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._pieces = self._read(iter(pieces))
        self._texts = self._judged()

    @property
    def hash(self) -> str:
        """SHA-256 of the bytes that were read."""
        return self._digest.hexdigest()

    @property
    def encoding(self) -> Refusal | None:
        """Why the bytes are not all text in UTF-8."""
        return self._nul or self._no_text

    @property
    def fault(self) -> Refusal | None:
        """What is wrong with the file as a whole; reads it to its end."""
        for _ in self._texts:
            pass
        for _ in self._pieces:
            pass
        if self._blank:
            return EMPTY
        return self._whole or (None if self.lenient else self.encoding)

    def lines(self) -> Iterator[list[str]]:
        """Lists of lines, with their line ends; ``\\r``, ``\\n`` and both together end one."""
        rest: list[str] = []
        for text in self._texts:
            rest.append(text)
            if "\n" not in text and "\r" not in text:
                if sum(map(len, rest)) > LONGEST:
                    self._line_too_long()
                    return
                continue
            lines = list(io.StringIO("".join(rest), newline=""))
            rest = []
            if not lines[-1].endswith("\n"):  # what follows may belong to it, even after "\r"
                rest.append(lines.pop())
            if lines:
                yield lines
        if rest:
            yield list(io.StringIO("".join(rest), newline=""))

    def _line_too_long(self) -> None:
        reason = f"it has a line of more than {LONGEST:,} characters"
        hint = "it has no line breaks, or is no delimited text at all; look at it and land it again"
        self._whole = self._whole or Refusal("fields", reason, hint)

    def _read(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The bytes, the first of them in one piece. Hashes and counts them, and finds the first NUL byte."""
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= _HEAD:
                break
        self._blank = not head.removeprefix(codecs.BOM_UTF8).strip()
        for piece in chain([head], pieces):
            self._digest.update(piece)
            self.size += len(piece)
            self._blank = self._blank and (piece is head or not piece.strip())
            if self._nul is None and b"\0" in piece:
                line = self._line_breaks + piece.count(b"\n", 0, piece.index(b"\0")) + 1
                hint = "the file is binary, or was damaged on its way; land it again"
                self._nul = Refusal("encoding", f"there is a NUL byte in line {line}", hint, line=line)
                self.odd = True
            yield piece
            self._line_breaks += piece.count(b"\n")

    def _judged(self) -> Iterator[str]:
        """The text, until it turns out not to be a table."""
        texts = self._decoded()
        begins = next(texts, "")
        if begins[:_BEGINS].lstrip("\ufeff \t\r\n").startswith(("{", "[")):
            held = [begins]
            for text in texts:
                held.append(text)
                if sum(map(len, held)) > foreign.MOST_JSON:
                    break
            begins = "".join(held)
        if fault := foreign.no_data(begins):
            self._whole = self._whole or Refusal(*fault)
        for text in chain([begins], texts):
            if text:
                self.ends_in_line_break = text.endswith(("\n", "\r"))
                if self._whole is None:
                    yield text

    def _decoded(self) -> Iterator[str]:
        piece = next(self._pieces, b"")
        if strange := foreign.other_format(piece) or foreign.wide_encoding(piece):
            self._whole = Refusal(*strange)
            return
        piece = piece.removeprefix(codecs.BOM_UTF8)
        last = False
        while not last:
            last = not piece
            text = self._text(piece, self._line_breaks, last)
            if text is None:
                return
            yield text
            piece = next(self._pieces, b"")

    def _text(self, piece: bytes, before: int, last: bool) -> str | None:
        """A piece as text, after ``before`` line breaks; None when it is not text and the file therefore not either."""
        state = self._decode.getstate()
        try:
            return self._decode.decode(piece, last)
        except UnicodeDecodeError as error:
            if error.start + 1 == len(error.object) and (more := next(self._pieces, b"")):
                self._decode.setstate(state)  # the next byte tells which encoding it is
                return self._text(piece + more, before, last)
            line = before + error.object.count(b"\n", 0, error.start) + 1
            fault = Refusal(*foreign.not_utf8(error.object, error, line), line=line)
        self._no_text = self._no_text or fault
        if fault.rule == COMPLETE:
            self._whole = self._whole or fault
        if not self.lenient or fault.rule == COMPLETE:
            return None
        self.odd = True
        self._decode_odd.setstate(state)
        text = self._decode_odd.decode(piece, last)
        self._decode.setstate(self._decode_odd.getstate())
        return text
