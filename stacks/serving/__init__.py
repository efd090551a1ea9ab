"""The Serving stack: the endpoint, its scaling, its alarms, and the role it is deployed under."""
