"""The broker side of a paper account, pure: orders and quotes in, reports out, nothing written anywhere.

One table of fill rules for all who need one: the paper account in the gateway keeps it in a book on disk
(`broker_api.paper`), the event engine of `research` keeps it in memory.

Layers, each importing only those before it: ``reasons`` (why it refuses), ``draws`` and ``matching`` (pure decisions),
``financing`` (when it is booked), ``state`` (what the broker side holds), ``desk`` (one instrument: quote, orders,
tickets, trigger levels), ``money`` (balance, equity, margin, conversion), ``margin_watch`` (when the margin has to be
looked at), ``validation`` (what is refused at once), ``execution`` (what a fill books), ``engine`` (orders and quotes
in, reports out).
"""
