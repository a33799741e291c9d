from collections.abc import Container
from typing import Any

def receive(descriptor: int, buffer: memoryview, messages: list[list[bytes]], /) -> tuple[int, int]: ...
def read_plain(
    messages: list[list[bytes]],
    at: int,
    plain: dict[bytes, tuple[str, type, bytes]],
    seen: dict[str, tuple[int, int]],
    retired: Container[int],
    message_type: type,
    items: list[Any],
    /,
) -> int: ...
def receive_plain(
    descriptor: int,
    buffer: memoryview,
    limit: int,
    plain: dict[bytes, tuple[str, type, bytes]],
    seen: dict[str, tuple[int, int]],
    retired: Container[int],
    message_type: type,
    items: list[Any],
    /,
) -> tuple[int, int, int]: ...
