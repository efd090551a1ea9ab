"""Other words for the commands: those that are taken, and those that are answered with a suggestion."""

from __future__ import annotations

ALIASES = {"predict": "classify", "deploy": "up"}
MEANT = {
    **dict.fromkeys(("list", "ls", "history", "jobs"), "runs"),
    **dict.fromkeys(("delete", "remove", "rm", "teardown", "undeploy"), "destroy"),
    **dict.fromkeys(("infer", "ask", "prediction"), "classify"),
    **dict.fromkeys(("search", "hpo", "optimize"), "tune"),
    **dict.fromkeys(("fit", "run"), "train"),
    **dict.fromkeys(("kill", "cancel", "abort"), "stop"),
    **dict.fromkeys(("start", "install", "init"), "up"),
    **dict.fromkeys(("log", "tail"), "logs"),
    **dict.fromkeys(("info", "url", "key", "config"), "outputs"),
    **dict.fromkeys(("price", "bill", "billing"), "cost"),
    **dict.fromkeys(("show", "describe", "state"), "status"),
    **dict.fromkeys(("promote", "accept"), "approve"),
}
"""What people try, and the command that does it; of other words the nearest command is suggested."""
