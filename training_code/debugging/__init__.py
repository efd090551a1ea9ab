"""The debugger: what is saved while a network trains, and the rules that judge it.

`contract.debug_rules` lists the rules and their parameters, `settings` reads what a job asked for; neither
imports smdebug, so a job that does not debug pays nothing. `capture` is the callback that saves tensors,
reduced by `reductions`. `rule_runner` puts them to the `rules`. All that depends on smdebug's insides is in
`smdebug_adapter`.
"""
