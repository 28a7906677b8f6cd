"""What holds data on Azure: storage accounts, key vaults, databases."""
