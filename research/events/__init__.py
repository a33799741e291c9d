"""The event engine: the strategies that workers run, over stored bars or quotes, many at once on one account.

What fills, what is refused and what a trade won is decided by the same code as live (`atrader.paper`, `atrader.risk`,
`atrader.ledger`); here is only what drives it. Layers, each importing only those before it: ``tape`` (one instrument
as steps), ``market`` (all of them on one time line), ``plan`` (the input), ``told`` (by strategies), ``traded``,
``equity`` and ``findings`` (what is kept, whichever engine ran), ``booking``, ``leeway`` and ``plain`` (entries and
orders that need not go the long way), ``net_watch`` (stops that no broker holds), ``own_intents`` (what the account
wants itself), ``carried`` (what a run goes on from) and ``account`` (orders, trades and money), ``exits`` (what limits
force), ``history``, ``selected``, ``rows`` and ``context`` (what a strategy sees), ``wished`` (what it wants),
``whole`` and ``once`` (signals and indicators of all bars at once), ``runner`` (one instance), ``result`` (what came of
it), ``touch``, ``lookahead`` and ``watching`` (when something can happen next), ``garbage``, ``engine`` (the loop).
"""
