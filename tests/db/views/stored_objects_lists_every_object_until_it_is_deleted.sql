begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

create function pg_temp.listed() returns setof text
language sql stable as $$
  select concat_ws(
           ' ', n.name, case when s.stored then 'stored' else 'perhaps' end,
           (select name from named_jobs where job_id = s.job_id), s.bytes,
           case when s.sha256 = pg_temp.sha('# 1') then 'first' when s.sha256 is not null then 'other' end
         )
    from upload_pipeline.stored_objects as s
    left join named_jobs as n on s.path ~ n.job_id::text
$$;
select pg_temp.set_clock('2026-01-01 12:00:00+00');
select pg_temp.make_job('a');
select is_empty('select pg_temp.listed()', 'a raw file is not listed');

select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# 1');
select bag_eq('select pg_temp.listed()', array['a perhaps a 3 first'], 'kept content is listed as perhaps stored');

select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select bag_eq('select pg_temp.listed()', array['a stored a 3 first'], 'finished content is listed as stored');

select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# 22', recognised => false);
select bag_eq(
  'select pg_temp.listed()', array['a stored a 3 first'],
  'content of unknown shape is not listed, since it is not written'
);

select upload_pipeline.discard_content(job_id => pg_temp.job('a'), ordinal => 2);
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select pg_temp.set_clock('2026-01-02 12:00:00+00');
select upload_pipeline.purge(older_than => interval '1 hour', least_age => '1 hour');
select bag_eq(
  'select pg_temp.listed()', array['a stored'], 'the object of a purged job is still listed, without its job'
);

select pg_temp.make_job('b', file => 'a');
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('b'), content => '# 22');
select bag_eq(
  'select pg_temp.listed()', array['a stored', 'b perhaps b 4 other'],
  'the next job of the document has an object of its own'
);

select upload_pipeline.erase_document(document_id => pg_temp.document('a'));
select bag_eq(
  'select pg_temp.listed()', array['a perhaps', 'b perhaps'], 'after the erasure both are listed as perhaps stored'
);

select pg_temp.set_clock('2026-01-02 13:00:00+00');
select upload_pipeline.finish_deletion(path => path, tries => tries)
  from upload_pipeline.claim_deletions(batch => 10)
 where path like '%' || pg_temp.job('a') || '%';
select bag_eq('select pg_temp.listed()', array['b perhaps'], 'a deleted object is no longer listed');
select is(
  (select count(*) from upload_pipeline.stored_objects), (select count(distinct path) from upload_pipeline.stored_objects),
  'each path is listed once'
);

select * from finish();
rollback;
