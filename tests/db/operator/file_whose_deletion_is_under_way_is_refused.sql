begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(13);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a', file => 'f');
select upload_pipeline.erase_document(document_id => pg_temp.document('a'));
select pg_temp.set_clock('2026-01-01 12:06+00');
select results_eq(
  'select path, tries from upload_pipeline.claim_deletions()', $$values ('storage://raw/ada/f.pdf', 1)$$,
  'the drain claims the deletion'
);

create function pg_temp.refusal() returns text
language plpgsql as $$
declare
  v_detail text;
  v_hint text;
begin
  perform pg_temp.make_job('b', file => 'f');
  return 'made';
exception
  when sqlstate 'UP020' then
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return concat_ws(' ', sqlerrm || '.', v_detail, v_hint);
end;
$$;
set local timezone = 'Asia/Tokyo';
select is(
  pg_temp.refusal(),
  'the object ''storage://raw/ada/f.pdf'' is being deleted. Nothing needed it any more. Its deletion may be under '
  'way until 2026-01-01 12:07:00Z. Nothing was changed. Call again in a minute, then upload the file, or use another path.',
  'the file is refused while its object may be deleted, and the error says until when'
);
select is_empty('select * from upload_pipeline.documents', 'no document is made');
select is(
  (upload_pipeline.create_job(
     owner_id => pg_temp.owner('ada'), filename => 'f.pdf', mime => 'application/pdf', bytes_len => 1,
     file_sha256 => pg_temp.sha('f'), raw_path => 'storage://raw/ada/elsewhere.pdf'
   )).outcome::text,
  'applied', 'at another path it is taken'
);
select throws_ok(
  $$select upload_pipeline.create_job(
      owner_id => pg_temp.owner('ada'), filename => 'f.pdf', mime => 'application/pdf', bytes_len => 1,
      file_sha256 => pg_temp.sha('f'), raw_path => 'storage://raw/ada/f.pdf'
    )$$,
  'UP020', null, 'but it may not move to the path'
);
select upload_pipeline.erase_document(document_id => d.document_id) from upload_pipeline.documents as d;

savepoint under_way;
select upload_pipeline.finish_deletion(path => 'storage://raw/ada/f.pdf', tries => 1);
select is(pg_temp.refusal(), 'made', 'it is taken as soon as the object is gone');
rollback to under_way;

select pg_temp.set_clock('2026-01-01 12:06:59+00');
select is_empty(
  $$select path from upload_pipeline.claim_deletions() where path = 'storage://raw/ada/f.pdf'$$,
  'nobody claims a deletion that may be under way'
);
select isnt(pg_temp.refusal(), 'made', 'the claim lasts for a minute');
select pg_temp.set_clock('2026-01-01 12:07+00');
select is(pg_temp.refusal(), 'made', 'then the file is taken');
select is_empty(
  $$select path from upload_pipeline.deletions where path = 'storage://raw/ada/f.pdf'$$, 'and its path is off the queue'
);
select lives_ok(
  $$select upload_pipeline.finish_deletion(path => 'storage://raw/ada/f.pdf', tries => 1)$$, 'a late end of the deletion'
);
select results_eq(
  'select raw_path, upload_confirmed from upload_pipeline.documents', $$values ('storage://raw/ada/f.pdf', true)$$,
  'changes nothing'
);
select pg_temp.set_clock('2026-01-01 14:00+00');
select is_empty(
  $$select path from upload_pipeline.claim_deletions() where path = 'storage://raw/ada/f.pdf'$$,
  'and the file is not deleted later'
);

select * from finish();
rollback;
