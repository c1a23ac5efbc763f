"""clientd: the appliance's daemon. It copies disks and tells the hub how far it is."""
