"""``atrader replay-diff``: a recorded session of an instance, run again and compared.

Layers, each importing only those before it: ``sessions`` (what was recorded), ``intents`` (of its rows), ``moment``
(when a life began), ``net_side``, ``risk_day``, ``working`` and ``trailing`` (parts of what was there then),
``carried`` (all of it), ``setup`` (with what a life is run again), ``others`` (who else was on the account),
``running`` (the run), ``chance`` and ``causes`` (why the first difference is there), ``life``
and ``diff`` (one life of a worker, a whole day).
"""
