begin;
\ir ../raw_dml.psql
select plan(9);

select pg_temp.make_job_in_status('a', 'parse_queued');
set constraints all immediate;
set constraints all deferred;

select is(pg_temp.result_at_commit(statements), 'UP010', name)
  from (
    values
      ('an event ahead of its job, while all is deferred', $$
        set constraints all deferred;
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done')$$),
      ('an event ahead of its job, while all is immediate', $$
        set constraints all immediate;
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done');
        select pg_temp.update_job('a', 'parse_ready', 3)$$),
      ('after a check that went well', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 3);
        set constraints all immediate;
        set constraints all deferred;
        select pg_temp.insert_event('a', 4, 'parse_ready', 'failed_parse', 'stage_error')$$),
      ('deferred by name, with all others checked', $$
        set constraints upload_pipeline.event_moves_its_job deferred;
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done');
        set constraints upload_pipeline.job_is_born_with_its_history immediate$$),
      ('checked while it is true, then the job rewound', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 3);
        set constraints all immediate;
        select pg_temp.update_job('a', 'parse_queued', 2)$$),
      ('checked while it is true, then the event deleted', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 3);
        set constraints all immediate;
        delete from upload_pipeline.events where correlation_id = 'a' and version = 3$$),
      ('written in a block of its own', $$
        do 'begin
              perform pg_temp.insert_event(''a'', 3, ''parse_queued'', ''parse_ready'', ''stage_done'');
            exception when others then null;
            end'$$),
      ('a step whose job''s half is rolled back', $$
        do 'begin
              perform pg_temp.insert_event(''a'', 3, ''parse_queued'', ''parse_ready'', ''stage_done'');
              begin
                perform pg_temp.update_job(''a'', ''parse_ready'', 3);
                perform 1 / 0;
              exception when division_by_zero then null;
              end;
            end'$$)
  ) as attack (name, statements);

select is(
  pg_temp.result_at_commit($$
    select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 3);
    set constraints all immediate;
    select pg_temp.insert_event('a', 4, 'parse_ready', 'failed_parse', 'stage_error')$$),
  'UP010', 'an event comes before its job moves, so checking each at once refuses a true step too'
);

select * from finish();
rollback;
