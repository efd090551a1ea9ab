"""The door: what every request passes before any service sees it.

`origins` tells programs from browsers and our own page from all others, `signatures` and `bodies` check who
signed what, `application` puts the two around the services. Nothing here knows which services there are or
who holds which key: that is handed in.
"""

from local_aws.front.application import Behind, Place, guard
from local_aws.front.refusal import Refused
from local_aws.front.request import Request
from local_aws.front.signatures import Key

__all__ = ["Behind", "Key", "Place", "Refused", "Request", "guard"]
