"""What the three releases of the music school's app share: settings and the logic of the data check."""
