from data_layer.shared.layout import LastPrice

def last_price(
    table: memoryview | None,
    offsets: dict[str, int],
    instrument: str,
    price_type: type[LastPrice],
    alive_word: int,
    silence_ns: int,
    /,
) -> LastPrice | None: ...
