"""What the learning rate's schedule did."""
