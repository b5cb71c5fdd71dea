create domain upload_pipeline.sha256_hex as text
  constraint sha256_is_64_lowercase_hex_digits check (value ~ '^[0-9a-f]{64}$');

comment on domain upload_pipeline.sha256_hex is 'A SHA-256 digest as 64 lowercase hex digits.';
