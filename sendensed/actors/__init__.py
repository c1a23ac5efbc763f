"""actors: what the hub does, each a coroutine on memory channels. They see stores as Protocols."""
