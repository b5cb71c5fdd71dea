begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(11);

-- Ada's jobs are older than all others.
select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a' || n, owner => 'ada') from generate_series(1, 40) as n;
select pg_temp.set_clock('2026-01-01 12:01+00');

-- Claims and returns the owners of the jobs as 'ada*3 bob', in the order of their names.
create table pg_temp.owner_names as select name, pg_temp.owner(name) as owner_id from unnest(array['ada', 'bob', 'eve', 'joe']) as name;
create table pg_temp.turn (after uuid);
insert into pg_temp.turn values (null);
create function pg_temp.claim_some(batch integer, again boolean default false) returns text
language plpgsql as $$
declare
  v_owners text;
  v_last uuid;
begin
  with claimed as materialized (
    select c.*, row_number() over () as place
      from upload_pipeline.claim_jobs(
        status => 'uploaded', worker => 'w', batch => claim_some.batch, after => (select t.after from pg_temp.turn as t)
      ) as c
  )
  select (
    select string_agg(name || '*' || jobs, ' ' order by name)
      from (select n.name, count(*) as jobs from claimed as c join pg_temp.owner_names as n using (owner_id) group by n.name) as o
  ), (select c.owner_id from claimed as c order by c.place desc limit 1)
    into v_owners, v_last;
  update pg_temp.turn set after = coalesce(v_last, after);
  return v_owners;
end;
$$;

select is(pg_temp.claim_some(5), 'ada*5', 'an owner alone gets the whole batch');

select pg_temp.make_job('b' || n, owner => 'bob') from generate_series(1, 4) as n;
select is(
  (select string_agg(pg_temp.claim_some(1), ' ' order by n) ~ 'bob' from generate_series(1, 2) as n), true,
  'of two claims of one job, the second owner gets one'
);
select is(pg_temp.claim_some(4), 'ada*2 bob*2', 'a batch is shared equally');
select is(pg_temp.claim_some(4), 'ada*3 bob*1', 'what an owner does not need, the other gets');

select pg_temp.make_job('e1', owner => 'eve'), pg_temp.make_job('j1', owner => 'joe');
select pg_temp.make_job('b5', owner => 'bob');
select is(
  (select string_agg(owner, ' ' order by owner)
     from (select pg_temp.claim_some(1) as owner from generate_series(1, 4) as n) as claimed),
  'ada*1 bob*1 eve*1 joe*1', 'in four claims each of four owners gets their turn'
);

-- An owner whose jobs are not due delays nobody.
update upload_pipeline.upload_jobs as j
   set run_after = '2026-01-02 12:00+00'
 where j.owner_id = pg_temp.owner('ada') and j.lease_token is null
   and j.job_id not in (select j.job_id from upload_pipeline.upload_jobs as j where j.owner_id = pg_temp.owner('ada') and j.lease_token is null order by j.job_id limit 4);
select pg_temp.make_job('b' || n, owner => 'bob') from generate_series(6, 9) as n;
select is(pg_temp.claim_some(6), 'ada*3 bob*3', 'jobs that are not due are not claimed');
select is(pg_temp.claim_some(6), 'ada*1 bob*1', 'all that are due are claimed');
select is(pg_temp.claim_some(6), null, 'then none is left');

-- Nobody asks the provider by turns: the oldest come first.
select is(
  (select count(*) from upload_pipeline.claim_jobs('uploaded', 'w', after => pg_temp.owner('bob'))), 0::bigint, 'after is any owner'
);
select is(
  (select count(*) from upload_pipeline.claim_jobs('parse_queued', 'w', after => pg_temp.owner('bob'))), 0::bigint,
  'also in a status that is not claimable'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'no invariant is violated');

select * from finish();
rollback;
