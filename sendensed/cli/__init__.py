"""cli: the commands of sendensed. Each imports what it needs when it runs, so that --help is quick."""
