"""What runs containers, jobs and virtual machines on Azure."""
