"""The numbers of a stream: what a client concludes from them, without sockets."""

from __future__ import annotations

from collections import Counter

import pytest

from atrader.bus.stream_messages import Gap, Message, latest_by_topic, topic_bytes
from atrader.bus.stream_tracker import StreamTracker
from atrader.errors import WireError

ONE, TWO, THREE = 101, 102, 103


class Listener:
    """A tracker and what it reported."""

    def __init__(self, *topics: str) -> None:
        self.counters: Counter[str] = Counter()
        self.tracker = StreamTracker(self.counters)
        for topic in topics:
            self.tracker.add(topic_bytes(topic))

    def hears(self, seq: int, topic: str = "bar|A", epoch: int = ONE) -> list[int | Gap]:
        items: list[Message | Gap] = []
        self.tracker.on_message(Message(topic, "bar", seq, (), epoch), items)
        return [item.seq if isinstance(item, Message) else item for item in items]

    def beat(self, epoch: int = ONE, **last: int) -> list[Message | Gap]:
        items: list[Message | Gap] = []
        self.tracker.on_heartbeat(epoch, {f"bar|{name}": seq for name, seq in last.items()}, items)
        return items


def test_a_topic_is_followed_from_its_first_message():
    listener = Listener("bar")
    assert [listener.hears(n) for n in (57, 58, 59)] == [[57], [58], [59]]


def test_a_missing_number_is_reported_before_the_message_that_shows_it():
    listener = Listener("bar")
    listener.hears(1)
    assert listener.hears(4) == [Gap("bar|A", 2, 4, False), 4]
    assert listener.counters["missed"] == 2


def test_a_lost_tail_is_reported_by_the_heartbeat_once():
    listener = Listener("bar")
    listener.hears(1)
    assert listener.beat(A=1) == []
    assert listener.beat(A=3) == [Gap("bar|A", 2, 4, False)]
    assert listener.beat(A=3) == []
    assert listener.hears(4) == [4]


def test_a_topic_nobody_sent_yet_is_followed_from_the_first_heartbeat():
    listener = Listener("bar|A")
    assert listener.beat(A=7) == []
    assert listener.beat(A=8) == [Gap("bar|A", 8, 9, False)]


def test_the_very_first_message_of_a_topic_can_be_missed_and_is_reported():
    listener = Listener("bar|A")
    listener.beat()
    assert listener.hears(2) == [Gap("bar|A", 1, 2, False), 2]
    other = Listener("bar|A")
    other.beat()
    assert other.beat(A=1) == [Gap("bar|A", 1, 2, False)]


def test_heartbeats_of_topics_that_are_not_subscribed_say_nothing():
    listener = Listener("bar|A")
    listener.beat(B=1)
    assert listener.beat(B=9) == []


def test_after_resume_older_messages_are_dropped_and_the_next_is_expected():
    listener = Listener("bar")
    listener.tracker.resume("bar|A", ONE, 10)
    assert listener.hears(9) == []
    assert listener.hears(10) == []
    assert listener.hears(11) == [11]
    assert listener.counters["duplicates"] == 2


def test_after_resume_a_number_lost_before_the_first_message_is_reported():
    listener = Listener("bar")
    listener.tracker.resume("bar|A", ONE, 10)
    assert listener.hears(12) == [Gap("bar|A", 11, 12, False), 12]


def test_a_new_publisher_is_reported_with_its_first_message_and_then_followed():
    listener = Listener("bar")
    listener.hears(9)
    assert listener.hears(1, epoch=TWO) == [Gap("bar|A", 10, 1, True), 1]
    assert listener.hears(2, epoch=TWO) == [2]


def test_a_new_publisher_is_reported_for_each_topic_by_its_heartbeat():
    listener = Listener("bar")
    listener.hears(9)
    listener.hears(5, "bar|B")
    assert sorted(listener.beat(TWO, A=2)) == [Gap("bar|A", 10, 3, True), Gap("bar|B", 6, 1, True)]
    assert listener.beat(TWO, A=2) == []
    assert listener.hears(1, "bar|B", TWO) == [1]
    assert listener.counters["epochs"] == 1


def test_late_messages_of_a_dead_publisher_are_dropped():
    listener = Listener("bar")
    listener.hears(9)
    listener.hears(1, epoch=TWO)
    assert listener.hears(10) == []
    assert listener.beat(ONE, A=11) == []
    assert listener.counters["retired"] == 2


def test_a_snapshot_of_the_new_publisher_that_comes_first_retires_the_old_one():
    listener = Listener("bar")
    listener.hears(9)
    listener.tracker.resume("bar|A", TWO, 3)
    assert listener.hears(10) == []
    assert listener.hears(3, epoch=TWO) == []
    assert listener.hears(4, epoch=TWO) == [4]


def test_a_snapshot_of_a_dead_publisher_that_comes_late_ends_in_a_gap():
    listener = Listener("bar")
    listener.hears(9)
    listener.hears(1, epoch=TWO)
    listener.tracker.resume("bar|A", ONE, 12)
    assert listener.hears(2, epoch=TWO) == [Gap("bar|A", 13, 2, True), 2]


def test_a_topic_that_is_no_longer_subscribed_is_forgotten():
    listener = Listener("bar|A")
    listener.hears(1)
    assert listener.tracker.remove(topic_bytes("bar|A"))
    assert not listener.tracker.remove(topic_bytes("bar|A"))
    assert listener.beat(A=9) == []
    assert listener.tracker.add(topic_bytes("bar|A"))
    assert not listener.tracker.add(topic_bytes("bar|A"))
    assert listener.hears(20) == [20]


def test_words_of_a_topic_are_ended_so_that_no_prefix_matches_half_a_word():
    assert topic_bytes("bar|EUR/USD|1m") == topic_bytes("bar|EUR/USD|1m|") == b"bar|EUR/USD|1m|"
    assert not topic_bytes("bar|EUR/USD|1mo").startswith(topic_bytes("bar|EUR/USD|1m"))
    assert topic_bytes("bar|EUR/USD|1m").startswith(topic_bytes("bar|EUR/USD"))
    assert topic_bytes("") == b""
    with pytest.raises(WireError, match="zero byte"):
        topic_bytes("bar\0")


def test_conflation_keeps_the_newest_message_of_each_topic():
    first, second, other = (Message(t, "tick", n, (), ONE) for t, n in (("a", 1), ("a", 2), ("b", 1)))
    assert latest_by_topic([first, Gap("a", 2, 3, False), other, second]) == {"a": second, "b": other}
