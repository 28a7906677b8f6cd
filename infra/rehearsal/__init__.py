"""`make rehearse STACK=…`: a stack from up to down on emulated clouds, with no account.

`sandbox` prepares a copy of the project for the real engine; `provider/` speaks the protocol of
provider plugins; `azure/`, `oci/` and `docker/` say what each cloud checks and how it is emulated;
`host/` runs what is emulated, and `system/` finds what that needs on this machine.
"""
