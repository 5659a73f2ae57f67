"""A git repository of this machine that is served as real ones are: with filters, over the git protocol."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from pathlib import Path


class Served:
    """A repository to commit to. ``url`` is where it is fetched from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            self.git("config", name, "true")

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def commit(self, path: str, body: bytes | None, when: datetime | str) -> str:
        """Commit a file (None removes it) at a time; the commit."""
        file = self.folder / path
        if body is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        self.git("add", "--all", when=str(when))
        self.git("commit", "--quiet", "--allow-empty", "--message", "x", when=str(when))
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str, when: str = "2020-01-01T00:00:00Z") -> str:
        who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER")
               for part, value in (("NAME", "a"), ("EMAIL", "a@example.org"), ("DATE", when))}  # fmt: skip
        done = subprocess.run(
            ["git", "-c", "core.autocrlf=false", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1", **who},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout
