"""Built-in strategies; `worker/loading.py` lists their names."""
