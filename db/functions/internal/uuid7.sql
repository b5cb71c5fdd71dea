-- Changes nothing. Ids in time order keep inserts at the right edge of the primary key's index. uuidv7() exists only
-- from Postgres 18 on. Layout: RFC 9562 section 5.7, 48 bits of Unix milliseconds, version, variant, 74 random bits.
-- The body is standard SQL, as that of clock().
-- Locks: none. Calls: none.
create or replace function upload_pipeline.uuid7()
returns uuid
language sql
volatile
return encode(
  set_bit(
    set_bit(
      overlay(
        uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
        from 1 for 6
      ),
      52, 1
    ),
    53, 1
  ),
  'hex'
)::uuid;

comment on function upload_pipeline.uuid7() is 'A new UUIDv7 (RFC 9562, section 5.7).';

revoke all on function upload_pipeline.uuid7() from public;
