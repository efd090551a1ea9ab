"""The whole application: five stacks in the order in which they need each other."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, Tags

from stacks.api.stack import ApiStack
from stacks.context import Context
from stacks.folders import Folders
from stacks.monitoring.stack import MonitoringStack
from stacks.serving.stack import ServingStack
from stacks.settings.schema import Settings
from stacks.storage import StorageStack
from stacks.training.stack import TrainingStack


def add_stacks(app: App, settings: Settings, root: Path) -> None:
    """Put the five stacks into `app`.

    Raises:
        MissingFolderError: a folder that they package is not in the repository, `root`.
    """
    folders = Folders(root)
    folders.check()
    context = Context(settings, folders)
    storage = StorageStack(app, context)
    training = TrainingStack(app, context, storage.data, storage.artifacts)
    serving = ServingStack(app, context, storage.artifacts)
    api = ApiStack(app, context, storage.artifacts)
    monitoring = MonitoringStack(app, context)

    # The first of these follows from what is imported; the others are known by name only, so they are said.
    training.add_stack_dependency(storage)
    serving.add_stack_dependency(training)
    api.add_stack_dependency(training)
    for stack in (serving, api):
        monitoring.add_stack_dependency(stack)
    for key, value in {**settings.tags, "project": settings.project}.items():
        Tags.of(app).add(key, value)
