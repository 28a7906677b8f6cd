"""What runs beside MLflow: in the image, on the VM and in the local process. Imports no pulumi."""
