begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(15);

-- 2,000 owners have a job each; ada has three.
select count(upload_pipeline.create_job(
         owner_id => pg_temp.owner(n::text), filename => n || '.pdf', mime => 'application/pdf', bytes_len => 1,
         file_sha256 => pg_temp.sha(convert_to(n::text, 'UTF8')), raw_path => 'storage://raw/' || n
       ))
  from generate_series(1, 2000) as n;
select pg_temp.make_job(name) from unnest(array['a', 'b', 'c']) as name;
analyze upload_pipeline.documents, upload_pipeline.upload_jobs, upload_pipeline.events;

create function pg_temp.plan_of(query text) returns jsonb
language plpgsql as $$
declare
  v_role text := current_setting('role');
  v_plan json;
begin
  perform set_config('request.jwt.claims', pg_temp.claims('ada'), true);
  set local role authenticated;
  execute 'explain (analyze, timing off, format json) ' || plan_of.query into v_plan;
  perform set_config('role', v_role, true);
  return v_plan;
end;
$$;
create temporary table asked as
  select name, pg_temp.plan_of(query) as plan
    from (
      values
        ('her jobs', 'select * from hookline_api.my_jobs'),
        ('one of her jobs', format('select * from hookline_api.my_jobs where job_id = %L', pg_temp.job('a'))),
        ('her latest', 'select * from hookline_api.my_jobs order by created_at desc limit 2'),
        ('all her events', 'select * from hookline_api.my_events'),
        (
          'the events of a job',
          format('select * from hookline_api.my_events where job_id = %L order by version', pg_temp.job('a'))
        )
    ) as t (name, query);
create temp view scan as
  select a.name, s.node ->> 'Node Type' as type, s.node ->> 'Relation Name' as relation, s.node ->> 'Index Name' as index,
         ((s.node ->> 'Actual Rows')::numeric
           + coalesce((s.node ->> 'Rows Removed by Filter')::numeric, 0)
           + coalesce((s.node ->> 'Rows Removed by Index Recheck')::numeric, 0))
           * (s.node ->> 'Actual Loops')::numeric as rows
    from asked as a,
         jsonb_path_query(a.plan, 'strict $.** ? (@."Node Type" like_regex "Scan")') as s (node);

select is_empty(
  format($$select type, relation from scan where name = %L and type = 'Seq Scan'$$, name),
  name || ': no sequential scan'
)
  from asked;
select isnt_empty(
  format($$select from scan where name = %L and index = 'one_document_a_file_of_an_owner'$$, name),
  name || ': finds her rows by the owner index'
)
  from asked
 where name not in ('one of her jobs', 'the events of a job');
select cmp_ok(
  (select max(s.rows) from scan as s where s.name = a.name), '<=', 6::numeric, a.name || ': reads at most six rows'
)
  from asked as a;
select cmp_ok((select count(*) from scan), '>=', 10::bigint, 'the query finds the scans in the plans');
select is(
  (select (plan -> 0 -> 'Plan' ->> 'Actual Rows')::numeric from asked where name = 'all her events'), 6::numeric,
  'all six events are returned'
);

select * from finish();
rollback;
