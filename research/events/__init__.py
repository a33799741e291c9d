"""The event engine: the strategies that workers run, over stored bars or quotes, many at once on one account.

What fills, what is refused and what a trade won is decided by the same code as live (`atrader.paper`, `atrader.risk`,
`atrader.ledger`); here is only what drives it. Layers, each importing only those above it: ``tape`` (one instrument
as steps), ``market`` (all of them on one time line), ``plan`` (the input), ``told`` (by strategies), ``equity`` and
``findings`` (what is kept, whichever engine ran), ``booking``, ``leeway`` and ``plain`` (entries and orders that need
not go the long way) and ``account`` (orders, trades and money), ``exits`` (what limits force), ``history``, ``rows``
and ``context`` (what a strategy sees), ``whole`` and ``once`` (signals and indicators of all bars at once),
``runner`` (one instance), ``result`` (what came of it), ``lookahead`` and ``watching`` (when something can happen
next), ``engine`` (the loop).
"""
