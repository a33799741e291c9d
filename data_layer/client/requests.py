"""What both clients share besides their questions."""

from __future__ import annotations

from typing import Final

TIMEOUT_S: Final = 5.0
"""How long a call may take by default."""

BULK_TIMEOUT_S: Final = 30.0
"""How long a large answer, or an import, may take by default."""
