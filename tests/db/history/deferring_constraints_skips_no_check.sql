begin;
\ir ../raw_dml.psql
select plan(9);

select pg_temp.make_job_in_status('a', 'parse_queued');
set constraints all immediate;
set constraints all deferred;

select is(pg_temp.result_at_commit(statements), 'UP010', name)
  from (
    values
      ('an event ahead of its job, all constraints deferred', $$
        set constraints all deferred;
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done')$$),
      ('an event ahead of its job, all constraints immediate', $$
        set constraints all immediate;
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done');
        select pg_temp.update_job('a', 'parse_ready', 3)$$),
      ('a second event after the first passed its check', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 3);
        set constraints all immediate;
        set constraints all deferred;
        select pg_temp.insert_event('a', 4, 'parse_ready', 'failed_parse', 'stage_error')$$),
      ('an event whose constraint alone is deferred', $$
        set constraints upload_pipeline.event_moves_its_job deferred;
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done');
        set constraints upload_pipeline.job_is_born_with_its_history immediate$$),
      ('an event that was checked, then its job is set back', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 3);
        set constraints all immediate;
        select pg_temp.update_job('a', 'parse_queued', 2)$$),
      ('an event that was checked and is then deleted', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 3);
        set constraints all immediate;
        delete from upload_pipeline.events where correlation_id = 'a' and version = 3$$),
      ('an event written in a block of its own', $$
        do 'begin
              perform pg_temp.insert_event(''a'', 3, ''parse_queued'', ''parse_ready'', ''stage_done'');
            exception when others then null;
            end'$$),
      ('a step whose update of the job is rolled back', $$
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
  'UP010', 'with immediate constraints even a legal step is refused, since its event comes before the update'
);

select * from finish();
rollback;
