"""Heads: in a lane, the first runs of a task by key, leaving out the keys that are full (jobs.runs.limits).

Looking at the runs one by one could pass over any number of runs of a key that is full. So two things are looked at:
the first FEW runs of the task, and the first run of each key, by walking the index from key to key: from its start, and
from a random place, each until MOST_KEYS keys have been found that are not full. Their first run is the next one. Of an
owner with at most MOST_KEYS keys that are not full, that is the run that was submitted first. With more it may be
another one, but no key is passed over for ever. No more keys can be full than there are runs running.

The names `lanes.owner_id` and `walked.value`, the task, are those of the query around it.
"""

FEW = 10
MOST_KEYS = 32

HEADS = """
WITH RECURSIVE walk (limit_key, free) AS (
  SELECT * FROM (SELECT CAST('' AS text), 0 UNION ALL SELECT CAST(:given_place AS text), 0) AS starts
  UNION ALL
  SELECT (
    SELECT min(runs.limit_key) FROM keyed
    WHERE owner_id = lanes.owner_id AND task = walked.value AND state = 'queued' AND due_at IS NULL
      AND runs.limit_key IS NOT NULL AND runs.limit_key > walk.limit_key
  ), free + CASE WHEN limit_key IN (SELECT value FROM full_keys) THEN 0 ELSE 1 END
  FROM walk WHERE limit_key IS NOT NULL AND free <= MOST_KEYS
)
SELECT id, limit_key FROM (
  SELECT id, coalesce(limit_key, '') AS limit_key FROM by_turn
  WHERE owner_id = lanes.owner_id AND task = walked.value AND state = 'queued' AND due_at IS NULL
  ORDER BY id LIMIT FEW
) AS first_runs WHERE limit_key NOT IN (SELECT value FROM full_keys)
UNION ALL
SELECT (
  SELECT min(id) FROM keyed
  WHERE owner_id = lanes.owner_id AND task = walked.value AND state = 'queued' AND due_at IS NULL
    AND runs.limit_key = walk.limit_key
), limit_key
FROM walk WHERE limit_key NOT IN (SELECT value FROM full_keys)
"""


def _written(by_turn: str, keyed: str, full_keys: str) -> str:
    named = HEADS.replace("FROM by_turn", f"FROM {by_turn}").replace("FROM keyed", f"FROM {keyed}")
    bounded = named.replace("MOST_KEYS", str(MOST_KEYS)).replace("FEW", str(FEW))
    return bounded.replace("FROM full_keys", f"FROM {full_keys}")


# Without statistics, SQLite would prefer other indexes.
HEADS_IN_SQLITE = _written(
    "runs INDEXED BY ix_runs_turn", "runs INDEXED BY ix_runs_limit", "json_each(:given_full_keys)"
)
FIRST_HEAD_IN_SQLITE = "SELECT min(id) AS id FROM (HEADS)".replace("HEADS", HEADS_IN_SQLITE)
HEADS_IN_POSTGRES = _written("runs", "runs", "json_array_elements_text(CAST(:given_full_keys AS json)) AS one (value)")
