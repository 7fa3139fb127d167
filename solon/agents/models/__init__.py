"""Chat models: one interface (`BaseChatModel`) over servers, local files and fakes."""
