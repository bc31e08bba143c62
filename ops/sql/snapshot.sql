-- Returns which transactions have ended, which are running, and the next transaction id; changes nothing.
SELECT txid_current_snapshot();
