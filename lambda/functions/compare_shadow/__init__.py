"""See how a candidate answers a copy of the traffic beside the champion."""
