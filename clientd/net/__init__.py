"""Net: the appliance's connection to the hub."""
