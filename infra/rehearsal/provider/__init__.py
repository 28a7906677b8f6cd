"""Pulumi provider plugins for rehearsals: they check what the cloud checks, with no account.

A cloud is a set of resource classes (`resource.Resource`, about 20 lines each) behind one server
that speaks the provider protocol (`servicer.Servicer`). The engine attaches to it through
PULUMI_DEBUG_PROVIDERS; the program under it is the one that users run.
"""
