-- Deletes all documents, caps, settings and groups of an owner, queues the deletion of their objects and provider
-- jobs, and takes the owner's id out of the reservations: what was spent stays in the sums of all owners.
-- Locks: document, job, deletion, artifact, provider request, content, delivery, reservation, cap, owner, group (all of
-- the owner).
-- Calls: erase_documents, record_action.
create or replace function upload_pipeline.erase_owner(owner_id uuid, reason text default null)
returns table (documents bigint, jobs bigint, objects bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  v_group_ids uuid[];
begin
  if owner_id is null then
    raise exception 'cannot erase owner %', coalesce(owner_id::text, 'null')
      using errcode = 'UP006',
            detail = 'owner_id is the id that create_job was called with.',
            hint = 'Look it up in upload_pipeline.document_overview.';
  end if;

  select e.documents, e.jobs, e.objects into documents, jobs, objects
    from upload_pipeline.erase_documents(array(
      select d.document_id
        from upload_pipeline.documents as d
       where d.owner_id = erase_owner.owner_id
    )) as e;

  update upload_pipeline.credit_reservations as r
     set owner_id = null
   where r.owner_id = erase_owner.owner_id;

  delete from upload_pipeline.credit_caps as c
   where c.owner_id = erase_owner.owner_id;

  delete from upload_pipeline.owner_settings as o
   where o.owner_id = erase_owner.owner_id;

  v_group_ids := array(
    select g.group_id
      from upload_pipeline.job_groups as g
     where g.owner_id = erase_owner.owner_id
     order by g.group_id
       for update
  );
  -- A new statement, which sees a job that joined a group while this one waited for the lock.
  delete from upload_pipeline.job_groups as g
   where g.group_id = any (v_group_ids)
     and not exists (select from upload_pipeline.upload_jobs as j where j.group_id = g.group_id);

  perform upload_pipeline.record_action(
    'erase_owner', erase_owner.reason, id => erase_owner.owner_id,
    details => jsonb_build_object('documents', documents, 'jobs', jobs, 'objects', objects)
  );

  return next;
end;
$$;

comment on function upload_pipeline.erase_owner(uuid, text) is
  'Removes everything of an owner at once: every document, also one without a job, as erase_document does, and the '
  'owner''s caps, settings and groups. Queues the deletion of the objects from storage, and of the jobs at the '
  'providers. The counts are 0 if nothing was there. Raises UP006.';

revoke all on function upload_pipeline.erase_owner(uuid, text) from public;
grant execute on function upload_pipeline.erase_owner(uuid, text) to hookline_operator;
