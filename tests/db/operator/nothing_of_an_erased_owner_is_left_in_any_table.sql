-- Every column of every table is searched for the owner's words, before and after.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(8);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.start_announcing();
select upload_pipeline.set_credit_cap(owner_id => pg_temp.owner('ada'), period => 'day', credits => 50);
select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'), max_running => 5);
select pg_temp.make_job('secret first');
select upload_pipeline.erase_document(pg_temp.document('secret first'), 'asked for');
select pg_temp.make_job(name) from unnest(array['secret purged', 'secret held', 'secret kept', 'secret failed']) as name;
select pg_temp.make_job('secret unconfirmed', confirmed => false);
select pg_temp.receive_content(delivery_id => 'secret 1', job_id => pg_temp.job('secret purged'), content => 'secret');
select upload_pipeline.finish_content(job_id => pg_temp.job('secret purged'), ordinal => 1);
select upload_pipeline.cancel_job(job_id => pg_temp.job('secret purged'), reason => 'secret reason');
select pg_temp.set_clock('2026-02-01 12:00+00');
select upload_pipeline.purge(older_than => '7 days');
select pg_temp.make_job('secret again', file => 'secret unconfirmed', group_id => pg_temp.owner('group'));
select pg_temp.claim();
select pg_temp.reserve('secret held', 5);
select upload_pipeline.record_submission(job_id => pg_temp.job('secret held'), attempt => 1, parse_job_id => 'secret pj');
select pg_temp.receive_event(delivery_id => 'secret 2', code => null, event_type => 'x', parse_job_id => 'secret pj', payload => '{"a": "secret"}');
select pg_temp.receive_content(
  delivery_id => 'secret 3', job_id => pg_temp.job('secret kept'), content => '# secret', details => '{"a": "secret"}'
);
select pg_temp.receive_content(delivery_id => 'secret 4', job_id => pg_temp.job('secret kept'), content => 'secret', recognised => false);
select pg_temp.fail('secret failed', '{"code": "boom", "error": "secret error"}', permanent => true);

-- The tables where one of the words is, also as bytes: the owner's id, names, hashes, content.
create function pg_temp.found() returns setof text
language plpgsql as $$
declare
  v_relation text;
  v_found boolean;
begin
  for v_relation in
    select c.relname from pg_class as c where c.relnamespace = 'upload_pipeline'::regnamespace and c.relkind = 'r'
  loop
    execute format(
      'select exists (select from upload_pipeline.%I as t where t::text ~ %L)', v_relation,
      concat_ws(
        '|', 'secret', encode('secret', 'hex'), pg_temp.owner('ada'), pg_temp.sha('secret held'), pg_temp.sha('secret unconfirmed'),
        pg_temp.sha('# secret'), pg_temp.document('secret held'), pg_temp.document('secret purged')
      )
    ) into v_found;
    if v_found then
      return next v_relation;
    end if;
  end loop;
end;
$$;
select set_has(
  'select pg_temp.found()',
  $$values ('documents'), ('upload_jobs'), ('events'), ('provider_jobs'), ('contents'), ('webhook_deliveries'), ('credit_caps'),
           ('credit_reservations'), ('owner_settings'), ('job_groups')$$,
  'the words of the owner are in these tables'
);
select ok(documents = 5 and jobs >= 3, 'erase_owner deletes the documents')
  from upload_pipeline.erase_owner(owner_id => pg_temp.owner('ada'));
select bag_eq(
  'select pg_temp.found()', array['deletions', 'provider_requests'],
  'only the paths of objects and the ids of provider jobs are left, until both are deleted'
);

create temp table deleted as select * from upload_pipeline.claim_deletions(batch => 0) limit 0;
select pg_temp.set_clock('2026-02-01 12:10+00');
insert into deleted select * from upload_pipeline.claim_deletions(batch => 100);
select cmp_ok((select count(*) from deleted), '>=', 7::bigint, 'each object of the owner is deleted from storage');
select upload_pipeline.finish_deletion(path => d.path, tries => d.tries) from deleted as d;
select is_empty('select pg_temp.found() except select $$provider_requests$$', 'then nothing of the owner is left in any table');
select upload_pipeline.finish_provider_request('llamacloud', 'secret pj', 'delete');
select bag_eq(
  $$select to_jsonb(r) - 'requested_at' - 'done_at' from upload_pipeline.provider_requests as r$$,
  $$values (jsonb '{"provider": "llamacloud", "parse_job_id": "secret pj", "kind": "delete", "run_after": null, "tries": 0,
                   "result": "done", "last_error": null}')$$,
  'but the id of the provider job, which the provider has deleted'
);
select pg_temp.set_clock('2026-03-01 12:00+00');
select upload_pipeline.purge(older_than => '7 days');
select is_empty('select pg_temp.found()', 'until purge deletes that too');
select is_empty('select * from upload_pipeline.check_integrity()', 'no invariant is violated');

select * from finish();
rollback;
