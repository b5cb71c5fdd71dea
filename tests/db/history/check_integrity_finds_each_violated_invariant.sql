begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(17);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p1');
select pg_temp.make_job('b');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), content => '# b');
select upload_pipeline.finish_content(job_id => pg_temp.job('b'), ordinal => 1);
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => '# a');
set constraints all immediate;

-- What check_integrity finds after the damage, which is then rolled back. Triggers are disabled and keys dropped.
create function pg_temp.found_after(damage text) returns text
language plpgsql as $$
declare
  v_key record;
  v_found text;
begin
  begin
    alter table upload_pipeline.upload_jobs disable trigger user;
    alter table upload_pipeline.events disable trigger user;
    for v_key in
      select conrelid::regclass as relation, conname
        from pg_constraint
       where connamespace = 'upload_pipeline'::regnamespace and contype = 'f'
    loop
      execute format('alter table %s drop constraint %I', v_key.relation, v_key.conname);
    end loop;
    execute damage;
    select string_agg(distinct c.violation || ' ' || coalesce(n.name, '?'), ', ' order by c.violation || ' ' || coalesce(n.name, '?'))
      into v_found
      from upload_pipeline.check_integrity() as c
      left join named_jobs as n on n.job_id = c.job_id
     where c.violation <> 'guard_is_off';
    raise exception 'undo' using errcode = 'ZZ000';
  exception
    when sqlstate 'ZZ000' then
      return v_found;
  end;
end;
$$;

select is(pg_temp.found_after('select'), null, 'without damage it finds nothing');
select is(pg_temp.found_after(damage), found, found)
  from (values
    (1, 'history_has_gaps a', $$delete from upload_pipeline.events where version = 1 and job_id = pg_temp.job('a');
       update upload_pipeline.events set version = version - 1, from_status = case when version = 2 then null else from_status end
        where job_id = pg_temp.job('a')$$),
    (1, 'history_has_gaps a', $$update upload_pipeline.events set version = version + 1
        where job_id = pg_temp.job('a') and version = (select max(version) from upload_pipeline.events where job_id = pg_temp.job('a'))$$),
    (2, 'history_is_broken a', $$update upload_pipeline.events set from_status = 'parse_queued' where job_id = pg_temp.job('a') and version = 3$$),
    (3, 'birth_is_not_initial b, history_is_broken b',
       $$update upload_pipeline.events set to_status = 'parse_queued' where job_id = pg_temp.job('b') and version = 1$$),
    (4, 'count_differs ?, status_without_event b', $$update upload_pipeline.upload_jobs set status = 'complete', terminal = true, claimable = false
        where job_id = pg_temp.job('b')$$),
    (5, 'time_runs_backwards a', $$update upload_pipeline.events set ts = ts - interval '1 hour' where job_id = pg_temp.job('a') and version = 3$$),
    (6, 'count_differs ?, event_without_job a, row_without_job a', $$delete from upload_pipeline.upload_jobs where job_id = pg_temp.job('a');
       delete from upload_pipeline.documents where document_id = pg_temp.document('a')$$),
    (7, 'event_without_job a', $$update upload_pipeline.events set document_id = pg_temp.document('b') where job_id = pg_temp.job('a') and version = 2$$),
    (8, 'step_is_no_transition a', $$update upload_pipeline.events set type = 'finalized' where job_id = pg_temp.job('a') and version = 3$$),
    (9, 'flags_differ_from_status a', $$update upload_pipeline.upload_jobs set claimable = true where job_id = pg_temp.job('a')$$),
    (10, 'job_without_document b', $$delete from upload_pipeline.documents where document_id = pg_temp.document('b')$$),
    (10, 'job_without_document b', $$update upload_pipeline.documents set upload_confirmed = not upload_confirmed
        where document_id = pg_temp.document('b')$$),
    (11, 'parsed_path_is_not_ours b', $$update upload_pipeline.upload_jobs set parsed_sha256 = pg_temp.sha('x') where job_id = pg_temp.job('b')$$),
    (11, 'parsed_path_is_not_ours b', $$update upload_pipeline.upload_jobs set parsed_path = 'storage://parsed/x' where job_id = pg_temp.job('b')$$),
    (11, 'parsed_path_is_not_ours b', $$update upload_pipeline.upload_jobs set parsed_bytes = 99 where job_id = pg_temp.job('b')$$),
    (12, 'content_differs_from_hash a, parked_though_known a', $$update upload_pipeline.contents set content = '# z' where content is not null;
       update upload_pipeline.webhook_deliveries set outcome = 'parked', job_id = null, parse_job_id = 'p1', check_after = now()
        where delivery_id = 'd1'$$)
  ) as d (n, found, damage)
 order by n;

select * from finish();
rollback;
