-- `hookline doctor` runs as an operator or a reader, and compares the history with its own migrations. The column
-- statements is not granted, because it holds the application's SQL.
do $$
begin
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    grant usage on schema supabase_migrations to hookline_reader;
    grant select (version, name) on supabase_migrations.schema_migrations to hookline_reader;
  end if;
exception
  when insufficient_privilege or undefined_column then
    raise warning 'hookline_reader cannot read the migration history: %', sqlerrm
      using hint = 'As the owner of schema supabase_migrations, grant it usage on the schema, and select (version, '
        'name) on supabase_migrations.schema_migrations.';
end;
$$;
