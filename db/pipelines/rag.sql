-- Optional: a longer chain of stages between parsed and complete.
--   psql -f db/pipelines/rag.sql
-- It is data only. The functions read the state machine from these rows, so none of them changes.
begin;

insert into upload_pipeline.statuses
  (status, terminal, failed, claimable, has_content, announced, overdue_after, description)
values
  ('parse_validated', false, false, true, true, false, interval '1 hour', 'The content is fit for use.'),
  ('chunking', false, false, false, true, false, interval '30 minutes', 'The content is being cut into chunks.'),
  ('chunks_stored', false, false, true, true, false, interval '1 hour', 'The chunks are stored.'),
  ('embedding_queued', false, false, true, true, false, interval '1 hour', 'The chunks wait for their embeddings.'),
  ('embedding_in_progress', false, false, false, true, false, interval '30 minutes', 'The chunks are being embedded.'),
  ('embeddings_stored', false, false, true, true, false, interval '1 hour', 'The embeddings are stored.'),
  ('failed_chunking', true, true, false, true, true, null, 'Chunking failed for good.'),
  ('failed_embedding', true, true, false, true, true, null, 'Embedding failed for good.'),
  ('duplicate', true, false, false, true, true, null, 'The same content is already in the index.')
on conflict do nothing;

insert into upload_pipeline.transitions (from_status, to_status, event_type) values
  ('parsed', 'parse_validated', 'stage_done'),
  ('parsed', 'failed_parse', 'stage_error'),
  ('parsed', 'duplicate', 'finalized'),
  ('parse_validated', 'chunking', 'stage_started'),
  ('parse_validated', 'duplicate', 'finalized'),
  ('chunking', 'chunks_stored', 'stage_done'),
  ('chunks_stored', 'embedding_queued', 'stage_started'),
  ('embedding_queued', 'embedding_in_progress', 'stage_started'),
  ('embedding_in_progress', 'embeddings_stored', 'stage_done'),
  ('embeddings_stored', 'complete', 'finalized'),
  ('parse_validated', 'failed_chunking', 'stage_error'),
  ('chunking', 'failed_chunking', 'stage_error'),
  ('chunks_stored', 'failed_embedding', 'stage_error'),
  ('embedding_queued', 'failed_embedding', 'stage_error'),
  ('embedding_in_progress', 'failed_embedding', 'stage_error'),
  ('failed_chunking', 'parse_validated', 'retry'),
  ('failed_embedding', 'embedding_queued', 'retry'),
  ('parse_validated', 'parse_validated', 'operator'),
  ('parse_validated', 'parse_validated', 'retry'),
  ('chunking', 'chunking', 'operator'),
  ('chunking', 'chunking', 'retry'),
  ('chunks_stored', 'chunks_stored', 'operator'),
  ('chunks_stored', 'chunks_stored', 'retry'),
  ('embedding_queued', 'embedding_queued', 'operator'),
  ('embedding_queued', 'embedding_queued', 'retry'),
  ('embedding_in_progress', 'embedding_in_progress', 'operator'),
  ('embedding_in_progress', 'embedding_in_progress', 'retry'),
  ('embeddings_stored', 'embeddings_stored', 'operator'),
  ('embeddings_stored', 'embeddings_stored', 'retry'),
  ('parse_validated', 'cancelled', 'operator'),
  ('chunking', 'cancelled', 'operator'),
  ('chunks_stored', 'cancelled', 'operator'),
  ('embedding_queued', 'cancelled', 'operator'),
  ('embedding_in_progress', 'cancelled', 'operator'),
  ('embeddings_stored', 'cancelled', 'operator'),
  ('failed_chunking', 'cancelled', 'operator'),
  ('failed_embedding', 'cancelled', 'operator')
on conflict do nothing;

insert into upload_pipeline.event_codes (code, event_type, severity, to_status, description) values
  ('parse_validated', 'stage_done', 'info', 'parse_validated', 'The content is fit for use.'),
  ('parse_rejected', 'stage_error', 'error', 'failed_parse', 'The content is not fit for use.'),
  ('chunking_started', 'stage_started', 'info', 'chunking', 'Chunking began.'),
  ('chunking_completed', 'stage_done', 'info', 'chunks_stored', 'The chunks are stored.'),
  ('chunking_failed', 'stage_error', 'error', 'failed_chunking', 'Chunking failed for good.'),
  ('embedding_queued', 'stage_started', 'info', 'embedding_queued', 'The chunks were handed to embedding.'),
  ('embedding_started', 'stage_started', 'info', 'embedding_in_progress', 'Embedding began.'),
  ('embedding_completed', 'stage_done', 'info', 'embeddings_stored', 'The embeddings are stored.'),
  ('embedding_failed', 'stage_error', 'error', 'failed_embedding', 'Embedding failed for good.'),
  ('duplicate_found', 'finalized', 'info', 'duplicate', 'The same content is already in the index.')
on conflict do nothing;

update upload_pipeline.statuses as s
   set failure_code = f.code
  from (
    values ('parse_validated', 'chunking_failed'),
           ('chunking', 'chunking_failed'),
           ('chunks_stored', 'embedding_failed'),
           ('embedding_queued', 'embedding_failed'),
           ('embedding_in_progress', 'embedding_failed')
  ) as f (status, code)
 where s.status = f.status
   and s.failure_code is null;

-- The direct step past the new stages is closed. Jobs that took it keep their history.
update upload_pipeline.transitions
   set enabled = false
 where from_status = 'parsed'
   and to_status = 'complete';

commit;
