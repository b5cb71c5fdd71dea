-- With a search_path of '' Postgres still looks for types in pg_temp first, and runs the checks of domains there. The
-- functions run as the owner, so such a check would run as the owner too.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(3);

select pg_temp.make_job('a');
select pg_temp.job('a') as job_id, pg_temp.claims('eve') as claims, pg_temp.sha('e') as sha256 \gset
create role mallory in role hookline_ingest;
do $$ begin execute format('grant temporary on database %I to mallory', current_database()); end; $$;
set local role mallory;
create function pg_temp.who(given pg_catalog.text) returns boolean
language plpgsql as $$ begin raise exception 'ran as %', current_user; end; $$;
create domain pg_temp.uuid as pg_catalog.uuid check (pg_temp.who(value::pg_catalog.text));
create domain pg_temp.text as pg_catalog.text check (pg_temp.who(value));
create domain pg_temp.jsonb as pg_catalog.jsonb check (pg_temp.who(value::pg_catalog.text));
create domain pg_temp.bytea as pg_catalog.bytea check (pg_temp.who('bytes'));

create temp table answer as
  select e.outcome as event_outcome, c.outcome as content_outcome
    from upload_pipeline.receive_event(
           source => 'llamacloud', delivery_id => 'd', body_sha256 => repeat('0', 64), event_type => 't',
           code => 'parse_failed', parse_job_id => 'nope'
         ) as e,
         upload_pipeline.receive_content(
           source => 'llamaparse', delivery_id => 'd', body_sha256 => repeat('0', 64), event_type => 't',
           job_id => :'job_id', content => '#'
         ) as c;
reset role;

-- Users of Supabase cannot create temporary objects by default. Here they can.
do $$ begin execute format('grant temporary on database %I to authenticated', current_database()); end; $$;
create temp table made (outcome pg_catalog.text);
grant insert on made to authenticated;
set local role authenticated;
select set_config('request.jwt.claims', :'claims', true);
insert into made
select m.outcome
  from hookline_api.create_job(
         filename => 'e.pdf', mime => 'application/pdf', bytes_len => 1::pg_catalog.int8, file_sha256 => :'sha256'
       ) as m;
reset role;
drop domain pg_temp.uuid, pg_temp.text, pg_temp.jsonb, pg_temp.bytea;

select is((select event_outcome::text from answer), 'parked', 'receive_event uses its own types');
select is((select content_outcome::text from answer), 'kept', 'receive_content uses its own types');
select is((select outcome from made), 'applied', 'create_job of hookline_api uses its own types');

select * from finish();
rollback;
