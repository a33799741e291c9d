"""The stand-in of the C library: built from ``tests/asirikuy_library`` when it is first wanted, and its files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[1] / "asirikuy_library"
BUILT = Path(__file__).resolve().parents[2] / ".pytest_cache" / "asirikuy"
WARNINGS = ("-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror")

HEADER = (
    "Broker;DSTStartMonth;DSTStartNth;DSTStartDay;DSTStartTime;DSTEndMonth;DSTEndNth;DSTEndDay;DSTEndTime;"
    "GMTOffsetStd;GMTOffsetDST;WeekStartDay;WeekStartHour;WeekEndDay;WeekEndHour"
)
ZONES = (
    HEADER,
    "Local;0;0;0;00:00;0;0;0;00:00;0;0;0;0;0;0",
    "UTC;0;0;0;00:00;0;0;0;00:00;0;0;0;0;0;0",
    "Plus three;0;0;0;00:00;0;0;0;00:00;3;3;0;0;0;0",
    "Helsinki;3;0;0;03:00;10;0;0;04:00;2;3;0;0;0;0",
)


def compiler() -> str:
    """Return the C compiler; without one the test is skipped, in CI it fails."""
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        why = "no C compiler (Debian packages gcc, libc6-dev): the stand-in of the C library cannot be built"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return found


@cache
def standin_library(*defines: str) -> Path:
    """Build the framework library, once for each set of definitions such as ``OTHER_SIZES=3``."""
    sources = sorted(path for path in SOURCES.glob("*.c") if path.stem != "tester")
    return _built("libAsirikuyFrameworkAPI.so", sources, defines)


@cache
def standin_tester() -> Path:
    """Build the tester library; it has a framework of its own inside."""
    return _built("libCTesterFrameworkAPI.so", sorted(SOURCES.glob("*.c")), ())


def fresh_library(folder: Path, *defines: str) -> Path:
    """Copy the library: loaded from another path it is another one, with no instance and no configuration read."""
    return Path(shutil.copy2(standin_library(*defines), folder / "libAsirikuyFrameworkAPI.so"))


def _built(name: str, sources: list[Path], defines: tuple[str, ...]) -> Path:
    """Compile, unless the same text was compiled the same way before; two that build at once do no harm."""
    command = [compiler(), "-shared", "-fPIC", "-O1", "-g", *WARNINGS, *(f"-D{one}" for one in defines)]
    text = b"".join(path.read_bytes() for path in sorted((*SOURCES.glob("*.h"), *sources)))
    folder = BUILT / hashlib.sha256(repr((command, name)).encode() + text).hexdigest()[:16]
    library = folder / name
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            made = Path(work) / name
            subprocess.run([*command, "-o", made, *sources, "-lm", "-lpthread"], check=True)
            made.replace(library)
    return library


def framework_files(folder: Path, *, zones: tuple[str, ...] = ZONES) -> Path:
    """Write what an installation of the library has, and return its ``AsirikuyConfig.xml``."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    (folder / "broker-tz.csv").write_text("\n".join(zones) + "\n")
    config = folder / "AsirikuyConfig.xml"
    config.write_text(
        f"""<?xml version="1.0" encoding="UTF-8"?>
<AsirikuyConfig>
  <RatesBufferExtension>100</RatesBufferExtension>
  <TempFileFolderPath>{folder / "tmp"}</TempFileFolderPath>
  <ConfigPaths>
    <ConfigFolderPath>{folder}</ConfigFolderPath>
    <BrokerTZFilename>broker-tz.csv</BrokerTZFilename>
    <ParamSpaceFilenameExtension>.set</ParamSpaceFilenameExtension>
  </ConfigPaths>
  <Logging>
    <Folder>{folder / "log"}</Folder>
    <MaxSeverity>6</MaxSeverity>
    <EnableEquityLog>0</EnableEquityLog>
    <EnableEntryLog>0</EnableEntryLog>
    <barsToLog>0</barsToLog>
  </Logging>
  <NTP><UpdateInterval>3600</UpdateInterval><Timeout>100</Timeout><TotalReferenceTimes>1</TotalReferenceTimes></NTP>
  <TradingWeekBoundaries><CropMondayHours>4</CropMondayHours><CropFridayHours>4</CropFridayHours></TradingWeekBoundaries>
</AsirikuyConfig>
"""
    )
    return config
