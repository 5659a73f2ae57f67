"""The files of a report and of a project, as their published schemas have them, and nothing besides.

Power BI refuses a property that it does not know, so these models do. They say what is used of the schemas under
https://developer.microsoft.com/json-schemas/fabric, of the versions in ``$schema``; those come with no licence that
lets them be copied, so they are not here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

ROOT = "https://developer.microsoft.com/json-schemas/fabric/"
_REPORT = f"{ROOT}item/report/definition/"
Name = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[\w-]+$")]


class Strict(BaseModel):
    """What knows its properties. It is written without those that are not said."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)

    def json_text(self) -> str:
        """The file, the same at every build."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n"


def _schema(said: str) -> Any:
    return Field(said, alias="$schema", pattern=f"^{said.replace('.', '[.]')}$")


# Expressions: a column or a measure of the model, or a value


class Entity(Strict):
    entity: str = Field(alias="Entity")


class SourceRef(Strict):
    source: Entity = Field(alias="SourceRef")


class Property(Strict):
    expression: SourceRef = Field(alias="Expression")
    property: str = Field(alias="Property")


class FieldOf(Strict):
    """One of both: a column or a measure."""

    column: Property | None = Field(None, alias="Column")
    measure: Property | None = Field(None, alias="Measure")

    @model_validator(mode="after")
    def _one(self) -> FieldOf:
        if (self.column is None) == (self.measure is None):
            raise ValueError("a field is a column or a measure")
        return self

    @property
    def names(self) -> tuple[str, str]:
        """The table and the column or measure."""
        said = self.column or self.measure
        assert said is not None
        return said.expression.source.entity, said.property


class Text(Strict):
    value: str = Field(alias="Value", pattern=r"^('([^']|'')*'|true|false|\d+D)$")


class Literally(Strict):
    literal: Text = Field(alias="Literal")


class Value(Strict):
    expr: Literally


def literal(text: str) -> Value:
    """A text as a formatting property has it."""
    quoted = text.replace("'", "''")
    return Value(expr=Literally(literal=Text(value=f"'{quoted}'")))


# A visual


class Position(Strict):
    x: float = Field(ge=0)
    y: float = Field(ge=0)
    z: float = 0
    height: float = Field(gt=0)
    width: float = Field(gt=0)
    tab_order: int = Field(0, alias="tabOrder")


class Projection(Strict):
    field: FieldOf
    query_ref: str = Field(alias="queryRef")
    native_query_ref: str = Field(alias="nativeQueryRef")
    active: bool | None = None


class Role(Strict):
    projections: tuple[Projection, ...] = Field(min_length=1)


class Query(Strict):
    query_state: dict[str, Role] = Field(alias="queryState")


class GeneralProperties(Strict):
    alt_text: Value = Field(alias="altText")


class General(Strict):
    properties: GeneralProperties


class TitleProperties(Strict):
    text: Value


class Title(Strict):
    properties: TitleProperties


class Container(Strict):
    title: tuple[Title]
    general: tuple[General]


class Configuration(Strict):
    visual_type: Literal[
        "card", "slicer", "lineChart", "clusteredBarChart", "clusteredColumnChart", "scatterChart", "tableEx"
    ] = Field(alias="visualType")
    query: Query
    container: Container = Field(alias="visualContainerObjects")
    drill: bool = Field(True, alias="drillFilterOtherVisuals")


class Visual(Strict):
    """``visual.json``"""

    schema_: str = _schema(f"{_REPORT}visualContainer/2.1.0/schema.json")
    name: Name
    position: Position
    visual: Configuration


class Mobile(Strict):
    """``mobile.json``: where the visual is on a phone."""

    schema_: str = _schema(f"{_REPORT}visualContainerMobileState/2.1.0/schema.json")
    position: Position


# Pages and the report


class Page(Strict):
    """``page.json``"""

    schema_: str = _schema(f"{_REPORT}page/2.0.0/schema.json")
    name: Name
    display_name: str = Field(alias="displayName")
    display_option: Literal["FitToPage", "FitToWidth", "ActualSize"] = Field("FitToWidth", alias="displayOption")
    height: float = Field(gt=0)
    width: float = Field(gt=0)


class Pages(Strict):
    """``pages.json``"""

    schema_: str = _schema(f"{_REPORT}pagesMetadata/1.0.0/schema.json")
    page_order: tuple[Name, ...] = Field(alias="pageOrder")
    active_page_name: Name = Field(alias="activePageName")


class Version(Strict):
    """``version.json``"""

    schema_: str = _schema(f"{_REPORT}versionMetadata/1.0.0/schema.json")
    version: str = "2.0.0"


class ThemeVersion(Strict):
    visual: str = "2.1.0"
    report: str = "3.0.0"
    page: str = "2.0.0"


class ThemeMetadata(Strict):
    name: str
    version: ThemeVersion = Field(ThemeVersion(), alias="reportVersionAtImport")
    type: Literal["RegisteredResources", "SharedResources"]


class Themes(Strict):
    custom: ThemeMetadata = Field(alias="customTheme")


class ResourceItem(Strict):
    name: str
    path: str
    type: Literal["CustomTheme"] = "CustomTheme"


class ResourcePackage(Strict):
    name: Literal["RegisteredResources"] = "RegisteredResources"
    type: Literal["RegisteredResources"] = "RegisteredResources"
    items: tuple[ResourceItem, ...]


class Report(Strict):
    """``report.json``"""

    schema_: str = _schema(f"{_REPORT}report/3.0.0/schema.json")
    themes: Themes = Field(alias="themeCollection")
    resources: tuple[ResourcePackage, ...] = Field(alias="resourcePackages")


class ByPath(Strict):
    path: str


class DatasetReference(Strict):
    by_path: ByPath = Field(alias="byPath")


class ReportDefinition(Strict):
    """``definition.pbir``"""

    schema_: str = _schema(f"{ROOT}item/report/definitionProperties/2.0.0/schema.json")
    version: str = "4.0"
    dataset: DatasetReference = Field(alias="datasetReference")


class ModelDefinition(Strict):
    """``definition.pbism``"""

    schema_: str = _schema(f"{ROOT}item/semanticModel/definitionProperties/1.0.0/schema.json")
    version: str = "4.2"
    settings: dict[str, bool] = {}


# The project


class ItemMetadata(Strict):
    type: Literal["Report", "SemanticModel"]
    display_name: str = Field(alias="displayName")
    description: str | None = Field(None, max_length=256)


class ItemConfig(Strict):
    version: str = "2.0"
    logical_id: str = Field(alias="logicalId")


class Platform(Strict):
    """``.platform``: what the item is, for a workspace."""

    schema_: str = _schema(f"{ROOT}gitIntegration/platformProperties/2.0.0/schema.json")
    metadata: ItemMetadata
    config: ItemConfig


class Artifact(Strict):
    report: ByPath


class Project(Strict):
    """``Netflix.pbip``, which Power BI Desktop opens."""

    schema_: str = _schema(f"{ROOT}pbip/pbipProperties/1.0.0/schema.json")
    version: str = "1.0"
    artifacts: tuple[Artifact]


class TextClass(Strict):
    font: str = Field("Segoe UI", alias="fontFace")
    size: int = Field(alias="fontSize")
    color: str


class Theme(Strict):
    """The report's theme, in the colours of the dashboard. It has no ``$schema``."""

    name: str
    data_colors: tuple[str, ...] = Field(alias="dataColors")
    background: str
    foreground: str
    table_accent: str = Field(alias="tableAccent")
    good: str
    neutral: str
    bad: str
    text: dict[str, TextClass] = Field(alias="textClasses")


FILES: dict[str, type[Strict]] = {
    kind.model_fields["schema_"].default: kind
    for kind in (
        *(Visual, Mobile, Page, Pages, Version, Report, ReportDefinition),
        *(ModelDefinition, Platform, Project),
    )
}
"""What a file is, by its ``$schema``."""
