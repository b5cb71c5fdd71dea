-- Changes nothing. Sources are named after their provider. LlamaParse is the parser of LlamaCloud: one provider job may
-- be reported by an event of LlamaCloud and by an envelope.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.provider_of(source text)
returns text
language sql
immutable
parallel safe
begin atomic
  select coalesce(nullif(nullif(provider_of.source, 'llamaparse'), 'llamaparse_push'), 'llamacloud');
end;

comment on function upload_pipeline.provider_of(text) is
  'The provider whose ids the deliveries of a source name: llamacloud for the sources llamaparse and '
  'llamaparse_push, otherwise the source itself.';

-- A view calls its functions with the reader's rights.
revoke all on function upload_pipeline.provider_of(text) from public;
grant execute on function upload_pipeline.provider_of(text) to hookline_reader;
