SELECT refused::text
FROM apply_events($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::text[]::boolean[]) AS refused
