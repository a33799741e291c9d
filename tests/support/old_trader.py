"""An installation of the old trader, written by us in the shapes its files have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from framework_bridge.abi.internals import INSTANCE_STATE

CONFIG = """; the old trader
[misc]
logSeverity=2 ; info
screenLogSeverity=2
emailLogSeverity=4
smtp=smtp.example.com
port=587
to=me@example.com
from=me@example.com
user=me
PASSWORD=mailsecret
executionTime=5

[plots]
graphicPaintingPeriod=0
enableWebServer=1
webServerPort=25000

[account]
accountName=OANDA demo
brokerName=OANDA
refBrokerName=Reference
strategies=morning, evening
login=johndoe
password=tokensecret
useOrderWrapper=1 ; net positions
hasStaticIP=0
accountID=101-004-1234567-001
isDemo=1
isJava=0
useStreaming=1
initialBalance=10000
depositSymbol=USD

[morning]
name=Morning breakout
setFile=morning.set
pair=EURUSD
strategyID=29
passedTimeFrame=60
rateRequirements=300,200,0,100
symbolRequirements=D,D,N,GBPUSD
timeframeRequirements=0,1440,0,60

[evening]
name=Evening
setFile=evening
pair=USDJPY
strategyID=29
passedTimeFrame=15
rateRequirements=300
symbolRequirements=D
timeframeRequirements=0
"""
PRESET = """; preset
SECTION_1=Framework
OPERATIONAL_MODE=1
STRATEGY_INSTANCE_ID ={magic}
STRATEGY_TIMEFRAME={timeframe}
SECTION_2=Risk
ACCOUNT_RISK_PERCENT=1.5
ACCOUNT_RISK_PERCENT,F=1
ACCOUNT_RISK_PERCENT,1=0.5
MAX_SPREAD_PIPS=4
MAX_DRAWDOWN_PERCENT=20
DISABLE_COMPOUNDING=1
MAX_OPEN_ORDERS=199
SL_ATR_MULTIPLIER=1
ATR_AVERAGING_PERIOD=20
SECTION_3=Strategy
AUTOBBS_TREND_MODE=200
"""
XML = """<?xml version="1.0"?>
<AsirikuyFramework>
  <TempFileFolderPath> ./tmp </TempFileFolderPath>
  <ConfigPaths>
    <ConfigFolderPath>./config</ConfigFolderPath>
    <BrokerTZFilename>broker-tz.csv</BrokerTZFilename>
    <ParamSpaceFilenameExtension>.set</ParamSpaceFilenameExtension>
  </ConfigPaths>
  <Logging>
    <Folder></Folder>
    <MaxSeverity>6</MaxSeverity>
    <EnableEquityLog>0</EnableEquityLog>
    <EnableEntryLog>0</EnableEntryLog>
    <barsToLog>10</barsToLog>
  </Logging>
  <Wonder>1</Wonder>
</AsirikuyFramework>
"""
CLOCKS = """\
Broker;DSTStartMonth;DSTStartNth;DSTStartDay;DSTStartTime;DSTEndMonth;DSTEndNth;DSTEndDay;DSTEndTime;\
GMTOffsetStd;GMTOffsetDST;WeekStartDay;WeekStartHour;WeekEndDay;WeekEndHour
Local;0;0;0;00:00;0;0;0;00:00;0;0;0;22;5;22
UTC;0;0;0;00:00;0;0;0;00:00;0;0;0;22;5;22
OANDA;3;0;0;01:00;10;0;0;01:00;2;3;0;22;5;22
Reference;0;0;0;00:00;0;0;0;00:00;1;5;0;22;5;22
"""
BARS = """05/01/16 10:00,1.08,1.081,1.079,1.0805,4
05/01/16 11:00,1.0805,1.082,1.08,1.0815,4
05/01/16 12:00,1.0815,1.083,1.081,1.0825,4
05/01/16 11:00,1.0805,1.082,1.08,1.0815,4
"""
MONITOR = """[general]
monitoringInterval=60
weekOpenDay=6
useEmail=1
emailPassword=monitorsecret
smtpServer=smtp.example.com:587
useTelegram=0
logLevel=INFO
logMaxBytes=10485760
logBackupCount=5
novelty=1
[accounts]
accounts=one,two
[one]
accountNumber=1
path=/opt/one
frontend=AT
[two]
accountNumber=2
path=/opt/two
frontend=MT4
"""
SECRETS = ("mailsecret", "tokensecret", "monitorsecret", "johndoe")

OPEN: tuple[Mapping[str, Any], ...] = (
    {"Ticket": 11, "InstanceID": 2001, "Type": 0, "OpenTime": 1451988000, "OpenPrice": 1.08, "StopLoss": 1.07,
     "TakeProfit": 0, "Volume": 0.03, "Symbol": "EURUSD", "Profit": 0},
    {"Ticket": 12, "InstanceID": 2002, "Type": 1, "OpenTime": "05/01/16 11:00", "OpenPrice": 118.5, "StopLoss": 120,
     "TakeProfit": 115, "Volume": 0.01, "Symbol": "USDJPY", "Profit": 0},
    {"Ticket": 13, "InstanceID": 2001, "Type": 2, "OpenTime": 1451988000, "OpenPrice": 1.05, "StopLoss": 0,
     "TakeProfit": 0, "Volume": 0.01, "Symbol": "EURUSD", "Profit": 0},
    {"Ticket": 14, "InstanceID": 999, "Type": 0, "OpenTime": 1451988000, "OpenPrice": 1.09, "StopLoss": 0,
     "TakeProfit": 0, "Volume": 0.02, "Symbol": "EURUSD", "Profit": 0},
)  # fmt: skip
CLOSED: tuple[Mapping[str, Any], ...] = (
    {"Ticket": 1, "InstanceID": 2001, "Type": 0, "OpenTime": 1451901600, "OpenPrice": 1.08, "StopLoss": 1.07,
     "TakeProfit": 0, "Volume": 0.1, "Symbol": "EURUSD", "Profit": 0.0926, "ProfitPL": 100.0,
     "CloseTime": 1451905200, "ClosePrice": 1.09},
    {"Ticket": 1, "InstanceID": 2001, "Type": 1, "OpenTime": 1451901600, "OpenPrice": 1.08, "StopLoss": 0,
     "TakeProfit": 0, "Volume": 0.1, "Symbol": "EURUSD", "Profit": -0.05, "ProfitPL": -50.0,
     "CloseTime": 1451908800, "ClosePrice": 1.085},
)  # fmt: skip


def library_state(instance_id: int, ran_s: int) -> bytes:
    """Return a state of the C library that ran a bar last."""
    state = np.zeros(1, INSTANCE_STATE)
    state["instance_id"], state["last_run_time"] = instance_id, ran_s
    return state.tobytes()


def tiny_db(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as TinyDB writes them."""
    return json.dumps({"_default": {str(number): row for number, row in enumerate(rows, start=1)}})


def write_old_trader(root: Path, config: str = CONFIG) -> Path:
    """Write an installation; returns its configuration file."""
    files = {
        "config/atrader.config": config,
        "config/AsirikuyConfig.xml": XML,
        "config/broker-tz.csv": CLOCKS,
        "sets/morning.set": PRESET.format(magic=2001, timeframe=60).replace("\n", "\r\n"),
        "sets/Evening.set": PRESET.format(magic=2002, timeframe=15),
        "history/EURUSD_60.csv": BARS,
        "data/101-004-1234567-001_openOrders.json": tiny_db(OPEN),
        "data/101-004-1234567-001_orderHistory.json": tiny_db(CLOSED),
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return root / "config" / "atrader.config"
