-- Changes nothing. The foreign keys hold the rule; here it gets a sentence.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.check_provider(provider text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if check_provider.provider is not null and not exists (
    select from upload_pipeline.providers as p where p.provider = check_provider.provider
  ) then
    raise exception 'there is no provider %', quote_literal(left(provider, 100))
      using errcode = 'UP006',
            detail = format(
              'Known are %s.',
              (select string_agg(p.provider, ', ' order by p.provider) from upload_pipeline.providers as p)
            ),
            hint = 'Name one of these, or start a worker that has the provider first: its first claim adds it to '
              'upload_pipeline.providers.';
  end if;
end;
$$;

comment on function upload_pipeline.check_provider(text) is
  'Checks that a provider is in the table providers. Null passes. Raises UP006.';

revoke all on function upload_pipeline.check_provider(text) from public;
