"""A gateway whose broker tells nothing for a while: what cannot be checked is not known, and people hear of it."""

from pathlib import Path

from broker_api.gateway.beat_body import beat_body
from tests.support.oanda_stage import OandaStage, play


def told(stage: OandaStage) -> tuple[object, float]:
    """Return what the manager hears of the proof, and how old it is."""
    account = beat_body(stage.bench.gateway)["account"]
    assert isinstance(account, dict)
    return account["proof"], account["proof_age_s"]


def test_a_proof_that_nobody_could_make_for_long_is_not_known_and_told_once(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        gateway = stage.bench.gateway
        alerts = gateway.alerts.counters
        await gateway.turn()
        assert told(stage) == ("holds", 0.0)
        stage.sim.maintain()
        for seconds, proof, away in ((10.0, "holds", 0), (10.0, None, 0), (45.0, None, 1), (45.0, None, 1)):
            stage.quote("1.10000", "1.10010", after_s=seconds)
            await gateway.turn()
            assert (told(stage)[0], alerts["broker-away"]) == (proof, away)
        assert told(stage)[1] == 110.0
        stage.sim.maintain(False)
        await stage.bench.until(lambda: alerts["broker-back"], "the broker")
        assert told(stage)[0] == "holds"
        await gateway.turn()
        assert (alerts["broker-away"], alerts["broker-back"]) == (1, 1)

    play(OandaStage(tmp_path), story)
