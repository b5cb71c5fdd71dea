begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

create function pg_temp.groups() returns text
language sql volatile as $$
  select string_agg(n.name, ' ' order by n.name)
    from upload_pipeline.job_groups as g
    join unnest(array['open', 'told', 'waits', 'young']) as n (name) on pg_temp.owner(n.name) = g.group_id
$$;

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_job(name, group_id => pg_temp.owner(name)) from unnest(array['open', 'told', 'waits']) as name;
select upload_pipeline.cancel_job(job_id => n.job_id) from named_jobs as n;
select upload_pipeline.close_group(group_id => pg_temp.owner('told'));
select upload_pipeline.close_group(group_id => pg_temp.owner('waits'));
update upload_pipeline.job_groups as g set check_after = '2026-12-01' where g.group_id = pg_temp.owner('waits');
select count(*) from upload_pipeline.claim_notifications(batch => 100);
update upload_pipeline.notifications as n set run_after = null, lease_token = null, taken_at = upload_pipeline.clock()
 where n.job_id is not null;

select pg_temp.set_clock('2026-06-01 12:00+00');
select pg_temp.make_job('young', group_id => pg_temp.owner('young'));
select is((select jobs from upload_pipeline.purge(older_than => '90 days', batch => 1)), 1::bigint, 'a purge of one job');
select is((select jobs from upload_pipeline.purge(older_than => '90 days')), 2::bigint, 'and of the others');
select is(
  pg_temp.groups(), 'told waits young',
  'of the groups without jobs, one that waits to be checked stays, and one whose notification is sent'
);
update upload_pipeline.notifications as n set run_after = null, lease_token = null, taken_at = upload_pipeline.clock();
update upload_pipeline.job_groups as g set check_after = null;
select upload_pipeline.purge(older_than => '90 days');
select is(pg_temp.groups(), 'young', 'then they go, with their notifications');
select is_empty('select from upload_pipeline.notifications where group_id is not null', 'and nothing of them is left');

select upload_pipeline.erase_owner(owner_id => pg_temp.owner('ada'));
select is(pg_temp.groups(), null, 'erase_owner deletes the groups of the owner');

select * from finish();
rollback;
