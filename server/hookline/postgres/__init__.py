"""The engine's side: the pool, the SQL functions as typed coroutines, views, NOTIFY, migrations."""
