"""Rules that `make preview` and promotions hold every resource to, as a Pulumi policy pack."""
