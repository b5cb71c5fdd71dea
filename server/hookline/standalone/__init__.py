"""Everything on one machine: `hookline up` and `hookline demo`, with a private Postgres."""
