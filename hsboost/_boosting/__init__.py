"""What a booster's call to an objective brings: the groups its data set carries, the device, other machines, units."""
