"""Event Grid: each file that arrives in landing becomes a message of the queue; what cannot be delivered is kept."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Output, Resource, ResourceOptions
from pulumi_azure_native import eventgrid

from infra.azure.base import Base
from infra.azure.storage import Lake

EVENTS = (
    "Microsoft.Storage.BlobCreated",
    "Microsoft.Storage.BlobRenamed",
    "Microsoft.Storage.BlobDeleted",
    "Microsoft.Storage.DirectoryRenamed",
    "Microsoft.Storage.DirectoryDeleted",
)


def topic(base: Base, lake: Lake) -> eventgrid.SystemTopic:
    """The source of the events. It has an identity of its own: no key of the account is needed to deliver."""
    made = eventgrid.SystemTopic(
        "events",
        resource_group_name=base.group.name,
        system_topic_name=base.names.of("egst", "landing"),
        location=base.location,
        source=lake.account.id,
        topic_type="Microsoft.Storage.StorageAccounts",
        identity=eventgrid.IdentityInfoArgs(type="SystemAssigned"),
        tags=base.tags,
    )
    base.diagnose("events", made.id)
    return made


def subscription(
    base: Base, lake: Lake, of: eventgrid.SystemTopic, rights: Sequence[Resource]
) -> eventgrid.SystemTopicEventSubscription:
    """Deliver what happens in landing, for seven days; ``rights`` are those of the topic and must be there before."""
    itself = eventgrid.EventSubscriptionIdentityArgs(type="SystemAssigned")
    return eventgrid.SystemTopicEventSubscription(
        "landing-events",
        resource_group_name=base.group.name,
        system_topic_name=of.name,
        event_subscription_name="landing-events",
        event_delivery_schema="EventGridSchema",
        delivery_with_resource_identity=eventgrid.DeliveryWithResourceIdentityArgs(
            identity=itself,
            destination=eventgrid.StorageQueueEventSubscriptionDestinationArgs(
                endpoint_type="StorageQueue",
                resource_id=lake.account.id,
                queue_name=lake.queues["landing-events"].name,
                queue_message_time_to_live_in_seconds=7 * 24 * 3600,
            ),
        ),
        dead_letter_with_resource_identity=eventgrid.DeadLetterWithResourceIdentityArgs(
            identity=itself,
            dead_letter_destination=eventgrid.StorageBlobDeadLetterDestinationArgs(
                endpoint_type="StorageBlob",
                resource_id=lake.account.id,
                blob_container_name=lake.containers["events-dead"].name,
            ),
        ),
        filter=eventgrid.EventSubscriptionFilterArgs(
            included_event_types=list(EVENTS),
            subject_begins_with=Output.concat(
                "/blobServices/default/containers/", lake.containers["landing"].name, "/"
            ),
        ),
        retry_policy=eventgrid.RetryPolicyArgs(max_delivery_attempts=30, event_time_to_live_in_minutes=1440),
        opts=ResourceOptions(depends_on=list(rights)),
    )
