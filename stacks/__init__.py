"""The five CloudFormation stacks of the classifier, composed by app.py out of one Settings value."""
