create or replace view upload_pipeline.refusal_log as
select r.minute,
       r.source,
       r.reason,
       r.count,
       r.user_agent,
       case r.reason
         when 'no_signature' then 'The sender signs nothing, or a proxy removed the header.'
         when 'malformed_signature' then 'The sender signs in another way: see HOOKLINE_LLAMAPARSE_SCHEME.'
         when 'no_secret' then 'This receiver has no secret of the source: set its HOOKLINE_..._SECRETS.'
         when 'no_match' then
           'It was signed with a secret that is not configured here, or a proxy changed the body on the way.'
         when 'wrong_time' then 'The clock of the sender or of the receiver is wrong, or an old request was sent again.'
         when 'repeated_header' then 'A proxy or the sender sends the header twice.'
         when 'malformed_token' then 'The address is not one that `hookline url` printed.'
         when 'wrong_token' then 'The address was made with a secret that HOOKLINE_PUSH_SECRETS does not have here.'
         when 'wrong_probe' then
           'A `hookline send` or `hookline doctor --public` has another secret than this receiver.'
         when 'malformed' then 'A proven sender sends a format that this source does not have.'
         when 'unprocessable' then 'A proven sender sent a result that is incomplete or empty.'
         when 'unknown_job' then 'The job was purged or erased, or the sender works for another database.'
         when 'document_mismatch' then 'The sender names the document of another job.'
         when 'delivery_conflict' then 'The sender used the id of a delivery again, for other content.'
         when 'unusable_content' then 'The content differs from the hash or size that the sender names, or is empty.'
         when 'invalid_argument' then 'The body holds a value that Postgres cannot store.'
         when 'request_entity_too_large' then 'The body is larger than HOOKLINE_MAX_BODY.'
         when 'unsupported_media_type' then 'The body is compressed, or its Content-Type is not application/json.'
         when 'request_timeout' then 'The body did not arrive within HOOKLINE_READ_TIMEOUT.'
         when 'too_busy' then 'More bodies arrived at once than HOOKLINE_BODY_BUDGET holds.'
       end as likely_cause
  from upload_pipeline.refused_deliveries as r;

comment on view upload_pipeline.refusal_log is
  'Deliveries that were refused, counted by minute, source and reason, with the likely cause.';

revoke all on upload_pipeline.refusal_log from public;
grant select on upload_pipeline.refusal_log to hookline_reader;
