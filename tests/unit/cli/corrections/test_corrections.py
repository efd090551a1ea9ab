"""Given pictures are reviewed in order, counted, and become a version, each sender in one split."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.corrections import tally
from cli.corrections.desk import Answer, BadAnswer
from cli.corrections.kept import NoSuchPicture, NothingIsKept
from cli.corrections.version import CannotBecomeAVersion
from cli.errors import Ambiguous
from contract import given
from contract.datasets import store
from contract.datasets.manifest import Origin
from tests.unit.cli.conftest import png
from tests.unit.cli.corrections.conftest import BUCKET, CLASSES, DATASET, Deployed
from tests.unit.memory_s3 import Killed


def content(body: bytes) -> str:
    from hashlib import sha256

    return sha256(body).hexdigest()


def test_what_is_corrected_comes_first_then_the_least_certain_and_the_decided_last(
    deployed: Deployed,
) -> None:
    deployed.give("sure", confidence=0.9)
    deployed.give("promised", confidence=0.3, certain=True)
    deployed.give("unsure", confidence=0.4)
    deployed.give("confirmed", confidence=0.5, said="ant")
    deployed.give("corrected", confidence=0.95, said="bee")
    deployed.give("nothing-of-it", confidence=0.85, said=None)
    deployed.give("done", confidence=0.1)
    deployed.desk().say("done", Answer.REJECT)
    order = [entry.id for entry in deployed.desk().room.look().entries]
    assert order == ["nothing-of-it", "corrected", "unsure", "confirmed", "sure", "promised", "done"]


def test_agreement_and_disagreement_are_counted(deployed: Deployed) -> None:
    deployed.give("a", said="ant")
    deployed.give("b", said="bee")
    deployed.give("c", said=None)
    deployed.give("d")
    deployed.give("e", said="bee")
    desk = deployed.desk()
    for request_id, answer, label in (
        ("a", Answer.MODEL, None),
        ("b", Answer.SENDER, None),
        ("c", Answer.LABEL, "cat"),
        ("e", Answer.REJECT, None),
    ):
        desk.say(request_id, answer, label)
    assert tally.count(desk.room.look().entries) == tally.Tally(
        given=5,
        confirmed=1,
        corrected=2,
        none_of_these=1,
        reviewed=4,
        with_model=1,
        against_model=2,
        with_sender=2,
        against_sender=1,
        rejected=1,
    )


@pytest.mark.parametrize(
    ("said", "answer", "label", "decided"),
    [
        ("bee", Answer.SENDER, None, (given.Decided.ACCEPTED, "bee")),
        (None, Answer.SENDER, None, (given.Decided.NONE, None)),
        ("bee", Answer.MODEL, None, (given.Decided.ACCEPTED, "ant")),
        ("bee", Answer.LABEL, "cat", (given.Decided.ACCEPTED, "cat")),
        ("bee", Answer.NONE, None, (given.Decided.NONE, None)),
        ("bee", Answer.REJECT, None, (given.Decided.REJECTED, None)),
    ],
)
def test_a_decision_is_kept_and_can_be_changed_and_taken_back(
    deployed: Deployed,
    said: str | None,
    answer: Answer,
    label: str | None,
    decided: tuple[given.Decided, str | None],
) -> None:
    deployed.give("a", said=said)
    desk = deployed.desk()
    desk.say("a", Answer.REJECT)
    desk.say("a", answer, label)
    review = desk.room.entry("a").review
    assert review is not None
    assert (review.decided, review.label) == decided
    desk.say("a", Answer.UNDO)
    assert desk.room.entry("a").review is None


def test_what_cannot_be_said_is_refused_and_changes_nothing(deployed: Deployed) -> None:
    deployed.give("a")
    desk = deployed.desk()
    with pytest.raises(BadAnswer, match="said nothing"):
        desk.say("a", Answer.SENDER)
    with pytest.raises(BadAnswer):
        desk.say("a", Answer.LABEL)
    with pytest.raises(CannotBecomeAVersion, match='Did you mean "ant"'):
        desk.say("a", Answer.LABEL, "antt")
    for request_id in ("b", "../x", "a/b", ""):
        with pytest.raises(NoSuchPicture):
            desk.say(request_id, Answer.MODEL)
    assert deployed.s3.keys(f"{given.REVIEWS}/") == []


def test_what_is_accepted_becomes_a_version_that_says_where_it_is_from(deployed: Deployed) -> None:
    before = deployed.pictures()
    bee = deployed.give("a-1", said="bee", sender="ann")
    ant = deployed.give("a-2", sender="bob")
    for request_id in ("none", "rejected", "open"):
        deployed.give(request_id, said=None)
    desk = deployed.desk()
    desk.say("a-1", Answer.SENDER)
    desk.say("a-2", Answer.MODEL)
    desk.say("none", Answer.NONE)
    desk.say("rejected", Answer.REJECT)
    assert desk.apply().done.startswith("pets@2: 2 added.")
    version, now = deployed.newest(), deployed.pictures()
    assert (version.number, version.parent, version.origin) == (2, 1, Origin.CORRECTIONS)
    assert {each: now[each] for each in before} == before
    assert set(now) - set(before) == {content(bee), content(ant)}
    came = now[content(bee)]
    assert (came.label, came.name, came.group) == ("bee", "given-a-1.png", "sender-ann")
    assert deployed.s3.objects[version.root + came.key] == bee
    review = desk.room.entry("a-1").review
    assert review is not None
    assert review.version == "pets@2"
    assert desk.apply().done == "Nothing is accepted that is not in a version already."
    assert deployed.newest().number == 2
    with pytest.raises(BadAnswer, match="pets@2 already"):
        desk.say("a-1", Answer.REJECT)


def test_pictures_of_one_sender_are_in_one_split_from_version_to_version(deployed: Deployed) -> None:
    number = 0
    desk = deployed.desk()
    for turn in range(4):
        # Some senders come again, some are new.
        for sender in (f"sender {4 * turn + each}" for each in range(6)):
            for label in CLASSES:
                number += 1
                deployed.give(f"r-{number}", label, sender=sender, body=png(20_000 + number, 16))
                desk.say(f"r-{number}", Answer.MODEL)
        desk.apply()
    assert deployed.newest().number == 5
    splits: dict[str, set[str]] = {}
    for picture in deployed.pictures().values():
        if picture.group:
            splits.setdefault(picture.group, set()).add(picture.split)
    assert len(splits) == 18
    assert all(len(each) == 1 for each in splits.values()), splits
    assert set.union(*splits.values()) > {"train"}, "some are tested with"


def test_a_later_upload_that_keeps_the_pictures_keeps_their_senders_and_splits(deployed: Deployed) -> None:
    from click.testing import CliRunner

    from cli.commands.upload import upload

    body = deployed.give("a", said="bee")
    desk = deployed.desk()
    desk.say("a", Answer.SENDER)
    desk.apply()
    before = deployed.pictures()[content(body)]
    (deployed.folder / "train" / "ant" / "more.png").write_bytes(png(77_777))
    line = [str(deployed.folder), "--dataset", DATASET, "--keep", "--yes"]
    done = CliRunner().invoke(upload, line, standalone_mode=False)
    assert done.exception is None
    assert deployed.newest().number == 3
    assert deployed.pictures()[content(body)] == before


def test_a_picture_that_the_data_set_has_changes_its_class_and_stays_in_its_split(
    deployed: Deployed,
) -> None:
    there = next(each for each in deployed.pictures().values() if each.label == "ant")
    body = deployed.s3.objects[deployed.newest().root + there.key]
    deployed.give("a", said="bee", body=body)
    desk = deployed.desk()
    desk.say("a", Answer.SENDER)
    assert "1 relabelled" in desk.apply().done
    now = deployed.pictures()[there.content]
    assert (now.label, now.split) == ("bee", there.split)


def test_a_picture_that_the_data_set_has_under_the_same_class_makes_no_version(deployed: Deployed) -> None:
    there = next(each for each in deployed.pictures().values() if each.label == "ant")
    deployed.give("a", body=deployed.s3.objects[deployed.newest().root + there.key])
    desk = deployed.desk()
    desk.say("a", Answer.MODEL)
    assert desk.apply().done == "pets@1 has the 1 accepted pictures already."
    assert deployed.newest().number == 1


def test_one_picture_accepted_as_two_classes_is_refused(deployed: Deployed) -> None:
    body = png(55_555, 16)
    deployed.give("a", "ant", body=body)
    deployed.give("b", "bee", body=body)
    desk = deployed.desk()
    for request_id in "ab":
        desk.say(request_id, Answer.MODEL)
    with pytest.raises(CannotBecomeAVersion, match="the same picture"):
        desk.apply()
    assert deployed.newest().number == 1


def test_a_broken_picture_is_named_and_nothing_is_changed(deployed: Deployed) -> None:
    deployed.give("a", body=b"\xff\xd8 no picture")
    desk = deployed.desk()
    desk.say("a", Answer.MODEL)
    with pytest.raises(CannotBecomeAVersion, match="--reject a"):
        desk.apply()
    assert deployed.newest().number == 1


def test_pictures_that_came_past_upload_stay_where_they_are_in_the_new_version(deployed: Deployed) -> None:
    bodies = {}
    for split in ("train", "valid", "test"):
        for label in CLASSES:
            for number in range(2):
                body = bodies[f"{split}/{label}/{number}.png"] = png(90_000 + len(bodies))
                deployed.s3.objects[f"synced/{split}/{label}/{number}.png"] = body
    came = deployed.give("a", said="bee")
    desk = deployed.desk("synced")
    desk.say("a", Answer.SENDER)
    assert desk.apply().done.startswith("synced@2: 1 added.")
    version = store.newest(deployed.s3, BUCKET, "synced")
    assert version is not None
    found = {
        f"{each.split}/{each.label}/{each.name}": deployed.s3.objects[version.root + each.key]
        for each in store.pictures(deployed.s3, BUCKET, version)
    }
    assert {place: body for place, body in found.items() if "given-" not in place} == bodies
    assert [body for place, body in found.items() if "given-" in place] == [came]


def test_a_cost_that_nobody_agrees_to_changes_nothing(deployed: Deployed) -> None:
    deployed.give("a", said="bee")
    told = deployed.run("--accept", "a", "--apply", answer="n\n")
    assert told.exception is not None
    assert "1 pictures" in told.output
    assert deployed.newest().number == 1


def test_killed_anywhere_the_same_command_ends_with_one_version(deployed: Deployed) -> None:
    for number in range(3):
        deployed.give(f"r-{number}", said="bee")
        deployed.desk().say(f"r-{number}", Answer.SENDER)
    kills = 0
    while True:
        deployed.s3.kill_before_write = kills
        try:
            deployed.desk().apply()
        except Killed:
            deployed.newest()  # whatever is newest is whole
            kills += 1
            continue
        break
    assert kills > 5
    deployed.s3.kill_before_write = None
    assert deployed.desk().apply().done.startswith("Nothing is accepted")
    assert store.numbers(deployed.s3, BUCKET, DATASET) == [1, 2]
    assert deployed.newest().pictures == 30 + 3


def test_deleting_takes_all_of_a_request_away_and_its_picture_out_of_the_newest_version(
    deployed: Deployed,
) -> None:
    body = deployed.give("a", said="bee")
    deployed.give("a2", said="bee")  # whose name begins alike
    desk = deployed.desk()
    for request_id in ("a", "a2"):
        desk.say(request_id, Answer.SENDER)
    desk.apply()
    done = desk.delete("a")
    assert [key for key in deployed.kept() if not given.picture_of("a2").endswith(Path(key).stem)] == []
    assert len(done) == 3
    assert "pets@2" in done[2]
    now = deployed.newest()
    assert (now.number, now.origin) == (3, Origin.CORRECTIONS)
    assert content(body) not in deployed.pictures()
    assert now.pictures == 31
    # A second time there is the older version to tell of, and nothing to do.
    assert len(desk.delete("a")) == 1
    assert deployed.newest().number == 3


def test_a_picture_whose_time_is_over_in_the_bucket_can_be_deleted_from_the_data_set(
    deployed: Deployed,
) -> None:
    deployed.give("a", said="bee")
    desk = deployed.desk()
    desk.say("a", Answer.SENDER)
    desk.apply()
    desk.room.delete("a")
    assert deployed.kept() == []
    assert any("pets@3" in line for line in desk.delete("a"))


def test_what_is_older_than_the_setting_says_is_gone_when_one_looks(deployed: Deployed) -> None:
    now = datetime.now(UTC)
    deployed.give("old", said="bee", at=(now - timedelta(days=31)).isoformat())
    deployed.give("new", at=(now - timedelta(days=29)).isoformat())
    kept = deployed.desk().room.look()
    assert ([each.id for each in kept.entries], kept.forgotten) == (["new"], 1)
    assert {Path(key).stem for key in deployed.kept()} == {"new"}


def test_a_record_that_is_none_is_named_and_the_others_are_shown(deployed: Deployed) -> None:
    deployed.give("a")
    deployed.give("b")
    deployed.s3.objects[given.answer_of("b")] = b"{"
    kept = deployed.desk().room.look()
    assert ([each.id for each in kept.entries], kept.damaged) == (["a"], ("b",))
    deployed.desk().room.delete("b")
    assert deployed.desk().room.look().damaged == ()


def test_without_the_setting_the_command_says_how_to_have_it(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.corrections.kept.outputs", lambda *_: {})
    with pytest.raises(NothingIsKept, match='"corrections"'):
        deployed.desk()


def test_the_terminal_is_enough(deployed: Deployed, tmp_path: Path) -> None:
    deployed.give("a", said="bee")
    deployed.give("b", confidence=0.3)
    listed = deployed.run("--list")
    assert listed.exception is None
    assert listed.output.index("a ") < listed.output.index("b ")
    assert "2 given. Their senders: 0 right, 1 corrected" in listed.output
    saved = deployed.run("--save", str(tmp_path / "look"))
    assert saved.exception is None
    assert sorted(each.name for each in (tmp_path / "look").iterdir()) == ["a.png", "b.png"]
    done = deployed.run("--accept", "a", "--model", "b", "--apply", answer="y\n")
    assert done.exception is None, done
    assert "pets@2: 2 added" in done.output
    again = json.loads(deployed.run("--apply", "--json").stdout)["data"]
    assert again["version"] is None, "nothing was left to add"
    told = json.loads(deployed.run("--json").output)["data"]
    assert "version" not in told
    assert told["counts"]["reviewed"] == 2
    assert {each["decided"]["version"] for each in told["pictures"]} == {"pets@2"}
    assert deployed.run("--delete", "a", answer="n\n").exception is not None
    assert deployed.run("--delete", "a", "--yes").exception is None
    assert deployed.run("--delete", "nobody", "--yes").exception is not None


def test_the_new_version_is_in_the_json_of_who_applied(deployed: Deployed) -> None:
    deployed.give("a", said="bee")
    told = json.loads(deployed.run("--accept", "a", "--apply", "--yes", "--json").stdout)["data"]
    assert told["version"] == "pets@2"
    assert told["pictures"][0]["decided"]["version"] == "pets@2"


def test_a_part_of_an_id_does_if_no_other_has_it(deployed: Deployed) -> None:
    for each in ("8f1c-aa", "8f1c-bb"):
        deployed.give(each, said="bee")
    assert "8f1c-bb: accepted bee" in deployed.run("--accept", "bb").output
    assert isinstance(deployed.run("--accept", "8f1c").exception, Ambiguous)
    refused = deployed.run("--accept", "8f1c-ab").exception
    assert isinstance(refused, NoSuchPicture)
    assert 'Did you mean "8f1c-' in refused.message
    assert deployed.run("--delete", "aa", "--yes").exception is None
    assert [each.id for each in deployed.desk().room.look().entries] == ["8f1c-bb"]


@pytest.mark.parametrize("line", [["--as", "bee"], ["--accept", "a", "--reject", "a"]])
def test_options_that_contradict_are_refused(deployed: Deployed, line: list[str]) -> None:
    deployed.give("a", said="bee")
    assert deployed.run(*line).exception is not None
    assert deployed.s3.keys(f"{given.REVIEWS}/") == []
