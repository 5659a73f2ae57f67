"""What differs between stacks: ``Pulumi.<stack>.yaml``, typed. A key that is not known, or not possible, is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from infra.azure.names import SHORT_REGIONS, Names

HERE = Path(__file__).parent
NAMESPACE = yaml.safe_load((HERE / "Pulumi.yaml").read_text())["name"]

Image = Annotated[str, StringConstraints(pattern=r"^[a-z0-9./-]+@sha256:[0-9a-f]{64}$")]
"""An image by its digest: a tag may be moved, a digest may not."""
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Images(BaseModel):
    """What the containers run; a deployment sets them to what CI has built."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Image
    dagster: Image


class Config(BaseModel):
    """One stack."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stack: Literal["dev", "staging", "prod"]
    org: str = Field(pattern=r"^[a-z0-9]{2,5}$", description="of whom: part of names that are unique in the world")
    location: str
    cost_center: str = Field(min_length=1)
    alerts: tuple[Email, ...] = Field(min_length=1, description="who hears of failures and of the budget")
    budget: int = Field(gt=0, description="a month, in the currency of the subscription")
    budget_from: date = Field(description="the first day of the month from which the budget counts")
    developers: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")], ...] = Field(
        (), description="dev only: short names of those who try the pipeline, each in a catalog of their own"
    )
    private: bool = Field(False, description="reach storage, vault, registry and database by private endpoints only")
    customer_key: bool = Field(False, description="encrypt storage with a key of the vault")
    keep_days: int = Field(14, ge=7, le=365, description="days for which deleted files and containers come back")
    log_days: int = Field(30, ge=30, le=730, description="days for which logs are kept")
    powerbi_workspace: str | None = Field(None, description="id of the workspace of Power BI that runs refresh")
    images: Images | None = Field(None, description="absent at the first deployment: the registry is empty then")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.location not in SHORT_REGIONS:
            raise ValueError(f"{self.location} is no region of this platform: {', '.join(SHORT_REGIONS)}")
        if self.budget_from.day != 1:
            raise ValueError("budget_from is the first day of a month")
        if self.developers and self.stack != "dev":
            raise ValueError("developers have catalogs of their own in dev only")
        if self.stack == "prod" and not self.private:
            raise ValueError("prod is private: its storage, vault, registry and database answer no public address")
        return self

    @property
    def names(self) -> Names:
        return Names(self.org, self.stack, self.location)

    @property
    def tags(self) -> dict[str, str]:
        """On everything that can carry tags: of which stack it is, who pays, and that nobody made it by hand."""
        return {
            "project": "netflix-lakehouse",
            "environment": self.stack,
            "cost_center": self.cost_center,
            "managed_by": "pulumi",
        }

    @property
    def pipeline_catalogs(self) -> list[str]:
        """The catalogs of the declarative pipeline: one, in dev one for each developer."""
        one = f"{self.names.catalog}_pipeline"
        return [f"{one}_{name}" for name in self.developers] if self.stack == "dev" else [one]

    @property
    def careful(self) -> bool:
        """Whether a loss would hurt: then things are zone-redundant, backed up elsewhere, and locked."""
        return self.stack == "prod"


def from_file(stack: str, **changes: Any) -> Config:
    """A stack as its file says it, for tests and for looking at."""
    said = yaml.safe_load((HERE / f"Pulumi.{stack}.yaml").read_text())["config"]
    own = {key.removeprefix(f"{NAMESPACE}:"): value for key, value in said.items() if key.startswith(f"{NAMESPACE}:")}
    return Config.model_validate({"stack": stack, **own, **changes})


def from_pulumi() -> Config:
    """The stack that is being deployed."""
    import pulumi

    given = pulumi.Config()
    said: dict[str, Any] = {"stack": pulumi.get_stack()}
    for name, field in Config.model_fields.items():
        if name == "stack" or (text := given.get(name)) is None:
            continue
        structured = field.annotation is not str
        said[name] = yaml.safe_load(text) if structured else text
    return Config.model_validate(said)
