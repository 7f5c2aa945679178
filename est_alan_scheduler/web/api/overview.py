"""Endpoints about the registry as a whole."""

from est_alan_scheduler.web.api.endpoint import Call
from est_alan_scheduler.web.api.models import InstanceModel


def instances(call: Call) -> list[InstanceModel]:
    """Return the instances on the backend whose lease is alive."""
    return [
        InstanceModel(owner=one.owner, since=one.since, lease_until=one.lease_until)
        for one in call.registry.instances()
    ]
