"""Service Quotas: what an account may have at a time, told by the API and kept to by the services.

`names` spells the quotas as AWS does, `profiles` says which values an account of which kind has, `book` looks
one up. A services room asks `book.value` before it starts something.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError
from local_aws.core.paging import page
from local_aws.quotas import book, profiles
from local_aws.quotas.profiles import Quota

# ListServiceQuotas' own maximum, which it takes when the request says nothing.
_PAGE = 100


def service(aws: LocalAws) -> JsonService:
    """Service Quotas' API over the state of `aws`."""
    svc = JsonService("service-quotas")

    @svc.operation("ListServiceQuotas")
    def list_service_quotas(request: Request) -> Response:
        listed = _of_service(request)
        return _page((_applied(aws, each) for each in listed), request)

    @svc.operation("ListAWSDefaultServiceQuotas")
    def list_aws_default_service_quotas(request: Request) -> Response:
        return _page((_shape(aws, each, each.default) for each in _of_service(request)), request)

    @svc.operation("GetServiceQuota")
    def get_service_quota(request: Request) -> Response:
        found = _applied(aws, _named(request))
        if found is None:
            raise _no_such("The request failed because the specified quota has no applied value.")
        return {"Quota": found}

    @svc.operation("GetAWSDefaultServiceQuota")
    def get_aws_default_service_quota(request: Request) -> Response:
        quota = _named(request)
        return {"Quota": _shape(aws, quota, quota.default)}

    @svc.operation("RequestServiceQuotaIncrease")
    def request_service_quota_increase(request: Request) -> Response:
        quota, wanted = _named(request), request["DesiredValue"]
        if wanted <= book.value(aws.store, quota.service, quota.name):
            raise AwsError(
                "IllegalArgumentException",
                "You must provide a quota value greater than the current quota value.",
            )
        book.grant(aws.store, quota, wanted)
        return {"RequestedQuota": _granted(aws, quota, wanted)}

    return svc


def _of_service(request: Request) -> tuple[Quota, ...]:
    found = tuple(each for each in profiles.known() if each.listed and each.service == request["ServiceCode"])
    if not found:
        raise _no_such(f"The request failed because the service {request['ServiceCode']} does not exist.")
    return found


def _named(request: Request) -> Quota:
    for each in _of_service(request):
        if each.code == request["QuotaCode"]:
            return each
    raise _no_such(f"The request failed because the quota {request['QuotaCode']} does not exist.")


def _no_such(message: str) -> AwsError:
    return AwsError("NoSuchResourceException", message)


def _applied(aws: LocalAws, quota: Quota) -> Response | None:
    """The quota as applied to the account, or None for one that only has its default."""
    value = book.applied(aws.store, quota)
    return None if value is None else _shape(aws, quota, value)


def _shape(aws: LocalAws, quota: Quota, value: float) -> Response:
    return {
        "ServiceCode": quota.service,
        "ServiceName": quota.service_name,
        "QuotaArn": aws.arn(f"{quota.service}/{quota.code}", "servicequotas"),
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }


def _granted(aws: LocalAws, quota: Quota, wanted: float) -> Response:
    """A request for more: on AWS somebody decides, here it is granted at once."""
    return {
        **_shape(aws, quota, wanted),
        "Id": uuid.uuid4().hex,
        "DesiredValue": wanted,
        "Status": "APPROVED",
        "Created": aws.now(),
        "LastUpdated": aws.now(),
    }


def _page(quotas: Iterable[Response | None], request: Request) -> Response:
    found = [each for each in quotas if each is not None]
    refusal = AwsError("InvalidPaginationTokenException", "Invalid pagination token was provided.")
    return page("Quotas", found, request, _PAGE, refusal)
