"""The debugger: what is saved while a network trains, and the rules that judge it.

`capture` is the callback that saves tensors, reduced by `reductions`; `rule_runner` puts them to the `rules`.
`settings` imports no smdebug, so a job that does not debug pays nothing.
"""
