SELECT remove_old_generations($1::bigint)
