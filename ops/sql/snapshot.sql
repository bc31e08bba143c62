-- Which transactions have ended by now, which are at work, and which would be the next; changes nothing.
SELECT txid_current_snapshot();
