"""Which message of which topic comes next: the pure part of a stream client; finds gaps, repeats and new epochs."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from atrader.bus.stream_messages import END, Gap, Message, topic_bytes

_REMEMBERED_EPOCHS: Final = 16


class StreamTracker:
    """Follows the numbers of each topic.

    A topic is followed from its first message, from the first heartbeat that names it, or from `resume`. Heartbeats
    come through the same socket as messages, so whatever one counts and has not arrived before it is lost.

    Parameters
    ----------
    counters : Counter of str
        Where to count.
    """

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._prefixes: set[bytes] = set()
        self.seen: dict[str, tuple[int, int]] = {}  # topic -> epoch, last number
        self._empty: dict[str, int] = {}  # topic without any message yet -> epoch
        self.retired: deque[int] = deque(maxlen=_REMEMBERED_EPOCHS)

    def add(self, prefix: bytes) -> bool:
        """Subscribe; False when it was subscribed already."""
        if prefix in self._prefixes:
            return False
        self._prefixes.add(prefix)
        return True

    def remove(self, prefix: bytes) -> bool:
        """Unsubscribe and forget its topics; False when it was not subscribed."""
        if prefix not in self._prefixes:
            return False
        self._prefixes.remove(prefix)
        for topics in (self.seen, self._empty):
            for topic in [topic for topic in topics if not self._is_wanted(topic)]:
                del topics[topic]
        return True

    def resume(self, topic: str, epoch: int, seq: int) -> None:
        """Follow a topic from this number on."""
        before = self.seen.get(topic)
        if before is not None and before[0] != epoch and epoch not in self.retired:
            self.retired.append(before[0])  # its last messages may still be unread
        self.seen[topic] = (epoch, seq)

    def on_message(self, message: Message, items: list[Message | Gap]) -> None:
        """Append the message, after the gap it shows; nothing when it is old."""
        topic, seq, epoch = message.topic, message.seq, message.epoch
        if epoch in self.retired:
            self._counters["retired"] += 1
            return
        last = self._last_of(topic, epoch, seq - 1, seq, items)
        if seq <= last:
            self._counters["duplicates"] += 1
            return
        self.seen[topic] = (epoch, seq)
        if seq > last + 1:
            self._report(Gap(topic, last + 1, seq, False), items)
        items.append(message)

    def on_heartbeat(self, epoch: int, last: dict[str, int], items: list[Message | Gap]) -> None:
        """Append a gap for each topic whose tail, or whose publisher, was lost."""
        if epoch in self.retired:
            self._counters["retired"] += 1
            return
        for topic, seq in last.items():
            if not self._is_wanted(topic):
                continue
            known = self._last_of(topic, epoch, seq, seq + 1, items)
            self.seen[topic] = (epoch, max(known, seq))
            if seq > known:
                self._report(Gap(topic, known + 1, seq + 1, False), items)
        for topic, (seen_epoch, _) in list(self.seen.items()):
            if seen_epoch != epoch and topic not in last:
                self._last_of(topic, epoch, 0, 1, items)
                self.seen[topic] = (epoch, 0)
        for prefix in self._prefixes:
            name = prefix.decode().removesuffix(END)
            if name not in last:
                self._empty[name] = epoch

    def _last_of(self, topic: str, epoch: int, start: int, got: int, items: list[Message | Gap]) -> int:
        """Return the last number known of a topic in this epoch; `start` for a topic not followed yet."""
        before = self.seen.get(topic)
        if before is None:
            return 0 if self._empty.pop(topic, None) == epoch else start
        if before[0] == epoch:
            return before[1]
        if before[0] not in self.retired:
            self.retired.append(before[0])
            self._counters["epochs"] += 1
        self._report(Gap(topic, before[1] + 1, got, True), items)
        return start

    def _report(self, gap: Gap, items: list[Message | Gap]) -> None:
        self._counters["gaps"] += 1
        if not gap.epoch_changed:
            self._counters["missed"] += gap.got - gap.expected
        items.append(gap)

    def _is_wanted(self, topic: str) -> bool:
        frame = topic_bytes(topic)
        return any(frame.startswith(prefix) for prefix in self._prefixes)
