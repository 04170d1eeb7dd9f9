"""Heads: in a lane, the first runs of a task by key, leaving out the keys that are full (jobs.runs.limits).

Looking at the runs one by one could pass over any number of runs of a key that is full. So two things are looked at:
the first FEW runs of the task, and the first run of each key, by walking the index from key to key: from its start, and
from a random place, each until MOST_KEYS keys have been found that are not full. Their first run is the next one. Of an
owner with at most MOST_KEYS keys that are not full, that is the run that was submitted first. With more it may be
another one, but no key is passed over for ever. No more keys can be full than there are runs running.

The names `lanes.owner_id` and `walked.value`, the task, are those of the query around it.
"""

import re
from collections.abc import Mapping

FEW = 10
MOST_KEYS = 32

HEADS = """
WITH RECURSIVE walk (limit_key, free) AS (
  SELECT * FROM (SELECT CAST('' AS text), 0 UNION ALL SELECT CAST(:given_place AS text), 0) AS starts
  WHERE (SELECT id FROM by_turn WHERE of_task ORDER BY owner_id, task, id LIMIT 1) IS NOT NULL
  UNION ALL
  SELECT (
    SELECT runs.limit_key FROM by_key WHERE of_next_key ORDER BY owner_id, task, runs.limit_key LIMIT 1
  ), free + CASE WHEN limit_key IN (SELECT value FROM full_keys) THEN 0 ELSE 1 END
  FROM walk WHERE limit_key IS NOT NULL AND free <= MOST_KEYS
)
SELECT id, limit_key FROM (
  SELECT id, coalesce(limit_key, '') AS limit_key FROM by_turn WHERE of_task ORDER BY owner_id, task, id LIMIT FEW
) AS first_runs WHERE limit_key NOT IN (SELECT value FROM full_keys)
UNION ALL
SELECT * FROM (
  SELECT (
    SELECT id FROM by_key WHERE of_key ORDER BY owner_id, task, runs.limit_key, id LIMIT 1
  ) AS id, limit_key FROM walk WHERE limit_key NOT IN (SELECT value FROM full_keys)
) AS first_of_keys
"""
WAITS = "AND state = 'queued' AND due_at IS NULL"
OWN = "owner_id = lanes.owner_id AND task = walked.value"
OF_LANE = "owner_id = ANY (ARRAY[lanes.owner_id]) AND task = walked.value"
IN_SQLITE = {
    # Without statistics, SQLite would prefer other indexes.
    "by_turn": "runs INDEXED BY ix_runs_turn",
    "by_key": "runs INDEXED BY ix_runs_limit",
    "full_keys": "json_each(:given_full_keys)",
    "of_task": f"{OWN} {WAITS}",
    "of_next_key": f"{OWN} {WAITS} AND runs.limit_key > walk.limit_key",
    "of_key": f"{OWN} {WAITS} AND runs.limit_key = walk.limit_key",
}
IN_POSTGRES = {
    "by_turn": "runs",
    "by_key": "runs",
    "full_keys": "json_array_elements_text(CAST(:given_full_keys AS json)) AS one (value)",
    # Not as OWN, so that only one index has the order that is asked for (jobs.runs.turns).
    "of_task": f"{OF_LANE} {WAITS}",
    "of_next_key": f"{OF_LANE} {WAITS} AND runs.limit_key > walk.limit_key",
    "of_key": f"{OF_LANE} {WAITS} AND runs.limit_key = walk.limit_key",
}


def _written(words: Mapping[str, str]) -> str:
    words = {**words, "MOST_KEYS": str(MOST_KEYS), "FEW": str(FEW)}
    return re.sub(rf"\b({'|'.join(words)})\b", lambda found: words[found[0]], HEADS)


FIRST_HEAD_IN_SQLITE = "SELECT min(id) AS id FROM (HEADS)".replace("HEADS", _written(IN_SQLITE))
HEADS_IN_POSTGRES = _written(IN_POSTGRES)
