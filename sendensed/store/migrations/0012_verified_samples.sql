-- Verified samples: how many bytes were read of the targets again by a sample, so that a replay shows it.
--
-- NULL for a job of which nobody told that it would be verified, and for what was sampled before.
--
-- Serves hubs from 0011.

ALTER TABLE job_samples ADD COLUMN bytes_verified bigint;
