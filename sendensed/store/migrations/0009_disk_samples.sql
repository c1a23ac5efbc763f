-- Disk samples: how far each disk was at a sample of a job with several, as [[index, bytes], ...] in their order.
--
-- NULL for a job of one disk, whose bytes are the job's own, and for what was sampled before.

ALTER TABLE job_samples ADD COLUMN disks json;
