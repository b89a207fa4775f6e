"""What the readers of MLflow share: its URIs, databases, servers and files, and a run as each hands it on."""
