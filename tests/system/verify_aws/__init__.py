"""`make verify-aws`: the system tests in the AWS account of the present credentials.

`plan` says what is done and what it costs, `verification` does it in order and cleans up, `account` is all
that is asked of the account itself, `processes` runs the commands, `journal` remembers a run beyond its
process, `calls` reads what was written down of the calls to AWS, and `report` makes the page of it.
"""
