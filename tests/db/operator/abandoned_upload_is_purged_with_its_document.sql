begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(14);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('abandoned', confirmed => false), pg_temp.make_job('confirmed');
-- Cancelled without an upload; parsed without a confirmation; with content that waits for storage.
select pg_temp.make_job(name, confirmed => false) from unnest(array['cancelled', 'parsed', 'kept']) as name;
select upload_pipeline.cancel_job(job_id => pg_temp.job('cancelled'));
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('parsed'), content => '# x');
select upload_pipeline.finish_content(job_id => pg_temp.job('parsed'), ordinal => 1);
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('kept'), content => '# y');
-- The same file is another owner's, who has uploaded it to the same place.
select upload_pipeline.create_job(
  owner_id => pg_temp.owner('bob'), filename => 'f.pdf', mime => 'application/pdf', bytes_len => 1,
  file_sha256 => pg_temp.sha('abandoned'), raw_path => 'storage://raw/ada/abandoned.pdf'
);
select pg_temp.set_clock('2026-01-31 12:00+00');
select pg_temp.make_job('young', confirmed => false);
update upload_pipeline.upload_jobs as j set updated_at = '2026-01-20' from upload_pipeline.documents as d
 where d.document_id = j.document_id and d.owner_id = pg_temp.owner('bob');

select results_eq(
  $$select * from upload_pipeline.purge(older_than => '30 days', dry_run => true)$$,
  'values (0::bigint, 0::bigint, 0::bigint)', 'nothing is old enough on the last day'
);
select pg_temp.set_clock('2026-01-31 12:00:01+00');
select results_eq(
  $$select * from upload_pipeline.purge(older_than => '30 days', batch => 1, dry_run => true)$$,
  'values (3::bigint, 2::bigint, 0::bigint)', 'a dry run counts all of it, whatever the batch is'
);
select is((select count(*) from upload_pipeline.upload_jobs), 7::bigint, 'and deletes nothing');
select results_eq(
  $$select * from upload_pipeline.purge(older_than => '30 days')$$,
  'values (3::bigint, 2::bigint, 0::bigint)', 'purge deletes what the dry run counted'
);
select bag_eq(
  'select n.name from named_jobs as n join upload_pipeline.upload_jobs as j on j.job_id = n.job_id',
  array['confirmed', 'kept', 'young'], 'a confirmed job, a young one, and one whose content waits stay'
);
select bag_eq(
  'select filename, jobs from upload_pipeline.document_overview',
  $$values ('confirmed.pdf', 1), ('kept.pdf', 1), ('young.pdf', 1), ('f.pdf', 1), ('parsed.pdf', 0)$$,
  'a document stays that has a job, or an object of one'
);
select bag_eq(
  'select path from upload_pipeline.deletions',
  $$values ('storage://raw/ada/abandoned.pdf'), ('storage://raw/ada/cancelled.pdf')$$,
  'the raw files of the others are queued for deletion'
);
select pg_temp.set_clock('2026-01-31 13:00+00');
select results_eq(
  'select path from upload_pipeline.claim_deletions()', $$values ('storage://raw/ada/cancelled.pdf')$$,
  'unless another document has the file'
);
select results_eq(
  $$select * from upload_pipeline.purge(older_than => '30 days')$$,
  'values (0::bigint, 0::bigint, 0::bigint)', 'nothing is left'
);
select lives_ok($$select pg_temp.make_job('again', file => 'abandoned')$$, 'the file may be announced again');

-- A number without a unit is seconds.
select throws_ok($$select upload_pipeline.purge('90')$$, 'UP006', null, 'purge(''90'') is refused');
select throws_ok($$select upload_pipeline.purge('0')$$, 'UP006', null, 'purge(''0'') is refused');
select throws_ok(
  $$select upload_pipeline.purge('-1 day', least_age => '-2 days')$$, 'UP006', null, 'an age in the future is refused'
);
select lives_ok($$select upload_pipeline.purge('0', least_age => '0')$$, 'unless it is asked for');

select * from finish();
rollback;
