-- Demo jobs for a local project, which `supabase db reset` makes after the migrations: one in each place where a job
-- of the parse pipeline waits or ends, led there by the functions that a backend, a worker and the receiver call.
-- Run again it changes nothing. The documents are not in storage, and neither is the parsed content; what is `kept`
-- the drain of a receiver stores by itself.
do $$
declare
  v_ada constant uuid := '00000000-0000-4000-8000-000000000ada';
  v_bob constant uuid := '00000000-0000-4000-8000-000000000b0b';
  v_file record;
  v_sha256 text;
  v_job upload_pipeline.receipt;
  v_content upload_pipeline.receipt;
begin
  if exists (select from upload_pipeline.job_overview as j where j.owner_id in (v_ada, v_bob)) then
    return;
  end if;

  for v_file in
    select f.owner_id, f.filename, f.story
      from (
        values
          (v_ada, 'on-its-way.pdf', 'created'),
          (v_ada, 'notes.pdf', 'confirmed'),
          (v_ada, 'thesis.pdf', 'submitted'),
          (v_ada, 'slides.pdf', 'ready'),
          (v_ada, 'report.pdf', 'parsed'),
          (v_bob, 'contract.pdf', 'parsed'),
          (v_bob, 'minutes.pdf', 'kept'),
          (v_bob, 'scan.pdf', 'unrecognised'),
          (v_bob, 'broken.pdf', 'failed'),
          (v_bob, 'mistake.pdf', 'cancelled')
      ) as f (owner_id, filename, story)
  loop
    v_sha256 := encode(sha256(convert_to(v_file.filename, 'UTF8')), 'hex');

    v_job := upload_pipeline.create_job(
      owner_id => v_file.owner_id,
      filename => v_file.filename,
      mime => 'application/pdf',
      bytes_len => 48213,
      file_sha256 => v_sha256,
      raw_path => format('storage://raw/%s/%s', v_file.owner_id, v_sha256),
      correlation_id => 'seed-' || v_file.filename
    );
    continue when v_file.story = 'created';

    perform upload_pipeline.confirm_upload(job_id => v_job.job_id, bytes_len => 48213, file_sha256 => v_sha256);
    continue when v_file.story = 'confirmed';

    if v_file.story = 'cancelled' then
      perform upload_pipeline.cancel_job(job_id => v_job.job_id, reason => 'the wrong file');
      continue;
    end if;

    perform upload_pipeline.record_submission(
      job_id => v_job.job_id, attempt => 1, parse_job_id => 'seed-' || v_file.filename
    );

    if v_file.story in ('ready', 'failed') then
      perform upload_pipeline.receive_event(
        source => 'llamacloud',
        delivery_id => 'seed-' || v_file.filename,
        body_sha256 => v_sha256,
        event_type => case v_file.story when 'ready' then 'parse.success' else 'parse.error' end,
        code => case v_file.story when 'ready' then 'parse_ready' else 'parse_failed' end,
        parse_job_id => 'seed-' || v_file.filename,
        payload => case v_file.story
          when 'ready' then jsonb '{}' else jsonb '{"error": "The file is encrypted."}'
        end
      );
    elsif v_file.story in ('parsed', 'kept', 'unrecognised') then
      v_content := upload_pipeline.receive_content(
        source => 'llamaparse',
        delivery_id => 'seed-' || v_file.filename,
        body_sha256 => v_sha256,
        event_type => 'parsed',
        job_id => v_job.job_id,
        content => convert_to(format(E'# %s\n\nThis is what the parser made of it.\n', v_file.filename), 'UTF8'),
        parse_job_id => 'seed-' || v_file.filename,
        recognised => v_file.story <> 'unrecognised'
      );
      if v_file.story = 'parsed' then
        perform upload_pipeline.finish_content(job_id => v_job.job_id, ordinal => v_content.ordinal);
      end if;
    end if;
  end loop;

  -- Of a provider job that nobody has submitted: parked, until record_submission says whose it is.
  perform upload_pipeline.receive_event(
    source => 'llamacloud',
    delivery_id => 'seed-parked',
    body_sha256 => encode(sha256('parked'), 'hex'),
    event_type => 'parse.success',
    code => 'parse_ready',
    parse_job_id => 'seed-nobodys'
  );
end;
$$;
