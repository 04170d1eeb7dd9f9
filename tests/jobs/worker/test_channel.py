"""Channels: messages arrive whole and in order, with their files, and sending never blocks."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator

import pytest

from jobs.worker.channel import HEADER, LARGEST_BYTES, BadMessage, Channel, Message, channel_pair
from tests.support.waiting import until


class Ends:
    """Both ends of a channel that never waits."""

    def __init__(self) -> None:
        self.plain, theirs = channel_pair()
        for end in (self.plain, theirs):
            end.setblocking(False)
        self.sends, self.hears = Channel(self.plain), Channel(theirs)

    def receive(self, count: int) -> list[Message]:
        messages: list[Message] = []

        def all_are_there() -> bool:
            self.sends.flush()
            messages.extend(self.hears.receive())
            return len(messages) >= count

        until(all_are_there, "the messages")
        return messages


@pytest.fixture
def ends() -> Iterator[Ends]:
    both = Ends()
    yield both
    both.sends.close()
    both.hears.close()


def file_of(content: bytes) -> int:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return os.dup(file.fileno())


def read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def test_a_message_that_nobody_takes_holds_up_nobody_and_arrives_whole(ends: Ends) -> None:
    large = {"text": "é" * 500_000}
    ends.sends.send(large)
    ends.sends.send({"text": "the next"})
    assert not ends.sends.is_flushed
    assert [message.body for message in ends.receive(2)] == [large, {"text": "the next"}]
    assert ends.sends.is_flushed


def test_nothing_is_there_before_something_comes(ends: Ends) -> None:
    assert ends.hears.receive() == []
    ends.sends.send(None)
    assert ends.receive(1) == [Message(None, [])]


def test_files_arrive_with_their_own_message(ends: Ends) -> None:
    first, second, third = (file_of(content) for content in (b"first", b"second", b"third"))
    ends.sends.send("x" * 2_000_000, [first])
    ends.sends.send("none")
    ends.sends.send("two", [second, third])
    large, none, two = ends.receive(3)
    assert [len(message.files) for message in (large, none, two)] == [1, 0, 2]
    assert not any(map(os.get_inheritable, (*large.files, *two.files))), "programs that are started have none of them"
    assert [read(file) for file in (*large.files, *two.files)] == [b"first", b"second", b"third"]


def test_a_file_is_there_before_its_message_is_whole_and_stays_with_it(ends: Ends) -> None:
    file = file_of(b"soup")
    encoded = json.dumps("a message").encode()
    packed = HEADER.pack(len(encoded), 1) + encoded
    socket.send_fds(ends.plain, [packed[:7]], [file])
    assert ends.hears.receive() == []
    ends.plain.send(packed[7:])
    (message,) = ends.receive(1)
    assert (message.body, read(message.files[0])) == ("a message", b"soup")
    os.close(file)


def test_the_end_is_told_after_all_that_came_before_it(ends: Ends) -> None:
    ends.sends.send("last")
    ends.sends.close()
    assert [message.body for message in ends.hears.receive()] == ["last"]
    with pytest.raises(EOFError):
        ends.hears.receive()


def test_sending_to_a_closed_channel_raises_an_error(ends: Ends) -> None:
    ends.hears.close()
    with pytest.raises(OSError, match="pipe"):
        ends.sends.send("x")


@pytest.mark.parametrize(
    "garbage",
    [
        HEADER.pack(LARGEST_BYTES + 1, 0),
        b"\xff" * 100,
        HEADER.pack(3, 0) + b"{]!",
        HEADER.pack(2, 1) + b"{}",
        HEADER.pack(2, 0) + b"\xff\xfe",
    ],
)
def test_malformed_messages_are_refused(ends: Ends, garbage: bytes) -> None:
    ends.plain.send(garbage)
    with pytest.raises(BadMessage):
        ends.hears.receive()


def test_whoever_waits_for_one_message_gets_those_after_it_later() -> None:
    ours, theirs = channel_pair()
    sends, hears = Channel(ours), Channel(theirs)
    for number in range(3):
        sends.send(number)
    assert [hears.receive_one().body for _ in range(3)] == [0, 1, 2]
    sends.close()
    with pytest.raises(EOFError):
        hears.receive_one()
    hears.close()


def test_what_was_not_fetched_is_closed_with_the_channel() -> None:
    before = len(os.listdir("/proc/self/fd"))
    both = Ends()
    both.sends.send("one", [file_of(b"soup")])
    both.sends.send("x" * 5_000_000, [file_of(b"soup")])
    both.sends.send("two", [file_of(b"soup")])
    for message in both.hears.receive():
        os.close(*message.files)
    both.sends.close()
    both.hears.close()
    assert len(os.listdir("/proc/self/fd")) == before
