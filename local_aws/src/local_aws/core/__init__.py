"""What every service of the local AWS stands on: errors, the request/response layer, the store, the
context.
"""
