SELECT switched, upto, head FROM rebuild_step($1::bigint)
