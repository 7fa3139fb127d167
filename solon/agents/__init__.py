"""The agents, one file a role: generator, critic, judge, resolver. They render prompts and read answers."""
