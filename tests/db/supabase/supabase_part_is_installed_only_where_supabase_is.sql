begin;
\ir ../search_path.psql
select to_regnamespace('auth') is null and to_regnamespace('realtime') is null as is_plain \gset
select plan(12);
\if :is_plain

create temp view installed as
  select 'schema' as what from pg_namespace where nspname = 'hookline_api'
  union all
  select tgname from pg_trigger where tgname = 'events_are_broadcast'
  union all
  select proname from pg_proc where pronamespace = 'upload_pipeline'::regnamespace and proname = 'broadcast_event'
  union all
  select policyname
    from pg_policies
   where policyname like '%owner%' and schemaname in ('upload_pipeline', 'realtime');
create temp view summary as
  select coalesce(string_agg(what, ' ' order by what collate "C"), 'nothing') as what from installed;

-- A rollback would also undo pgTAP's count of tests, so the findings are kept in psql variables.
select what as as_it_is from summary \gset
\ir ../../../db/supabase/install.sql
select what as run_again from summary \gset

savepoint plain;
create schema auth;
\ir ../../../db/supabase/install.sql
select what as of_schema_auth from summary \gset
create function auth.uid() returns uuid language sql as 'select null::uuid';
do $$
begin
  -- The roles belong to the server: another database may have them.
  if to_regrole('authenticated') is not null then
    alter role authenticated rename to authenticated_elsewhere;
  end if;
end;
$$;
\ir ../../../db/supabase/install.sql
select what as without_roles from summary \gset
rollback to plain;

\ir ../../../tests/support/platform.psql
drop function auth.uid();
create function auth.uid() returns bigint language sql as 'select 1::bigint';
\ir ../../../db/supabase/install.sql
select what as of_another_uid from summary \gset
rollback to plain;

create schema auth;
create role installer in role hookline_owner;
set local role installer;
\ir ../../../db/supabase/install.sql
reset role;
select what as of_a_closed_schema from summary \gset
rollback to plain;

\ir ../../../tests/support/platform.psql
drop schema realtime cascade;
\ir ../../../db/supabase/install.sql
select what as without_realtime from summary \gset
\ir ../../../tests/support/platform.psql
\ir ../../../db/supabase/install.sql
select what as with_realtime_later from summary \gset
rollback to plain;

\ir ../../../tests/support/platform.psql
create role installer in role hookline_owner;
do $$ begin execute format('grant create on database %I to installer', current_database()); end; $$;
grant usage on schema auth, realtime to installer;
set local role installer;
\ir ../../../db/supabase/install.sql
reset role;
select what as with_a_closed_realtime from summary \gset
rollback to plain;

\ir ../../../tests/support/platform.psql
create table public.notes (id uuid);
create policy owner_sees_own_documents on public.notes for select using (true);
create policy hookline_owner_hears_own_jobs on public.notes for select using (true);
\ir ../../../db/supabase/install.sql
select what as beside_others from summary \gset
drop policy owner_sees_own_jobs on upload_pipeline.upload_jobs;
alter policy owner_sees_own_events on upload_pipeline.events using (true);
\ir ../../../db/supabase/install.sql
select what as mended from summary \gset
select count(*) as open_policies from pg_policies where schemaname = 'upload_pipeline' and policyname like '%owner%' and qual = 'true' \gset
rollback to plain;

\set api 'owner_sees_own_artifacts owner_sees_own_documents owner_sees_own_events owner_sees_own_jobs schema'
\set all 'broadcast_event events_are_broadcast hookline_owner_hears_own_jobs hookline_topics_are_their_owners ' :api
select is(:'as_it_is'::text, 'nothing', 'a plain Postgres has nothing of the Supabase part');
select is(:'run_again'::text, 'nothing', 'running the files on a plain Postgres installs nothing');
select is(:'of_schema_auth'::text, 'nothing', 'a schema auth of an application installs nothing');
select is(:'without_roles'::text, 'nothing', 'auth.uid() without the roles of PostgREST installs nothing');
select is(:'of_another_uid'::text, 'nothing', 'an auth.uid() that returns no uuid installs nothing');
select is(
  :'of_a_closed_schema'::text, 'nothing',
  'a schema auth that the installer may not use installs nothing and raises nothing'
);
select is(:'without_realtime'::text, :'api', 'without Realtime only hookline_api is installed');
select is(
  :'with_realtime_later'::text, :'all', 'the broadcast is installed when the files are run again with Realtime'
);
select is(
  :'with_a_closed_realtime'::text, :'api', 'if no policy may be created in realtime, the rest is installed'
);
select is(:'beside_others'::text, :'all', 'policies of the same name on other tables do not count as ours');
select is(:'mended'::text, :'all', 'a dropped policy is created again');
select is(:open_policies, 0, 'a policy that was altered is restored');

\else
select skip('this is Supabase, not a plain Postgres', 12);
\endif
select * from finish();
rollback;
