begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(22);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'));
create temp table held as
  select lease_token from upload_pipeline.claim_jobs(status => 'parse_ready', worker => 'w');
create function pg_temp.receive(text text, name text default 'text', lease uuid default null)
returns setof text
language sql as $$
  select concat_ws(' ', r.kind, r.name, r.stored)
    from upload_pipeline.receive_artifacts(
      job_id => pg_temp.job('a'), lease_token => coalesce(receive.lease, (select h.lease_token from held as h)),
      artifacts => jsonb_build_array(jsonb_build_object(
        'kind', 'images', 'name', receive.name, 'sha256', pg_temp.sha(convert_to(receive.text, 'UTF8')),
        'bytes', length(receive.text), 'extension', 'png'
      ))
    ) as r
$$;
create function pg_temp.finish() returns void
language sql as $$
  select upload_pipeline.finish_artifacts(
    pg_temp.job('a'), (select h.lease_token from held as h), array(select a.path from upload_pipeline.artifacts as a)
  )
$$;

select results_eq($$select pg_temp.receive('one', '../../x')$$, array['images ../../x f'], 'an artifact is recorded');
select is(
  (select path::text from upload_pipeline.artifacts),
  format(
    'storage://parsed/%s/%s.1.images.%s.png', pg_temp.document('a'), pg_temp.job('a'),
    pg_temp.sha(convert_to('../../x ' || pg_temp.sha('one'), 'UTF8'))
  ),
  'its path has a hash of its name and content, and not its name'
);
select is_empty('select from upload_pipeline.artifact_overview', 'before it is stored nobody is shown it');
select is(
  (select concat_ws(' ', job_id, stored, bytes) from upload_pipeline.stored_objects),
  pg_temp.job('a') || ' f 3', 'but its object may be there'
);
select pg_temp.finish();
select results_eq(
  'select kind, name, bytes, attempt from upload_pipeline.artifact_overview', $$values ('images', '../../x', 3::bigint, 1)$$,
  'then it is shown'
);
select results_eq($$select pg_temp.receive('one', '../../x')$$, array['images ../../x t'], 'the same again needs no write');
select pg_temp.receive('one', 'copy');
select is(
  (select count(distinct path) from upload_pipeline.artifacts), 2::bigint, 'two names have two paths, also with one content'
);
select is_empty('select from upload_pipeline.deletions', 'nothing is deleted yet');
create temp table first as select path from upload_pipeline.artifacts where name = '../../x';
select results_eq($$select pg_temp.receive('other', '../../x')$$, array['images ../../x f'], 'other content needs another write');
select set_eq('select path from upload_pipeline.deletions', 'select path from first', 'and the object before is deleted');

select results_eq($$select pg_temp.receive('one', '../../x')$$, array['images ../../x f'], 'the first content comes back');
select set_eq(
  'select path from upload_pipeline.deletions',
  $$select format('storage://parsed/%s/%s.1.images.%s.png', pg_temp.document('a'), pg_temp.job('a'),
                  pg_temp.sha(convert_to('../../x ' || pg_temp.sha('other'), 'UTF8')))$$,
  'then its object is not deleted, and that of the other content is'
);
select pg_temp.set_clock('2026-01-01 12:06+00');
select count(*) from upload_pipeline.claim_deletions();
select throws_ok(
  $$select pg_temp.receive('other', '../../x')$$, 'UP020', null, 'while an object is being deleted its path is given to nobody'
);
select pg_temp.set_clock('2026-01-01 12:08+00');
select results_eq($$select pg_temp.receive('other', '../../x')$$, array['images ../../x f'], 'and a minute later it is');

select throws_ok(
  format(
    'select upload_pipeline.receive_artifacts(%L, (select lease_token from held), %L)', pg_temp.job('a'), artifacts
  ),
  'UP006', null, 'refused: ' || left(artifacts, 60)
)
  from unnest(array['{}', '[{"kind": "text", "name": "", "sha256": "x", "bytes": 1, "extension": "txt"}]', (
    select jsonb_agg(jsonb_build_object('kind', 'text', 'name', n::text, 'sha256', repeat('a', 64), 'bytes', 1, 'extension', 'txt'))
      from generate_series(1, 999) as n
  )::text]) as artifacts;

create temp table others as select path from upload_pipeline.artifacts;
update upload_pipeline.artifacts set attempt = 7;
select upload_pipeline.receive_artifacts(pg_temp.job('a'), (select lease_token from held), '[]');
select is_empty('select from upload_pipeline.artifacts', 'artifacts of an earlier attempt are dropped, also if there are no others');
select set_has('select path from upload_pipeline.deletions', 'select path from others', 'with their objects');
delete from upload_pipeline.deletions;
select pg_temp.receive('one', name) from unnest(array['x', 'y', 'z']) as name;

delete from upload_pipeline.deletions;
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select is_empty('select from upload_pipeline.artifacts', 'another attempt drops the artifacts of the one before');
select is((select count(*) from upload_pipeline.deletions), 3::bigint, 'and their objects are deleted');
select throws_ok(
  $$select pg_temp.receive('late')$$, 'UP003', null, 'a worker of the attempt before is refused'
);

select * from finish();
rollback;
