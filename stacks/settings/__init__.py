"""What a user may choose: the context key "classifier" of cdk.json, read into frozen dataclasses.

Every field is a setting, and its rule says what is allowed. A value that is not is found at `cdk synth` and
never on a deployed stack. Nothing here knows CDK: the stacks receive the values.
"""
