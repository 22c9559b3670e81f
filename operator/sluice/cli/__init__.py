"""`kubectl sluice`: what people see and do, through kubectl and nothing else."""
