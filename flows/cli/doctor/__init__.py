"""The command `doctor`: what is wrong with the installation, the Prefect server and the data folder."""
