-- Bottleneck: what took most of the sender's time on a disk, as it told last: read, write or network.

ALTER TABLE backup_disks ADD COLUMN bottleneck text NOT NULL DEFAULT '';
