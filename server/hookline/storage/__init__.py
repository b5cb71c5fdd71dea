"""Where parsed content lies: files, or buckets of Supabase Storage."""
