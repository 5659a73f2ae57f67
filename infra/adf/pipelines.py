"""The pipelines that land files: which (``land_sources``), whether (``land_source``) and how (``take_file``).

``land_sources`` goes through the control table: the sources that were named, or whose weekday it is, a few at a time.
``land_source`` asks one origin what lies there, judges the answer, and finds the date of the delivery; what landing has
already is not taken again. ``take_file`` copies the file under a name that listings and events pass over, counts its
bytes and renames it, which with a hierarchical namespace is one step: nobody sees half a file.
``land_dropped`` does the same with a file that somebody has put into the container for them.

A pipeline fails when one of its leaves does; a leaf that was skipped is judged by what it waits for. So what tidies up
after a failure ends in an activity that fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra.adf.words import Json, activity, after, assign, dataset, execute, expression, refuse, runtime
from netflix_dagster.azure.data_factory import PIPELINE, REQUESTED_BY

AT_ONCE = 4
"""Origins that are looked at at the same time."""
LANDING = "landing"
IN_NETWORK, ON_PREMISES = "in-network", "on-premises"
NO_DATA = ("text/html", "application/xhtml+xml", "text/css", "text/javascript")
"""Content types of pages: what a server sends in place of a file that it does not have."""
_ASK, _COPY = "0.00:10:00", "0.02:00:00"
_STORAGE = {"type": "MSI", "resource": "https://storage.azure.com/"}
_RELATIVE = "if(empty({folder}), {name}, concat({folder}, '/', {name}))"


def pipelines(table: Sequence[Json]) -> dict[str, Json]:
    """The pipelines by name, for a control table."""
    return {
        PIPELINE: land_sources(table),
        "land_source": land_source(),
        "take_file": take_file(),
        "land_dropped": land_dropped(sorted({entry["source"] for entry in table})),
    }


def land_sources(table: Sequence[Json]) -> Json:
    named = _parameter("sources")
    day = "dayOfWeek(variables('until'))"
    return _pipeline(
        "Lands what is new at the origins of the control table. One run at a time; the next one waits.",
        [
            assign("until", f"if(empty({_parameter('until')}), pipeline().TriggerTime, {_parameter('until')})"),
            activity(
                "Named",
                "Filter",
                {
                    "items": expression(_parameter("table")),
                    "condition": expression(f"or(empty({named}), contains({named}, item().source))"),
                },
            ),
            activity(
                "Known",
                "IfCondition",
                {
                    "expression": expression("greater(length(activity('Named').output.value), 0)"),
                    "ifFalseActivities": [
                        refuse(
                            "No such source",
                            "NoSuchSource",
                            f"concat('No source of the control table is called ', string({named}),"
                            " '. Nothing was copied. Is it in sources.yaml, with an origin that Data Factory lands?')",
                        )
                    ],
                },
                waits=after("Named"),
            ),
            activity(
                "Due",
                "Filter",
                {
                    "items": expression("activity('Named').output.value"),
                    "condition": expression(f"or({_parameter('any_day')}, contains(item().weekdays, {day}))"),
                },
                waits=after("Set until", "Known"),
                about="The weekday gate: what fetch_at in sources.yaml says",
            ),
            activity(
                "Each",
                "ForEach",
                {
                    "items": expression("activity('Due').output.value"),
                    "isSequential": False,
                    "batchCount": AT_ONCE,
                    "activities": [
                        execute(
                            "Land",
                            "land_source",
                            {"entry": expression("item()"), "until": expression("variables('until')")},
                        )
                    ],
                },
                waits=after("Due"),
            ),
        ],
        parameters={
            "sources": _typed("Array", []),
            "until": _typed("String", ""),
            "any_day": _typed("Bool", False),
            REQUESTED_BY: _typed("String", ""),
            "table": _typed("Array", list(table)),
        },
        variables={"until": {"type": "String"}},
        concurrency=1,
    )


def land_source() -> Json:
    target = {
        "container": f"'{LANDING}'",
        "folder": f"concat({_entry('source')}, '/', variables('delivery'))",
        "file": _entry("file"),
    }
    landed = "activity('Landed').output"
    since = f"ticks(coalesce({landed}?.lastModified, variables('changed')))"
    day = f"formatDateTime(variables('changed'), {_entry('form')})"
    return _pipeline(
        "Asks one origin what lies there, and has it taken if it fits and landing does not have it.",
        [
            activity(
                "Look",
                "Switch",
                {
                    "on": expression(_entry("look")),
                    "cases": [
                        _case("github", _commit()),
                        _case("public", _head("public")),
                        _case("private", _head("private", connectVia=runtime(ON_PREMISES))),
                        _case("storage", _found("storage", "lake_file", container=_entry("container"))),
                        _case("share", _found("share", "share_file")),
                    ],
                    "defaultActivities": [_unknown("look")],
                },
            ),
            assign(
                "delivery",
                f"if(empty({_entry('date')}), {day}, {_entry('date')})",
                after("Look"),
            ),
            activity(
                "Fits",
                "IfCondition",
                {
                    "expression": expression(
                        f"and(lessOrEquals(int(variables('size')), {_entry('max_bytes')}),"
                        f" if(empty({_entry('types')}),"
                        f" not(contains(createArray({', '.join(map(repr, NO_DATA))}), variables('type'))),"
                        f" contains({_entry('types')}, variables('type'))))"
                    ),
                    "ifFalseActivities": [
                        refuse(
                            "Not the file",
                            "NotTheFile",
                            f"concat('The origin of ', {_entry('source')}, ' answers with ', variables('size'),"
                            f" ' bytes of ', variables('type'), '; expected were ', string({_entry('max_bytes')}),"
                            " ' at the most, and data. Landing is as it was.')",
                        )
                    ],
                },
                waits=after("Set delivery"),
            ),
            activity(
                "Landed",
                "GetMetadata",
                {"dataset": _lake_file(**target), "fieldList": ["exists", "size", "lastModified"]},
                waits=after("Fits"),
                timeout=_ASK,
            ),
            activity(
                "New",
                "IfCondition",
                {
                    "expression": expression(
                        f"or(not({landed}.exists),"
                        f" and(empty({_entry('date')}), less({since}, ticks(variables('changed')))))"
                    ),
                    "ifTrueActivities": [
                        execute(
                            "Take",
                            "take_file",
                            {
                                "source": expression(_entry("source")),
                                "delivery": expression("variables('delivery')"),
                                "file": expression(_entry("file")),
                                "copy": expression(_entry("copy")),
                                "host": expression(_entry("host")),
                                "container": expression(_entry("container")),
                                "folder": expression("variables('folder')"),
                                "name": expression(_entry("name")),
                                "size": expression("int(variables('size'))"),
                            },
                        )
                    ],
                },
                waits=after("Landed"),
                about="A file that landed after its origin changed is that one; a release is taken once",
            ),
        ],
        parameters={"entry": {"type": "Object"}, "until": {"type": "String"}},
        variables={name: {"type": "String"} for name in ("folder", "size", "changed", "type", "delivery")},
    )


def take_file() -> Json:
    folder = f"concat({_parameter('source')}, '/', {_parameter('delivery')})"
    staged = f"concat('.', {_parameter('file')}, '.', pipeline().RunId, '.part')"
    here = {"container": f"'{LANDING}'", "folder": folder, "file": staged}
    there = "activity('Staged').output"
    bytes_ = f"coalesce({there}?.size, 0)"
    what = f"{_parameter('file')}, ' of ', {_parameter('source')}, ' (', {_parameter('delivery')}, ')"
    copies = ("public", "private", "storage", "share")
    return _pipeline(
        "Copies one file under a name that nobody takes up, counts its bytes and renames it.",
        [
            activity(
                "Stage",
                "Switch",
                {
                    "on": expression(_parameter("copy")),
                    "cases": [_case(kind, [_copy(kind, here)]) for kind in copies],
                    "defaultActivities": [_unknown("copy")],
                },
            ),
            activity(
                "Staged",
                "GetMetadata",
                {"dataset": _lake_file(**here), "fieldList": ["exists", "size"]},
                waits=after("Stage"),
                timeout=_ASK,
            ),
            activity(
                "Whole",
                "IfCondition",
                {
                    "expression": expression(
                        f"and(greater({bytes_}, 0),"
                        f" or(equals({_parameter('size')}, 0), equals({_parameter('size')}, {bytes_})))"
                    ),
                    "ifTrueActivities": [_publish(folder, staged)],
                    "ifFalseActivities": [
                        refuse(
                            "Cut short",
                            "CutShort",
                            f"concat({what} came with ', string({bytes_}), ' bytes, and its origin has ',"
                            f" string({_parameter('size')}), '. It was not landed.')",
                        )
                    ],
                },
                waits=after("Staged"),
            ),
            activity(
                "Tidy up",
                "Delete",
                {"dataset": _lake_file(**here), "enableLogging": False, "storeSettings": _reads("storage")},
                waits=after("Whole", on=("Failed", "Skipped")),
                timeout=_ASK,
            ),
            refuse(
                "Not landed",
                "NotLanded",
                f"concat({what} was not landed: an activity of run ', pipeline().RunId, ' failed, and says why."
                " Landing is as it was; to start the pipeline again is safe.')",
                after("Tidy up", on=("Succeeded", "Failed")),
            ),
        ],
        parameters={
            **{name: {"type": "String"} for name in ("source", "delivery", "file", "copy", "host", "container")},
            **{name: {"type": "String"} for name in ("folder", "name")},
            "size": {"type": "Int"},
        },
    )


def land_dropped(known: Sequence[str]) -> Json:
    """``folder`` is ``<container>/<source>``, as an event names it."""
    source = f"last(split({_parameter('folder')}, '/'))"
    container = f"first(split({_parameter('folder')}, '/'))"
    dropped = "activity('Dropped').output"
    where = {"container": container, "folder": source, "file": _parameter("file")}
    return _pipeline(
        "Lands a file that somebody has put into <container>/<source>, as the delivery of the day on which it came.",
        [
            activity(
                "Known",
                "IfCondition",
                {
                    "expression": expression(f"contains({_parameter('known')}, {source})"),
                    "ifFalseActivities": [
                        refuse(
                            "No such source",
                            "NoSuchSource",
                            f"concat({_parameter('file')}, ' was put into ', {_parameter('folder')},"
                            " ': no source is called so. Nothing was landed.')",
                        )
                    ],
                },
            ),
            activity(
                "Dropped",
                "GetMetadata",
                {
                    "dataset": _lake_file(url="pipeline().globalParameters.incoming", **where),
                    "fieldList": ["size", "lastModified"],
                },
                waits=after("Known"),
                timeout=_ASK,
            ),
            execute(
                "Take",
                "take_file",
                {
                    "source": expression(source),
                    "delivery": expression(f"formatDateTime({dropped}.lastModified, 'yyyy-MM-dd')"),
                    "file": expression(_parameter("file")),
                    "copy": "storage",
                    "host": expression("pipeline().globalParameters.incoming"),
                    "container": expression(container),
                    "folder": expression(source),
                    "name": expression(_parameter("file")),
                    "size": expression(f"{dropped}.size"),
                },
                after("Dropped"),
            ),
        ],
        parameters={
            "folder": {"type": "String"},
            "file": {"type": "String"},
            "known": _typed("Array", list(known)),
        },
    )


def _commit() -> list[Json]:
    """The newest commit of the file until then; the file is taken as it is in that commit. Of an array a Web activity
    gives the text or the array itself."""
    newest = "json(string(activity('Commit').output.Response))[0]"
    url = f"concat({_entry('commits')}, uriComponent({_parameter('until')}))"
    headers = {"Accept": "application/vnd.github+json", "User-Agent": "netflix-dagster"}
    file = f"concat({_entry('host')}, variables('folder'), '/', {_entry('name')})"
    return [
        _web("Commit", url, headers),
        assign("changed", f"{newest}.commit.committer.date", after("Commit"), "Committed"),
        assign("folder", f"concat({_entry('folder')}, '/', {newest}.sha)", after("Commit"), "In the commit"),
        *_said_by("At the commit", file, after("In the commit")),
    ]


def _head(kind: str, **more: Any) -> list[Json]:
    url = f"concat({_entry('host')}, {_RELATIVE.format(folder=_entry('folder'), name=_entry('name'))})"
    asked = f"Head {kind}"
    changed = f"coalesce({_header(asked, 'Last-Modified')}, {_parameter('until')})"
    return [
        *_said_by(asked, url, (), **more),
        assign("changed", changed, after(asked), f"Changed {kind}"),
        assign("folder", _entry("folder"), (), f"Folder {kind}"),
    ]


def _said_by(name: str, url: str, waits: Sequence[Json], **more: Any) -> list[Json]:
    """Ask for the first byte: a Web activity has no HEAD. How long the file is stands in Content-Range."""
    headers = {"Range": "bytes=0-0", "Accept-Encoding": "identity"}
    length = f"last(split(coalesce({_header(name, 'Content-Range')}, '/0'), '/'))"
    kind = f"toLower(trim(first(split(coalesce({_header(name, 'Content-Type')}, ''), ';'))))"
    return [
        _web(name, url, headers, waits, **more),
        assign("size", f"if(equals({length}, '*'), '0', {length})", after(name), f"Size of {name}"),
        assign("type", kind, after(name), f"Type of {name}"),
    ]


def _header(name: str, header: str) -> str:
    return f"activity('{name}').output.ADFWebActivityResponseHeaders?['{header}']"


def _found(kind: str, of: str, **more: str) -> list[Json]:
    """Size and time of a file in storage. Get Metadata fails when there is none."""
    name = f"Metadata {kind}"
    where = {"folder": _entry("folder"), "file": _entry("name"), **more}
    there = _lake_file(url=_entry("host"), **where) if of == "lake_file" else dataset(of, **_share(), **where)
    said = {"dataset": there, "fieldList": ["size", "lastModified"]}
    output = f"activity('{name}').output"
    return [
        activity(name, "GetMetadata", said, timeout=_ASK),
        assign("size", f"string({output}.size)", after(name), f"Size {kind}"),
        assign("changed", f"{output}.lastModified", after(name), f"Changed {kind}"),
        assign("folder", _entry("folder"), (), f"Folder {kind}"),
        assign("type", "string('')", (), f"Type {kind}"),
    ]


def _web(name: str, url: str, headers: dict[str, str], waits: Sequence[Json] = (), **more: Any) -> Json:
    said = {"method": "GET", "url": expression(url), "headers": headers, "httpRequestTimeout": "00:02:00", **more}
    return activity(name, "WebActivity", said, waits=waits, timeout=_ASK)


def _copy(kind: str, into: dict[str, str]) -> Json:
    folder, name = _parameter("folder"), _parameter("name")
    if kind == "storage":
        source = _lake_file(url=_parameter("host"), container=_parameter("container"), folder=folder, file=name)
    elif kind == "share":
        source = dataset("share_file", **_share(), folder=folder, file=name)
    else:
        source = dataset(f"{kind}_file", host=_parameter("host"), path=_RELATIVE.format(folder=folder, name=name))
    return activity(
        f"Copy {kind}",
        "Copy",
        {
            "source": {
                "type": "BinarySource",
                "storeSettings": _reads(kind),
                "formatSettings": {"type": "BinaryReadSettings"},
            },
            "sink": {"type": "BinarySink", "storeSettings": {"type": "AzureBlobFSWriteSettings"}},
            "enableStaging": False,
        },
        timeout=_COPY,
        inputs=[source],
        outputs=[_lake_file(**into)],
    )


def _reads(kind: str) -> Json:
    if kind == "storage":
        return {"type": "AzureBlobFSReadSettings", "recursive": False}
    if kind == "share":
        return {"type": "FileServerReadSettings", "recursive": False}
    return {"type": "HttpReadSettings", "requestMethod": "GET", "requestTimeout": "00:15:00"}


def _publish(folder: str, staged: str) -> Json:
    """The rename of ADLS Gen2: the connectors of Data Factory have none."""
    path = f"concat('{LANDING}/', {folder}, '/', uriComponent({{}}))"
    headers = {
        "x-ms-version": "2023-11-03",
        "x-ms-rename-source": expression(f"concat('/', {path.format(staged)})"),
    }
    url = expression(f"concat(pipeline().globalParameters.lake, {path.format(_parameter('file'))})")
    said = {"method": "PUT", "url": url, "headers": headers, "body": "", "authentication": _STORAGE}
    return activity("Publish", "WebActivity", {**said, "connectVia": runtime(IN_NETWORK)}, timeout=_ASK)


def _lake_file(url: str = "pipeline().globalParameters.lake", **where: str) -> Json:
    return dataset("lake_file", url=url, **where)


def _share() -> dict[str, str]:
    return {"host": "pipeline().globalParameters.share", "user": "pipeline().globalParameters.share_user"}


def _case(value: str, activities: Sequence[Json]) -> Json:
    return {"value": value, "activities": list(activities)}


def _unknown(what: str) -> Json:
    said = f"concat('{what} of the control table is none of those that there are. Nothing was copied.')"
    return refuse(f"Unknown {what}", "WrongTable", said)


def _entry(name: str) -> str:
    return f"pipeline().parameters.entry.{name}"


def _parameter(name: str) -> str:
    return f"pipeline().parameters.{name}"


def _typed(kind: str, default: Any) -> Json:
    return {"type": kind, "defaultValue": default}


def _pipeline(about: str, activities: Sequence[Json], **more: Any) -> Json:
    folder = {"folder": {"name": "landing"}, "annotations": ["netflix-dagster"]}
    return {"description": about, "activities": list(activities), **more, **folder}
