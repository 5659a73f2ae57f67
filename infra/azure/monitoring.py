"""Application Insights with the workbook and the alert rules of ``infra/monitor``, and who is told; the budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pulumi_azure_native import applicationinsights, consumption, monitor

from infra.azure.base import Base

MONITOR = Path(__file__).parents[1] / "monitor"


def insights(base: Base) -> applicationinsights.Component:
    """Where telemetry goes. It takes tokens only, so that its connection string is an address and no secret."""
    made = applicationinsights.Component(
        "insights",
        resource_group_name=base.group.name,
        resource_name_=base.names.of("appi"),
        location=base.location,
        kind="web",
        application_type="web",
        ingestion_mode="LogAnalytics",
        workspace_resource_id=base.logs.id,
        disable_local_auth=True,
        tags=base.tags,
    )
    base.diagnose("insights", made.id)
    return made


def alerts(base: Base, of: applicationinsights.Component) -> monitor.ActionGroup:
    """The rules and the workbook, as ``infra/monitor`` says them."""
    told = monitor.ActionGroup(
        "told",
        resource_group_name=base.group.name,
        action_group_name=base.names.of("ag"),
        location="Global",
        group_short_name="netflix",
        enabled=True,
        email_receivers=[
            monitor.MicrosoftCommonEmailReceiverArgs(
                name=f"email{n}", email_address=address, use_common_alert_schema=True
            )
            for n, address in enumerate(base.config.alerts)
        ],
        tags=base.tags,
    )
    told_of = [(rule, of.id) for rule in rules()] + [(rule, base.logs.id) for rule in service_rules()]
    for rule, scope in told_of:
        monitor.ScheduledQueryRule(
            rule["name"],
            resource_group_name=base.group.name,
            rule_name=rule["name"],
            location=base.location,
            kind="LogAlert",
            display_name=rule["title"],
            description=rule["description"],
            severity=rule["severity"],
            enabled=True,
            scopes=[scope],
            skip_query_validation=scope is base.logs.id,  # the table of a service is there from its first log on
            evaluation_frequency=rule["every"],
            window_size=rule["window"],
            auto_mitigate=True,
            criteria=monitor.ScheduledQueryRuleCriteriaArgs(
                all_of=[
                    monitor.ConditionArgs(
                        query=rule["query"],
                        time_aggregation="Maximum",
                        metric_measure_column=rule["measure"],
                        dimensions=[
                            monitor.DimensionArgs(name=name, operator="Include", values=["*"])
                            for name in rule["dimensions"]
                        ],
                        operator=rule["operator"],
                        threshold=float(rule["threshold"]),
                        failing_periods=monitor.ConditionFailingPeriodsArgs(
                            number_of_evaluation_periods=1, min_failing_periods_to_alert=1
                        ),
                    )
                ]
            ),
            actions=monitor.ActionsArgs(action_groups=[told.id]),
            tags=base.tags,
        )
    applicationinsights.Workbook(
        "workbook",
        resource_group_name=base.group.name,
        resource_name_=str(uuid5(NAMESPACE_URL, f"netflix-lakehouse/{base.config.stack}")),
        location=base.location,
        kind="shared",
        category="workbook",
        display_name="Netflix lakehouse",
        serialized_data=json.dumps(json.loads((MONITOR / "workbook.json").read_text())),
        source_id=of.id,
        version="Notebook/1.0",
        tags=base.tags,
    )
    return told


def rules() -> list[dict[str, Any]]:
    """The alert rules of the template, with its parameters at their defaults."""
    template = json.loads((MONITOR / "monitor.json").read_text())
    found: list[dict[str, Any]] = template["variables"]["rules"]
    for rule in found:
        if rule["threshold"].startswith("["):
            parameter = rule["threshold"].removeprefix("[parameters('").removesuffix("')]")
            rule["threshold"] = template["parameters"][parameter]["defaultValue"]
    return found


def service_rules() -> list[dict[str, Any]]:
    """The rules on the logs of services: Synapse, Power BI, Data Factory, Databricks."""
    found: list[dict[str, Any]] = json.loads((MONITOR / "services.json").read_text())
    return found


def budget(base: Base, told: monitor.ActionGroup) -> None:
    """Tell of what the stack costs: at half, at four fifths, at all of it, and when all of it is foreseen."""
    levels = [("half", "Actual", 50), ("most", "Actual", 80), ("all", "Actual", 100), ("foreseen", "Forecasted", 100)]
    consumption.Budget(
        "budget",
        scope=base.group.id,
        budget_name=base.names.of("budget"),
        amount=base.config.budget,
        category="Cost",
        time_grain="Monthly",
        time_period=consumption.BudgetTimePeriodArgs(start_date=f"{base.config.budget_from.isoformat()}T00:00:00Z"),
        notifications={
            name: consumption.NotificationArgs(
                enabled=True,
                operator="GreaterThanOrEqualTo",
                threshold=share,
                threshold_type=kind,
                contact_emails=list(base.config.alerts),
                contact_groups=[told.id],
            )
            for name, kind, share in levels
        },
    )
