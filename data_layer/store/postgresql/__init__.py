"""Stores in a PostgreSQL database, through psycopg 3. Imported only when the configuration names one.

The tables lie in a schema of their own, ``atrader``; one database holds one store. Layout and logic are those of the
embedded files; what is here is how to reach a server, and what to do when it goes away.
"""
