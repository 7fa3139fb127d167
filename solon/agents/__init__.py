"""The agents, one file a role: generator, critic, judge, resolver. They render prompts and read answers. Must never
import the graphs, nor what stands above them."""
