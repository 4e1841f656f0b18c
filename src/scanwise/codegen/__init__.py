"""From vector loop nests to machine code: targets, the emitter, the just-in-time compiler and its object cache."""
