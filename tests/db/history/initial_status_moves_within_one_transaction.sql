begin;
\ir ../raw_dml.psql
select plan(14);

select pg_temp.make_job_in_status('old', 'uploaded');
set constraints all immediate;
set constraints all deferred;

select is(
  pg_temp.result_at_commit('update upload_pipeline.statuses set initial = false where initial'), 'UP011',
  'a machine without an initial status is refused at commit'
);
select is(
  pg_temp.result_at_commit(
    'set session_replication_role = replica; update upload_pipeline.statuses set initial = false', by => session_user
  ),
  'UP011', 'a load with replica mode is refused too'
);
select is(
  pg_temp.result_at_commit($$
    update upload_pipeline.statuses set initial = false;
    delete from upload_pipeline.statuses as s where not exists (
      select from upload_pipeline.transitions as t where s.status in (t.from_status, t.to_status)
    )$$),
  'UP011', 'so is one whose initial status is taken away by a delete'
);
select is(
  pg_temp.result_at_commit($$update upload_pipeline.statuses set initial = true where status = 'parse_ready'$$),
  '23505 one_initial_status', 'a second initial status is refused at once'
);
select is(
  pg_temp.result_at_commit($$
    update upload_pipeline.statuses set initial = false where initial;
    update upload_pipeline.statuses set initial = true where status = 'parsed'$$),
  '23514 initial_status_has_no_content', 'a status whose jobs have content cannot be the initial one'
);

insert into upload_pipeline.statuses (status, description) values ('received', 'Not yet checked for viruses.');
insert into upload_pipeline.transitions (from_status, to_status, event_type)
values ('received', 'uploaded', 'stage_done'), ('received', 'received', 'retry'), ('received', 'received', 'operator');
select lives_ok(
  $$update upload_pipeline.statuses set initial = false where initial;
    update upload_pipeline.statuses set initial = true where status = 'received';
    set constraints all immediate;
    set constraints all deferred$$,
  'the initial status moves within one transaction'
);
select is(
  (select status
     from upload_pipeline.create_job(
       owner_id => gen_random_uuid(), filename => 'a.pdf', mime => 'application/pdf', bytes_len => 1,
       file_sha256 => repeat('b', 64), raw_path => 'storage://raw/b.pdf'
     )),
  'received', 'a new job starts in the new initial status'
);
select lives_ok('set constraints all immediate; set constraints all deferred', 'and its history is complete');
select is_empty('select * from upload_pipeline.check_integrity()', 'histories that began in the old one stay valid');
select is(
  pg_temp.result_at_commit($$
    create temporary table history as select e.* from upload_pipeline.events as e where e.correlation_id = 'old';
    create temporary table job as select j.* from upload_pipeline.upload_jobs as j where j.correlation_id = 'old';
    delete from upload_pipeline.upload_jobs where correlation_id = 'old';
    insert into upload_pipeline.upload_jobs select job.* from job;
    insert into upload_pipeline.events select history.* from history$$, by => session_user),
  'passed', 'and can be restored'
);
select is(
  pg_temp.result_at_commit($$
    insert into upload_pipeline.upload_jobs (
      document_id, owner_id, job_id, status, terminal, failed, claimable, has_content, upload_confirmed, correlation_id
    )
    select d.document_id, d.owner_id, gen_random_uuid(), s.status, s.terminal, s.failed, s.claimable, s.has_content, false, 'new'
      from upload_pipeline.statuses as s
     cross join lateral (
       select d.document_id, d.owner_id from upload_pipeline.documents as d where d.file_sha256 = repeat('a', 64)
     ) as d
     where s.status = 'cancelled';
    select pg_temp.insert_event('new', 1, null, 'cancelled', 'operator')$$),
  'UP010', 'a history never begins in a status that was never initial'
);

-- The rows of the machine that every job needs.
select is(
  pg_temp.result_at_commit($$
    alter table upload_pipeline.statuses disable trigger one_status_is_initial;
    update upload_pipeline.statuses set initial = false;
    select upload_pipeline.create_job(
      owner_id => gen_random_uuid(), filename => 'a.pdf', mime => 'application/pdf', bytes_len => 1,
      file_sha256 => repeat('c', 64), raw_path => 'storage://raw/c.pdf'
    )$$),
  'UP011', 'create_job says that no status is initial, instead of trying for ever'
);
select is(
  pg_temp.result_at_commit($$
    delete from upload_pipeline.events; delete from upload_pipeline.event_codes where code = 'job_created'$$),
  'UP010', 'a code that a history uses is not deleted'
);
select is(
  pg_temp.result_at_commit($$
    delete from upload_pipeline.documents;
    delete from upload_pipeline.event_codes where code = 'job_created';
    select upload_pipeline.create_job(
      owner_id => gen_random_uuid(), filename => 'a.pdf', mime => 'application/pdf', bytes_len => 1,
      file_sha256 => repeat('c', 64), raw_path => 'storage://raw/c.pdf'
    )$$),
  'UP011', 'create_job says that the code of its event is missing'
);

select * from finish();
rollback;
