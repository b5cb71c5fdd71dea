begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select bag_eq(
  $$select c.relname::text
      from pg_class as c
     where c.relnamespace = 'upload_pipeline'::regnamespace
       and array_to_string(c.reloptions, ' ') ~ 'autovacuum_vacuum_scale_factor=0(\.0\d)?'$$,
  array[
    'upload_jobs', 'webhook_deliveries', 'contents', 'deletions', 'provider_requests', 'notifications', 'credit_caps',
    'activity_counts', 'job_groups'
  ],
  'a table that is rewritten all the time is vacuumed long before a fifth of it is dead'
);
select is_empty(
  $$select i.indexrelid::regclass, a.attname
      from pg_index as i
      join pg_attribute as a on a.attrelid = i.indrelid
     where i.indrelid = 'upload_pipeline.webhook_deliveries'::regclass
       and a.attname in ('last_seen', 'times_seen')
       and (a.attnum = any (i.indkey) or pg_get_expr(i.indpred, i.indrelid) ~ ('\m' || a.attname || '\M'))$$,
  'no index has what a repeated delivery changes'
);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'));
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'));
select results_eq(
  $$select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables
     where schemaname = 'upload_pipeline' and relname = 'webhook_deliveries'$$,
  'values (1::bigint, 1::bigint)', 'so its update is a HOT update'
);

select * from finish();
rollback;
