-- What the range of a job's time left rests on ('run' or 'history') stands in its row, as the range itself does.

ALTER TABLE backup_jobs ADD COLUMN eta_basis text;
