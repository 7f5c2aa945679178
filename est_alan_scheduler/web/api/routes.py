"""The table of endpoints."""

from est_alan_scheduler.web.api import overview
from est_alan_scheduler.web.api.endpoint import Endpoint
from est_alan_scheduler.web.api.models import InstanceModel

ENDPOINTS = (Endpoint("GET", "/instances", overview.instances, "The instances that are alive.", list[InstanceModel]),)
"""All endpoints of the API, in the order of the OpenAPI document."""
