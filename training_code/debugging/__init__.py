"""The debugger: what is captured while a network trains, the rules that judge it, and what follows from them.

`catalogue` lists the rules and their parameters, `settings` reads what a job was told; neither imports
smdebug, so a job that does not debug pays nothing. `capture` is the callback that writes the tensors through
smdebug's hook (`hook`), reduced by `reductions`; `rules` are smdebug rules that read them again, `watcher`
evaluates them in a process of its own, and `session` starts it all and acts on what was found.
"""
