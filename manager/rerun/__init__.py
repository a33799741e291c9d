"""``atrader replay-diff``: a recorded session of an instance, run again and compared.

``sessions`` (what was recorded), ``carried`` (what was open when it began), ``running`` (the run), ``causes`` (why the
first difference is there), in this order of imports.
"""
