"""Rewrites the tables in docs/ that are made from the program's own data: ``.venv/bin/python -P docs/generate.py``."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from tests.support.doc_tables import rewrite_all  # noqa: E402

for page in rewrite_all():
    print(f"rewrote {page.relative_to(ROOT)}")
