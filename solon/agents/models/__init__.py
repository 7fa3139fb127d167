"""Chat models: one interface (`BaseChatModel`) over servers, local files and fakes. Must never import the agents,
prompts or law."""
