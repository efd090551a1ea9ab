"""`classifier upload`: check the folder, say what it changes of the data set, send what is missing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from cli.commands.options import confirm, confirm_cost, with_target, yes_option
from cli.console import console, counting, say
from cli.data import folder as folders
from cli.data import groups, layouts, near_duplicates, sync
from cli.data.decisions import Decisions
from cli.data.findings import BadDataset, Finding
from cli.data.folder import Dataset, Examined
from cli.data.screen import change_lines, counts_table, finding_lines
from cli.data.sync import Plan
from cli.data.upload import Found, check_name, look, missing, send, write
from cli.interrupt import Interrupted
from cli.stacks import outputs
from cli.target import Target
from contract import storage
from contract.datasets import deletion, store
from contract.datasets.manifest import Origin


@dataclass(frozen=True)
class Agreement:
    """What the user has agreed to beforehand."""

    yes: bool = False
    keep: bool = False
    """What the folder does not have any more stays in the data set."""
    replace: bool = False
    """The folder is right, whatever it takes away or moves."""


@click.command()
@with_target
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--dataset", help="Its name in the bucket (default: the folder's).")
@click.option(
    "--keep", is_flag=True, help="Pictures that FOLDER does not have any more stay in the data set."
)
@click.option("--replace", is_flag=True, help="FOLDER is right: what it does not have goes. Asks nothing.")
@click.option(
    "--group-by",
    metavar="folder|REGEX|FILE.csv|none",
    help="Pictures of one group never get into two splits: those of one folder inside a class, those whose "
    "path has the same match, or those of the same value in a table. Later uploads do the same, up to none.",
)
@click.option(
    "--decisions",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Apply what was decided about single pictures (classifier doctor writes such a file).",
)
@yes_option
def upload(
    target: Target,
    folder: Path,
    dataset: str | None,
    keep: bool,
    replace: bool,
    group_by: str | None,
    decisions: Path | None,
    yes: bool,
) -> None:
    """Check every picture of FOLDER and make it the data set's newest version.

    Says what it adds, takes away and moves; asks before it takes away or moves anything (--yes agrees). Makes
    the splits that the folder does not have. On AWS it says before what that costs, and asks.
    """
    if keep and replace:
        raise click.UsageError("--keep and --replace contradict each other.")
    bring_data(
        target,
        folder,
        dataset,
        agreement=Agreement(yes, keep, replace),
        agree=lambda cost: confirm_cost(target, cost, yes),
        group_by=group_by,
        decisions=decisions,
    )


def bring_data(
    target: Target,
    folder: Path,
    name: str | None,
    examined: Examined | None = None,
    agreement: Agreement = Agreement(),
    agree: Callable[[str], None] = lambda cost: None,
    group_by: str | None = None,
    decisions: Path | None = None,
) -> tuple[str, Dataset]:
    """Makes `folder` a data set's newest version; returns its name and what is in it.

    Args:
        examined: what `look_through` found, if that was done before.
        agreement: to which changes the user has agreed.
        agree: is told what the upload costs before anything is sent, and raises if that is too much; not
            asked where nothing is to be sent.
        group_by: see `cli.data.groups`.
        decisions: a file of decisions about single pictures, which are applied.

    Raises:
        BadDataset: it cannot become a data set; nothing was uploaded.
        NotConfirmed: the user does not want these changes; nothing was uploaded.
        Interrupted: Ctrl-C; what was sent stays, and the same command goes on from there.
    """
    layouts.must_be_folder(folder)
    name = check_name(name or folders.dataset_name(folder))
    bucket = outputs(target, "storage")["DataBucket"]
    s3 = target.client("s3")
    found = look(s3, bucket, name)
    remembered = found.version.group_by if found.version else ""
    rule = groups.settled(group_by, remembered)
    if group_by is None and rule:
        say(f"Grouped by {rule}, as before (--group-by none ends it).")
    if examined is None or rule:
        examined = _examined(target, folder, rule, decisions)
    _show_findings(examined.findings)
    listed = store.pictures(s3, bucket, found.version) if found.version else ()
    before = sync.before(found.version, listed, examined.paths)
    with counting("Looking for near duplicates"):
        # Groups of another rule are no reason any more to keep pictures together.
        same = rule == remembered
        examined = examined.grouped(before.pictures if same else (), compared=same and before.uploaded)
    dataset = folders.assign(examined, before.pictures, agreement.keep)
    plan = sync.plan(dataset.pictures, before)
    console().print(counts_table(dataset.counts, dataset.made_splits))
    if dataset.made_splits:
        say(f"* made here: {', '.join(dataset.made_splits)} (stratified, by content, 70/15/15).")
    _show_near_duplicates(dataset)
    plan = _settled(name, plan, agreement)
    _show_passed_over(target, bucket, name, found)
    if found.version and not plan.changes and same:
        say(f"{found.version.name} has these pictures already: nothing to do.")
        return name, dataset
    todo = missing(s3, bucket, name, plan)
    if todo.pictures:
        agree(todo.cost)
    try:
        with counting("Uploading", len(plan.pictures)) as count:
            send(target, bucket, name, todo, dataset.paths, before.sources, count.add)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Stopped. {count.done} of {len(plan.pictures)} pictures are in the bucket; the same command "
            f"goes on from there. Until then {name} is what it was."
        ) from None
    deletion.finish(s3, bucket, name)  # of what an earlier command was interrupted in
    version = write(
        s3,
        bucket,
        name,
        plan,
        found.lying,
        origin=Origin.DECISIONS if decisions else Origin.UPLOAD,
        source=folder.resolve().name,
        group_by=rule,
    )
    where = f"s3://{bucket}/{storage.pictures_of(name)}"
    sent = f"{len(todo.pictures)} pictures uploaded, {todo.present} were there already"
    say(f"{version.name}: {sent} ({where}).")
    return name, dataset


def look_through(target: Target, folder: Path) -> Examined:
    """Checks every picture of a folder, before anything is known of what was uploaded before.

    Raises:
        BadDataset: it cannot become a data set, whatever that is; what was found is shown.
    """
    examined = _examined(target, folder, "", None)
    try:
        folders.assign(examined)
    except BadDataset as error:
        _show_findings(error.findings)
        raise
    return examined


def _examined(target: Target, folder: Path, group_by: str, decisions: Path | None) -> Examined:
    # The comparison's own threads share the cores; BLAS's would spin beside them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with counting("Checking pictures") as count:
        try:
            group_of = groups.rule(group_by, folder)
            cache = target.home / "pictures.sqlite"
            return folders.examine(folder, count.to, cache, group_of, Decisions(decisions))
        except BadDataset as error:
            _show_findings(error.findings)
            raise


def _settled(name: str, plan: Plan, agreement: Agreement) -> Plan:
    """The plan that the user agrees to.

    Raises:
        NotConfirmed: they do not, or there is no terminal to ask on.
    """
    version = plan.before.version
    if version is None:
        return plan
    if plan.changes:
        say(f"Against {version.name} ({version.pictures} pictures):")
    for line, loud in change_lines(plan.changes):
        say(line, style="yellow" if loud else "")
    if len(plan.gone) == version.pictures > 0:
        say(
            f"No picture of {version.name} is in this folder: is it another data set? Then choose a name for "
            "it with --dataset.",
            style="yellow",
        )
    if plan.gone and agreement.keep:
        plan = plan.keeping()
    if plan.loud and not (agreement.yes or agreement.replace):
        _ask(name, plan)
    return plan


def _ask(name: str, plan: Plan) -> None:
    gone = f"The {len(plan.gone)} that this folder lacks go (--keep keeps them). " if plan.gone else ""
    instead = "add --yes to agree, --replace to let the folder be right, or --keep so that nothing goes"
    confirm(f"{gone}Make this the newest version of {name}?", False, instead)


def _show_findings(findings: tuple[Finding, ...]) -> None:
    for line in finding_lines(findings):
        say(line, style="yellow")


def _show_near_duplicates(dataset: Dataset) -> None:
    groups = Counter(picture.group for picture in dataset.pictures if picture.group)
    if groups:
        say(f"{groups.total()} pictures belong together in {len(groups)} groups, each in one split.")
    apart = near_duplicates.across_splits(dataset.pictures)
    if apart:
        one, other = ("/".join((each.split, each.label, each.name)) for each in apart[0])
        say(
            f"{len(apart)} of the groups are in several splits, as the folder or a decision says,"
            f" such as {one} and {other}: what is tested so was trained on.",
            style="yellow",
        )


def _show_passed_over(target: Target, bucket: str, name: str, found: Found) -> None:
    if found.passed_over and found.version:
        say(
            f"s3://{bucket}/{name}/ holds {found.passed_over} objects that something else put there after "
            f"{found.version.name}. They are not in the new version; "
            f"`{target.command(f'dataset {name} --adopt')}` makes them one.",
            style="yellow",
        )
