begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

create function pg_temp.upload_to(raw_path text) returns text
language sql as $$
  select outcome::text
    from upload_pipeline.create_job(
      owner_id => '7d1f1c1e-8a52-4f0e-9c39-0e6b3f2f6a11', filename => 'a.pdf', mime => 'application/pdf',
      bytes_len => 9, file_sha256 => repeat('a', 64), raw_path => upload_to.raw_path
    );
$$;

select is(
  pg_temp.upload_to('storage://raw/A') || ' ' || pg_temp.upload_to('storage://raw/B'), 'applied duplicate',
  'create_job again with another path is a duplicate'
);
select results_eq(
  'select path::text from upload_pipeline.deletions', $$values ('storage://raw/A')$$,
  'the object at the first path is queued for deletion'
);
select pg_temp.upload_to('storage://raw/A');
select pg_temp.set_clock('2100-01-01 00:00+00');
select results_eq(
  'select path from upload_pipeline.claim_deletions()', $$values ('storage://raw/B')$$,
  'a path that is used again is not deleted, the other one is'
);

select * from finish();
rollback;
