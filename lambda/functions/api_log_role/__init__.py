"""The role with which API Gateway logs: there when the API is made, never replaced, never taken away."""
