"""A rehearsal of Azure as pulumi_azure_native reaches it."""
