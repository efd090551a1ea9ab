"""The five CloudFormation stacks of the classifier, composed by app.py out of one Settings value."""

import sys
from pathlib import Path

# What the stacks share with the functions they deploy (prices, instance types) lies in the functions' folder.
sys.path.append(str(Path(__file__).resolve().parents[1] / "lambda"))
