"""Finding parameters, and finding out whether they mean anything.

Layers, each importing only those before it: ``axes``, ``constraints`` and ``space`` (what may be tried), ``reading``
(texts become a space), ``trials`` (one tried set, and the file that keeps them), ``windows`` (what is chosen on, what
is judged on), ``figures`` (Sharpe ratios of all sets in all windows), ``searching`` and ``optuna_search`` (which set is
next), ``pools`` and ``relay`` (threads, processes), ``study`` (the loop), ``events`` and ``vectors`` (trying sets with
either engine), ``ranking`` and ``analysis`` (what came of it).
"""
